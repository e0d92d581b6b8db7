import { stageRank } from '../../model/boot-attempt.ts'
import type { AttemptRecords } from './timeline.ts'

/** How far stage 1 is with a root that is a squashfs of its own, in its own words. */
export interface RootProgress {
  readonly bytes: number
  /** Undefined where the attempt's image is not known any more. */
  readonly fileBytes?: number
  readonly toldAtMs: number
  /** There is no room for its transfer yet: 503 or 429 from whoever has the file. */
  readonly isWaiting: boolean
}

/** Undefined where stage 1 said nothing yet, has its root, gave up, or is past it. */
export function rootProgressOf({ attempt, traces }: AttemptRecords): RootProgress | undefined {
  const isPast = stageRank(attempt.stage) > stageRank('initrd-sent') || attempt.endedAtMs !== undefined
  if (isPast || traces.some(({ kind }) => kind === 'redeem')) return undefined
  const ofRoot = traces.filter(({ kind, key }) => kind === 'http' && key.startsWith('squashfs-'))
  const latest = (keys: readonly string[]) =>
    ofRoot.filter(({ key }) => keys.includes(key)).sort((a, b) => b.lastAtMs - a.lastAtMs)[0]
  const told = latest(['squashfs-progress', 'squashfs-waiting'])
  const end = latest(['squashfs-loaded', 'squashfs-failed'])
  if (told === undefined || (end !== undefined && end.lastAtMs >= told.lastAtMs)) return undefined
  const { bytes, file_bytes: fileBytes } = told.facts
  return {
    bytes: Number(bytes),
    ...(typeof fileBytes === 'number' ? { fileBytes } : {}),
    toldAtMs: told.lastAtMs,
    isWaiting: told.key === 'squashfs-waiting',
  }
}

/** `120 of 400 bytes`, as far as it is known. */
export function bytesOf({ bytes, fileBytes }: RootProgress): string {
  return fileBytes === undefined ? `${bytes} bytes` : `${bytes} of ${fileBytes} bytes`
}
