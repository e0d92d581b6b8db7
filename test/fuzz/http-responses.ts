import { demand } from './fuzzing.ts'

/** A response as it came over the wire. */
export interface HttpResponse {
  readonly status: number
  /** Names in lower case, values as they came, in their order. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer
}

/** Reads the responses of one connection, to the letter of RFC 9112: what a lenient client would let pass is an error. */
export class ResponseReader {
  #bytes: Buffer = Buffer.alloc(0)

  push(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
  }

  /** Bytes that belong to no whole response yet. */
  get rest(): Buffer {
    return this.#bytes
  }

  /**
   * The next whole response.
   *
   * @param method of the request that it answers: HEAD has no body.
   * @param isClosed True once nothing more comes: a body without a length ends there.
   */
  next(method: string, isClosed: boolean): HttpResponse | undefined {
    const end = this.#bytes.indexOf('\r\n\r\n')
    if (end === -1) {
      demand(this.#bytes.length < 100_000, 'a head without end')
      return undefined
    }
    const [first = '', ...lines] = this.#bytes.subarray(0, end).toString('latin1').split('\r\n')
    const status = Number(/^HTTP\/1\.1 ([1-5]\d\d) [\x20-\x7e]*$/.exec(first)?.[1])
    demand(!Number.isNaN(status), `the status line is ${JSON.stringify(first)}`)
    const headers = lines.map((line) => {
      const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\t\x20-\x7e\x80-\xff]*)$/.exec(line) ?? []
      demand(name !== undefined && value !== undefined, `a header line is ${JSON.stringify(line)}`)
      return [name.toLowerCase(), value] as const
    })
    const whole = this.#bodyOf(method, status, headers, end + 4, isClosed)
    if (whole === undefined) return undefined
    this.#bytes = this.#bytes.subarray(whole.end)
    return { status, headers, body: whole.body }
  }

  #bodyOf(
    method: string,
    status: number,
    headers: HttpResponse['headers'],
    start: number,
    isClosed: boolean,
  ): { readonly body: Buffer; readonly end: number } | undefined {
    const none = { body: Buffer.alloc(0), end: start }
    if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return none
    const lengths = headers.filter(([name]) => name === 'content-length')
    const codings = headers.filter(([name]) => name === 'transfer-encoding')
    demand(lengths.length + codings.length <= 1, 'more than one word about the length')
    if (codings.length === 1) return this.#chunked(start)
    const [length] = lengths
    if (length === undefined)
      return isClosed ? { body: this.#bytes.subarray(start), end: this.#bytes.length } : undefined
    demand(/^\d+$/.test(length[1]), `Content-Length: ${length[1]}`)
    const end = start + Number(length[1])
    return this.#bytes.length < end ? undefined : { body: this.#bytes.subarray(start, end), end }
  }

  #chunked(start: number): { readonly body: Buffer; readonly end: number } | undefined {
    const parts: Buffer[] = []
    for (let at = start; ; ) {
      const lineEnd = this.#bytes.indexOf('\r\n', at)
      if (lineEnd === -1) return undefined
      const length = Number.parseInt(this.#bytes.subarray(at, lineEnd).toString('latin1'), 16)
      demand(Number.isInteger(length), 'a chunk without a length')
      const next = lineEnd + 2 + length + 2
      if (this.#bytes.length < next) return undefined
      parts.push(this.#bytes.subarray(lineEnd + 2, next - 2))
      if (length === 0) return { body: Buffer.concat(parts), end: next }
      at = next
    }
  }
}

/** The only value of a header; undefined where there is none. */
export function headerOf({ headers }: HttpResponse, wanted: string): string | undefined {
  const found = headers.filter(([name]) => name === wanted)
  demand(found.length <= 1, `${found.length} headers ${wanted}`)
  return found[0]?.[1]
}
