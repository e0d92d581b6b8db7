/** What cannot be taken in as an image: what is wrong, and the cure. */
export class ImageFault extends Error {
  readonly code: string
  readonly cure: string
  /** HTTP status for the caller: 422 for the set itself, 503 and 507 for what has nothing to do with it. */
  readonly status: 409 | 422 | 503 | 507
  constructor(
    code: string,
    detail: string,
    cure: string,
    status: ImageFault['status'] = 422,
    cause?: unknown,
  ) {
    super(detail, { cause })
    this.code = code
    this.cure = cure
    this.status = status
  }
}

/** A file of this disk that cannot be opened. */
export function unreadable(file: string, cause: unknown): ImageFault {
  const detail = `${file} cannot be read (${(cause as NodeJS.ErrnoException).code})`
  return new ImageFault('path-unreadable', detail, 'let its user read it', 422, cause)
}
