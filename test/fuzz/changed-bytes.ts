import type { SeededRandom } from './random.ts'

/** The bytes with one thing changed in them, at `at` where it has a place: 0 to their length. */
export type Change = (bytes: Uint8Array, at: number) => Uint8Array

/** The same bytes after 1 to `most` changes; one that stands there twice is made twice as often. */
export function changedBytes(
  random: SeededRandom,
  bytes: Uint8Array,
  most: number,
  changes: readonly Change[],
): Uint8Array {
  let changed = bytes
  for (let left = 1 + random.below(most); left > 0; left -= 1) {
    const at = random.below(changed.length + 1)
    changed = random.pick(changes)(changed, at)
  }
  return changed
}

export const cutOff: Change = (bytes, at) => bytes.subarray(0, at)

/** Another value at the place; none where the bytes have ended. */
export function overwritten(value: () => number): Change {
  return (bytes, at) => (at < bytes.length ? bytes.with(at, value()) : bytes)
}
