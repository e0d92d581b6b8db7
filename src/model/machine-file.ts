/** A small file of one machine's own, put into its initial file system beside the image. No secrets: the boot side is open. */
export interface MachineFile {
  /** Relative to the root, `etc/rack-position`. */
  readonly path: string
  /** Permission bits, 0o644. */
  readonly mode: number
  readonly content: Uint8Array
}

export const MACHINE_FILE_LIMITS = { files: 64, fileBytes: 64 * 1024, totalBytes: 256 * 1024 } as const

const SEGMENT = /^[A-Za-z0-9._@+-]{1,100}$/
const MAX_SEGMENTS = 16
/** Directories that the kernel or stage 1 mounts over, or whose rights a file of ours must not change. */
const NOT_BELOW = new Set(['dev', 'proc', 'sys', 'run', 'tmp', 'root.squashfs', 'init'])

/** True for a plain relative path that neither climbs nor replaces what starts the system. */
export function isMachineFilePath(path: string): boolean {
  const segments = path.split('/')
  return (
    segments.length <= MAX_SEGMENTS &&
    segments.every((segment) => SEGMENT.test(segment) && segment !== '.' && segment !== '..') &&
    !NOT_BELOW.has(segments[0] ?? '')
  )
}
