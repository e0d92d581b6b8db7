import { concatBytes } from '../net/bytes.ts'

/** One sub-option of an option that holds a list of its own (43, 82, 175). */
export type SubOption = readonly [code: number, value: Uint8Array]

/**
 * Reads code-length-value triples. Reading stops at a triple whose length points past the end: what stood before it is
 * kept, and the first of two equal codes counts.
 *
 * @param endsAt255 true for option 43, where PXE defines PAD (0) and END (255) (PXE 2.1 §2.2).
 */
export function readSubOptions(value: Uint8Array, endsAt255 = false): ReadonlyMap<number, Uint8Array> {
  const found = new Map<number, Uint8Array>()
  let at = 0
  while (at < value.length) {
    const code = value[at] ?? 0
    if (endsAt255 && code === 255) break
    if (endsAt255 && code === 0) {
      at += 1
      continue
    }
    const length = value[at + 1]
    if (length === undefined || at + 2 + length > value.length) break
    if (!found.has(code)) found.set(code, value.subarray(at + 2, at + 2 + length))
    at += 2 + length
  }
  return found
}

/** Writes code-length-value triples; a value over 255 bytes is a bug. */
export function writeSubOptions(subOptions: readonly SubOption[]): Uint8Array {
  return concatBytes(
    subOptions.map(([code, value]) => {
      if (value.length > 255)
        throw new RangeError(`sub-option ${code} has ${value.length} bytes, want <= 255`)
      return concatBytes([Uint8Array.of(code, value.length), value])
    }),
  )
}
