/** One run of bytes, both ends included. */
export interface ByteRange {
  readonly first: number
  readonly last: number
}

/**
 * Reads a Range header for a body of `size` bytes (RFC 9110 §14.1). One range is served; a list of ranges may be
 * answered with the whole body, which is what happens here (§14.2: a server MAY ignore the Range header).
 *
 * @returns `whole` when there is no usable single range, `unsatisfiable` for 416.
 */
export function readRange(header: string | undefined, size: number): ByteRange | 'whole' | 'unsatisfiable' {
  const match = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/i.exec(header ?? '')
  const [, firstText, lastText] = match ?? []
  if (firstText === undefined || lastText === undefined || (firstText === '' && lastText === ''))
    return 'whole'
  if (firstText === '') {
    const length = Number(lastText)
    if (length === 0 || size === 0) return 'unsatisfiable'
    return { first: Math.max(size - length, 0), last: size - 1 }
  }
  const first = Number(firstText)
  if (first >= size) return 'unsatisfiable'
  const last = lastText === '' ? size - 1 : Math.min(Number(lastText), size - 1)
  return last < first ? 'whole' : { first, last }
}
