/** One run of bytes, both ends included. */
export interface ByteRange {
  readonly first: number
  readonly last: number
}

/** More in one request is an attack on the disk (RFC 9110 §17.15), or a client that is better off with the whole. */
const MAX_RANGES = 16

/**
 * Reads a Range header for a body of `size` bytes (RFC 9110 §14.1, §14.2). Ranges are kept in the order in which they
 * were asked for.
 *
 * @returns `whole` when there is no usable Range, or when its parts overlap or are too many; `unsatisfiable` for 416.
 */
export function readRanges(
  header: string | undefined,
  size: number,
): readonly ByteRange[] | 'whole' | 'unsatisfiable' {
  const specs = /^bytes=(.{1,1000})$/i.exec(header ?? '')?.[1]?.split(',')
  if (specs === undefined || specs.length > MAX_RANGES) return 'whole'
  const ranges: ByteRange[] = []
  for (const spec of specs) {
    const [, firstText, lastText] = /^\s*(\d{0,15})-(\d{0,15})\s*$/.exec(spec) ?? []
    if (firstText === undefined || lastText === undefined || (firstText === '' && lastText === ''))
      return 'whole'
    if (firstText !== '' && lastText !== '' && Number(lastText) < Number(firstText)) return 'whole'
    const range = satisfiable(firstText, lastText, size)
    if (range !== undefined) ranges.push(range)
  }
  if (ranges.length === 0) return 'unsatisfiable'
  return overlap(ranges) ? 'whole' : ranges
}

function satisfiable(firstText: string, lastText: string, size: number): ByteRange | undefined {
  if (firstText === '') {
    const length = Number(lastText)
    return length === 0 || size === 0 ? undefined : { first: Math.max(size - length, 0), last: size - 1 }
  }
  const first = Number(firstText)
  if (first >= size) return undefined
  return { first, last: lastText === '' ? size - 1 : Math.min(Number(lastText), size - 1) }
}

function overlap(ranges: readonly ByteRange[]): boolean {
  const sorted = [...ranges].sort((a, b) => a.first - b.first)
  return sorted.some((range, index) => index > 0 && range.first <= (sorted[index - 1]?.last ?? -1))
}
