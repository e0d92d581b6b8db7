import type { BootAttempt, Stage } from '../../model/boot-attempt.ts'
import { stageRank } from '../../model/boot-attempt.ts'
import type { Machine } from '../../model/machine.ts'
import type { Decision, Moment } from '../decision.ts'
import type { Effect } from '../effect.ts'

/** A file that went out by TFTP or HTTP, or as much of it as did. */
export interface SentFile {
  readonly what: 'loader' | 'kernel' | 'initrd' | 'squashfs'
  readonly name: string
  readonly bytes: number
  /** Blocks sent again by TFTP; 0 by HTTP. */
  readonly resends: number
  /** True when the whole file arrived, as far as the protocol tells. */
  readonly isWhole: boolean
}

export interface FileSentSnapshot extends Moment {
  /** The machine that has the client's address; undefined: nobody's, so nothing is recorded. */
  readonly machine?: Machine
  readonly latestAttempt?: BootAttempt
}

/** A squashfs is fetched by a system that runs: nothing but a sign of life. */
const STAGE_OF: { readonly [What in SentFile['what']]: Stage | undefined } = {
  loader: 'loader-sent',
  kernel: 'kernel-sent',
  initrd: 'initrd-sent',
  squashfs: undefined,
}

/** Notes in the boot attempt what was sent; trace only, since a machine that lies about it gains nothing. */
export function decideFileSent(snapshot: FileSentSnapshot, file: SentFile): Decision<undefined> {
  const { machine, latestAttempt, nowMs } = snapshot
  if (machine === undefined || latestAttempt === undefined || latestAttempt.endedAtMs !== undefined) {
    return { reply: undefined, reason: 'no-attempt', effects: [] }
  }
  const stage = STAGE_OF[file.what]
  if (stage === undefined || (!file.isWhole && stageRank(latestAttempt.stage) < stageRank(stage))) {
    // An attempt that broke off: the machine lives, but it has not come so far.
    return {
      reply: undefined,
      reason: file.isWhole ? `${file.what}-sent` : 'broken-off',
      effects: [{ kind: 'heard-from', bootId: latestAttempt.bootId, atMs: nowMs }],
    }
  }
  const { bootId } = latestAttempt
  const effects: Effect[] = [
    { kind: 'reach-stage', bootId, stage, atMs: nowMs, bytes: file.bytes, retries: file.resends },
  ]
  if (file.isWhole && file.what === 'loader') {
    effects.push({ kind: 'note-loader-sent', machineId: machine.id, atMs: nowMs })
  }
  if (file.isWhole && file.what === 'loader' && machine.loader === file.name) {
    effects.push({ kind: 'loader-override-sent', bootId, atMs: nowMs })
  }
  return { reply: undefined, reason: stage, effects }
}
