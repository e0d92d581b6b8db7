import type { BootAttempt } from '../../model/boot-attempt.ts'
import { stageRank } from '../../model/boot-attempt.ts'
import { toHex } from '../../net/bytes.ts'
import type { Effect } from '../effect.ts'

const SILENT_AFTER_MS = 10 * 60_000
const IPXE_FOLLOWS_WITHIN_MS = 180_000

/** What a bootable packet or a script fetch says about the attempt that it belongs to. */
export interface BootSign {
  readonly machineId: string
  /** True when the client says it is iPXE: it then continues the attempt whose loader it is. */
  readonly isIpxe: boolean
  /** Option 93, where known. */
  readonly architecture?: number
  readonly nowMs: number
  /** 32 random bytes; used only when an attempt begins. */
  readonly freshBytes: Uint8Array
}

/**
 * Finds the boot attempt that a sign of booting belongs to, or begins one.
 *
 * A new one begins when there is none, when the last one ended, went silent for 10 minutes, or is past `loader-sent`;
 * firmware that repeats itself, and an iPXE within 180 s of its loader, continue the one that runs (design §5).
 */
export function attemptFor(
  latest: BootAttempt | undefined,
  sign: BootSign,
): { readonly bootId: string; readonly effects: readonly Effect[] } {
  if (latest !== undefined && continues(latest, sign)) return { bootId: latest.bootId, effects: [] }
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

function continues(latest: BootAttempt, sign: BootSign): boolean {
  if (latest.endedAtMs !== undefined) return false
  const silentMs = sign.nowMs - latest.heardAtMs
  if (silentMs > SILENT_AFTER_MS) return false
  if (stageRank(latest.stage) <= stageRank('loader-sent')) return true
  // A parked iPXE polls for its script and asks DHCP again with `--replace`: still the same boot.
  return sign.isIpxe && latest.stage === 'script-sent' && silentMs <= IPXE_FOLLOWS_WITHIN_MS
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
