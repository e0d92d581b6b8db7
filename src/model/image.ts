/** One file of an image: a path on this server's disk, with what HTTP says of it. */
export interface ImageFile {
  /** The name in the URL, `bzImage`: one path segment. */
  readonly name: string
  readonly role: 'kernel' | 'initrd' | 'squashfs' | 'other'
  readonly bytes: number
  /** Lower-case hex; also the strong ETag. */
  readonly sha256: string
}

/** An immutable set that boots a machine. Its id is a hash over everything in it. */
export interface Image {
  /** First 16 hex digits of the SHA-256 over the set's canonical description. */
  readonly id: string
  readonly name: string
  readonly version: string
  readonly architecture: 'x86_64' | 'arm64'
  /** The `init=` of the set, an absolute path inside it. */
  readonly init: string
  /** Kernel parameters beside `init=` and `initrd=`. */
  readonly parameters: readonly string[]
  readonly files: readonly ImageFile[]
  readonly createdAtMs: number
}
