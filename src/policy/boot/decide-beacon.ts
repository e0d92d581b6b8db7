import { stageRank } from '../../model/boot-attempt.ts'
import type { TraceFacts } from '../../model/boot-trace.ts'
import type { Mac } from '../../net/mac.ts'
import type { Decision } from '../decision.ts'
import { decideFileMoving } from './decide-file-moving.ts'
import { decideFileSent, type FileSentSnapshot, type SentFile } from './decide-file-sent.ts'
import { ROOT_STAGES, type RootStage, traceRootTold } from './trace-files.ts'

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
  /** `kernel-sent`, `initrd-sent`, or one of `RootStage`; anything else is a line in the log only. */
  readonly stage: string
  /** The size that the script was told, or how much of its root stage 1 has; 0: not said. */
  readonly bytes: number
  /** Why there is no root. */
  readonly why?: string
}

export interface BeaconSnapshot extends FileSentSnapshot {
  /** How much of its root the attempt's last `squashfs-progress` told of. */
  readonly rootBytesTold?: number
  /** The length of the root, where the attempt's image has one of its own. */
  readonly rootFileBytes?: number
}

const WHAT: Readonly<Record<string, SentFile['what']>> = { 'kernel-sent': 'kernel', 'initrd-sent': 'initrd' }

/**
 * Notes a beacon in the boot attempt, when it comes from the address that is leased to the machine that it names. Where
 * another server sends the files, this is how we know that image bytes move, or wait in a line: the attempt's tokens have
 * their time anew, within the cap of each, as while our own bytes move (`decideFileMoving`). A trace like any other sent
 * file: who lies about it gains nothing but that time, for a token that it does not have.
 */
export function decideBeacon(snapshot: BeaconSnapshot, beacon: Beacon): Decision<undefined> {
  const { stage, bytes } = beacon
  const what = Object.hasOwn(WHAT, stage) ? WHAT[stage] : undefined
  if (what === undefined && !isRootStage(stage)) return { reply: undefined, reason: 'no-stage', effects: [] }
  if (snapshot.machine?.macs.includes(beacon.mac) !== true)
    return { reply: undefined, reason: 'foreign-beacon', effects: [] }
  const moving = decideFileMoving(snapshot)
  if (what !== undefined) {
    const sent = decideFileSent(snapshot, { what, name: what, bytes, resends: 0, isWhole: true })
    return { ...sent, effects: [...sent.effects, ...moving.effects] }
  }
  return isRootStage(stage) ? decideRoot(snapshot, stage, beacon, moving) : moving
}

function decideRoot(
  snapshot: BeaconSnapshot,
  stage: RootStage,
  { bytes, why }: Beacon,
  moving: Decision<undefined>,
): Decision<undefined> {
  const { latestAttempt, rootBytesTold = 0, rootFileBytes } = snapshot
  if (stage === 'squashfs-loaded') return told(snapshot, stage, { bytes }, moving)
  if (stage === 'squashfs-failed') return told(snapshot, stage, { why: knownWord(why), bytes }, moving)
  if (latestAttempt !== undefined && stageRank(latestAttempt.stage) > stageRank('initrd-sent'))
    return { reply: undefined, reason: 'past-its-root', effects: [] }
  if (stage === 'squashfs-progress' && bytes === rootBytesTold)
    return {
      reply: undefined,
      reason: 'root-not-moving',
      effects: moving.effects.filter(({ kind }) => kind === 'heard-from'),
    }
  const facts = rootFileBytes === undefined ? { bytes } : { bytes, file_bytes: rootFileBytes }
  return told(snapshot, stage, facts, moving)
}

function told(
  snapshot: BeaconSnapshot,
  stage: RootStage,
  facts: TraceFacts,
  moving: Decision<undefined>,
): Decision<undefined> {
  return { ...moving, reason: stage, effects: [...moving.effects, ...traceRootTold(snapshot, stage, facts)] }
}

function isRootStage(stage: string): stage is RootStage {
  return ROOT_STAGES.some((known) => known === stage)
}

function knownWord(why: string | undefined): RootFailure {
  return ROOT_FAILURES.find((word) => word === why) ?? 'unknown'
}
