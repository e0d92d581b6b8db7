/** What a file of an image is for. */
export type ImageRole = 'kernel' | 'initrd' | 'squashfs'

/** One file of an image. Its bytes are kept once, by their hash, whichever images hold it. */
export interface ImageFile {
  /** The name in the URL, by role and architecture, whatever it was called where it came from: `bzImage`. */
  readonly name: string
  readonly role: ImageRole
  readonly bytes: number
  /** Lower-case hex; also the strong ETag. */
  readonly sha256: string
}

/**
 * `available`: may be booted. `withdrawn`: its bytes are not any more what was imported, so nobody gets it until it is
 * verified again or imported again. `retired`: by the operator, to be collected.
 */
export type ImageState = 'available' | 'withdrawn' | 'retired'

/** An immutable set that boots a machine. Its id is a hash over everything in it. */
export interface Image {
  /** First 16 hex digits of the SHA-256 over the set's canonical description: same content, same id. */
  readonly id: string
  /** Name and version that it was first imported under; `ImageVersion` has all of them. */
  readonly name: string
  readonly version: string
  readonly architecture: 'x86_64' | 'arm64'
  /** The `init=` of the set, an absolute path inside it. */
  readonly init: string
  /** Kernel parameters beside `init=` and `initrd=`. */
  readonly parameters: readonly string[]
  readonly files: readonly ImageFile[]
  readonly createdAtMs: number
  readonly state: ImageState
  /** Why it is withdrawn or retired, for a person. */
  readonly stateReason?: string
}

/** A name and version of an image; the same content may have been imported under several. */
export interface ImageVersion {
  readonly name: string
  readonly version: string
  readonly imageId: string
  readonly createdAtMs: number
}

/** The word that machines which are assigned `name` boot this version from now on. */
export interface Promotion {
  readonly seq: number
  readonly name: string
  readonly version: string
  readonly imageId: string
  readonly promotedAtMs: number
}

const NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/
const ID = /^[0-9a-f]{16}$/
const VERSION = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,62}$/

/** True for a name that no id can be taken for. */
export function isImageName(text: string): boolean {
  return NAME.test(text) && !ID.test(text)
}

export function isImageId(text: string): boolean {
  return ID.test(text)
}

export function isImageVersion(text: string): boolean {
  return VERSION.test(text)
}

/** The name in the URL of a file of this role. */
export function imageFileName(role: ImageRole, architecture: Image['architecture']): string {
  switch (role) {
    case 'kernel':
      return architecture === 'arm64' ? 'Image' : 'bzImage'
    case 'initrd':
      return 'initrd'
    case 'squashfs':
      return 'root.squashfs'
  }
}
