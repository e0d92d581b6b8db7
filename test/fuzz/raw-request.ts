/** A request as it goes over the wire. */
export interface RawRequest {
  readonly side: 'boot' | 'api'
  readonly bytes: Buffer
  readonly method: string
  readonly target: string
  readonly headers: readonly Header[]
  /** True where it is HTTP/1.1 by the letter: then there is exactly one answer. */
  readonly isSound: boolean
  /** The machine whose address it comes from; 9 is nobody's. */
  readonly from: number
}

export type Header = readonly [name: string, value: string]

/** A request before anything is changed. */
export interface Plan {
  side: 'boot' | 'api'
  method: string
  target: string
  headers: Header[]
  body: string | undefined
}
