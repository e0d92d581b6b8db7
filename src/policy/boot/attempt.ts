import type { BootAttempt } from '../../model/boot-attempt.ts'
import { stageRank } from '../../model/boot-attempt.ts'
import { toHex } from '../../net/bytes.ts'
import type { Effect } from '../effect.ts'

const SILENT_AFTER_MS = 10 * 60_000

/** What a bootable packet or a script fetch says about the attempt that it belongs to. */
export interface BootSign {
  readonly machineId: string
  /** A bootable DHCP packet, or a fetch of the machine's script. */
  readonly via: 'dhcp' | 'script'
  /** Option 93, where known. */
  readonly architecture?: number
  readonly nowMs: number
  /** 32 random bytes; used only when an attempt begins. */
  readonly freshBytes: Uint8Array
}

/**
 * Finds the boot attempt that a sign of booting belongs to, or begins one.
 *
 * A bootable packet begins one when the last ended, went silent for 10 minutes, or is past `loader-sent`: firmware that
 * repeats itself, and the iPXE that follows its loader, continue the one that runs. A script fetch continues it until
 * the configuration is redeemed, since a loader asks again when an image did not load (design §5).
 */
export function attemptFor(
  latest: BootAttempt | undefined,
  sign: BootSign,
): { readonly bootId: string; readonly effects: readonly Effect[] } {
  if (latest !== undefined && continuesAttempt(latest, sign)) return { bootId: latest.bootId, effects: [] }
  const bootId = uuidFrom(sign.freshBytes)
  const attempt: BootAttempt = {
    bootId,
    machineId: sign.machineId,
    status: 'tentative',
    stage: 'offered',
    startedAtMs: sign.nowMs,
    heardAtMs: sign.nowMs,
    ...(sign.architecture === undefined ? {} : { architecture: sign.architecture }),
  }
  return { bootId, effects: [{ kind: 'begin-attempt', attempt }] }
}

/** True when the sign belongs to the attempt, false when it is of a new one. */
export function continuesAttempt(latest: BootAttempt, sign: Pick<BootSign, 'via' | 'nowMs'>): boolean {
  if (latest.endedAtMs !== undefined || sign.nowMs - latest.heardAtMs > SILENT_AFTER_MS) return false
  const limit = sign.via === 'dhcp' ? 'loader-sent' : 'initrd-sent'
  return stageRank(latest.stage) <= stageRank(limit)
}

/** An RFC 9562 version 4 UUID made of the first 16 of the random bytes. */
export function uuidFrom(random: Uint8Array): string {
  if (random.length < 16) throw new RangeError(`a UUID needs 16 random bytes, got ${random.length}`)
  const bytes = random.slice(0, 16)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = toHex(bytes)
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
