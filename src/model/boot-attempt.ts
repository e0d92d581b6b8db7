import { FIRST_BOOT_STEPS } from './first-boot.ts'

/** The stages of a boot attempt before its first-boot steps, in order. */
export const WIRE_STAGES = [
  'offered',
  'loader-sent',
  'script-sent',
  'kernel-sent',
  'initrd-sent',
  'config-redeemed',
] as const

/** All stages in order, up to one of the two ends. */
export const STAGES = [...WIRE_STAGES, ...FIRST_BOOT_STEPS, 'ready'] as const
export type Stage = (typeof STAGES)[number]

/**
 * `tentative` until its own redemption makes it the machine's `current` one, so that a spoofed DISCOVER harms nobody.
 */
export type AttemptStatus = 'tentative' | 'current' | 'superseded'

export type AttemptEnd = 'ready' | 'failed' | 'local' | 'parked' | 'superseded' | 'abandoned'

/** One boot of one machine, from the first offer to ready or failed. */
export interface BootAttempt {
  readonly bootId: string
  readonly machineId: string
  readonly status: AttemptStatus
  /** How far it came; stages never go backwards. */
  readonly stage: Stage
  readonly startedAtMs: number
  /** The last sign of life of any kind. */
  readonly heardAtMs: number
  readonly endedAtMs?: number
  readonly end?: AttemptEnd
  /** The founding epoch that this boot is bound to; undefined until a gate or its redemption binds it. */
  readonly passEpoch?: number
  /** Node's clock less ours when it last said its time, ms. */
  readonly clockSkewMs?: number
  /** Option 93 of the packet that began it; undefined when it began at a script fetch. */
  readonly architecture?: number
  /** The image that its script named; the attempt keeps it. */
  readonly imageId?: string
  /** When the machine said that its system is on its disk (install mode); undefined: it did not. */
  readonly installedAtMs?: number
  /** When the machine's `loader` override was sent whole in this attempt. */
  readonly loaderSentAtMs?: number
}

/** The stage a machine reached, with what it cost. */
export interface StageRecord {
  readonly bootId: string
  readonly stage: Stage
  readonly enteredAtMs: number
  readonly bytes: number
  readonly retries: number
  /** When it was told that the attempt stays here for too long. */
  readonly stalledAtMs?: number
}

/** Position of a stage in the order; later is larger. */
export function stageRank(stage: Stage): number {
  return STAGES.indexOf(stage)
}
