import type { Mac } from '../../net/mac.ts'
import type { Decision } from '../decision.ts'
import { decideFileMoving } from './decide-file-moving.ts'
import { decideFileSent, type FileSentSnapshot, type SentFile } from './decide-file-sent.ts'
import { traceRootTold } from './trace-files.ts'

/** Why stage 1 has no root, in the words of `fetch-squashfs.sh`; `unknown`: in words of somebody's own. */
export const ROOT_FAILURES = [
  'refused',
  'unreachable',
  'busy',
  'wrong-size',
  'wrong-sha256',
  'no-memory',
  'wrong-url',
  'unknown',
] as const
export type RootFailure = (typeof ROOT_FAILURES)[number]

/** What a boot script or a stage 1 says of itself: it has its kernel, its initrd, its root, from wherever they came. */
export interface Beacon {
  readonly mac: Mac
  /** `kernel-sent`, `initrd-sent`, `squashfs-loaded`, `squashfs-failed`; anything else is a line in the log only. */
  readonly stage: string
  /** The size that the script was told, or how much of its root stage 1 has; 0: not said. */
  readonly bytes: number
  /** Why there is no root. */
  readonly why?: string
}

const WHAT: Readonly<Record<string, SentFile['what']>> = { 'kernel-sent': 'kernel', 'initrd-sent': 'initrd' }

/**
 * Notes a beacon in the boot attempt, when it comes from the address that is leased to the machine that it names. A
 * trace like any other sent file: who lies about it gains nothing.
 */
export function decideBeacon(snapshot: FileSentSnapshot, beacon: Beacon): Decision<undefined> {
  const { stage, bytes } = beacon
  const what = Object.hasOwn(WHAT, stage) ? WHAT[stage] : undefined
  const isOfRoot = stage === 'squashfs-loaded' || stage === 'squashfs-failed'
  if (what === undefined && !isOfRoot) return { reply: undefined, reason: 'no-stage', effects: [] }
  if (snapshot.machine?.macs.includes(beacon.mac) !== true)
    return { reply: undefined, reason: 'foreign-beacon', effects: [] }
  if (what !== undefined)
    return decideFileSent(snapshot, { what, name: what, bytes, resends: 0, isWhole: true })
  const moving = decideFileMoving(snapshot)
  const told =
    stage === 'squashfs-failed'
      ? traceRootTold(snapshot, stage, { why: knownWord(beacon.why), bytes })
      : traceRootTold(snapshot, 'squashfs-loaded', { bytes })
  return { ...moving, reason: stage, effects: [...moving.effects, ...told] }
}

function knownWord(why: string | undefined): RootFailure {
  return ROOT_FAILURES.find((word) => word === why) ?? 'unknown'
}
