import type { Mac } from '../../net/mac.ts'
import type { Decision } from '../decision.ts'
import { decideFileSent, type FileSentSnapshot, type SentFile } from './decide-file-sent.ts'

/** What a boot script says of itself: it has its kernel, or its initrd, from wherever they came. */
export interface Beacon {
  readonly mac: Mac
  /** `kernel-sent`, `initrd-sent`; anything else is a line in the log only. */
  readonly stage: string
  /** The size that the script was told; 0: not said. */
  readonly bytes: number
}

const WHAT: Readonly<Record<string, SentFile['what']>> = { 'kernel-sent': 'kernel', 'initrd-sent': 'initrd' }

/**
 * Notes a beacon in the boot attempt, when it comes from the address that is leased to the machine that it names. A
 * trace like any other sent file: who lies about it gains nothing.
 */
export function decideBeacon(snapshot: FileSentSnapshot, beacon: Beacon): Decision<undefined> {
  const what = Object.hasOwn(WHAT, beacon.stage) ? WHAT[beacon.stage] : undefined
  if (what === undefined) return { reply: undefined, reason: 'no-stage', effects: [] }
  if (snapshot.machine?.macs.includes(beacon.mac) !== true)
    return { reply: undefined, reason: 'foreign-beacon', effects: [] }
  return decideFileSent(snapshot, { what, name: what, bytes: beacon.bytes, resends: 0, isWhole: true })
}
