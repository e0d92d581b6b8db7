import type { Image } from './image.ts'

/** How many bytes of a file's beginning the checks below look at. */
export const MAGIC_BYTES = 1024

/** Offsets of the x86 boot protocol (Linux Documentation/arch/x86/boot.rst). */
const BOOT_FLAG = 0x1fe
const HEADER = 0x202
const PROTOCOL_VERSION = 0x206
const XLOADFLAGS = 0x236
const XLF_KERNEL_64 = 1

/** Offset of "ARM\x64" (Linux Documentation/arch/arm64/booting.rst). */
const ARM64_MAGIC = 0x38

/** Beginnings of an initrd: newc cpio, with or without checksums, or any compression that Linux unpacks one from. */
const INITRD_MAGICS: readonly string[] = [
  '070701',
  '070702',
  '\x1f\x8b', // gzip
  '\x28\xb5\x2f\xfd', // zstd
  '\xfd7zXZ\x00', // xz
  '\x02\x21\x4c\x18', // lz4, the old framing, which is the kernel's
  'BZh',
  '\x5d\x00\x00', // lzma
  '\x89LZO',
]

/**
 * The architecture of a kernel by the magic numbers of its own boot protocol: what a file is called proves nothing.
 * `x86-32-bit` is a bzImage without a 64-bit entry; undefined is no kernel that we can boot.
 */
export function kernelArchitecture(head: Uint8Array): Image['architecture'] | 'x86-32-bit' | undefined {
  if (begins(head, HEADER, 'HdrS') && begins(head, BOOT_FLAG, '\x55\xaa')) {
    const isOld = word(head, PROTOCOL_VERSION) < 0x020c
    return isOld || (word(head, XLOADFLAGS) & XLF_KERNEL_64) === 0 ? 'x86-32-bit' : 'x86_64'
  }
  return begins(head, ARM64_MAGIC, 'ARM\x64') ? 'arm64' : undefined
}

/** True when the file begins as an initrd does; an error page that was saved under its name does not. */
export function isInitrd(head: Uint8Array): boolean {
  return INITRD_MAGICS.some((magic) => begins(head, 0, magic))
}

/** A squashfs, little-endian: "hsqs". */
export function isSquashfs(head: Uint8Array): boolean {
  return begins(head, 0, 'hsqs')
}

function begins(head: Uint8Array, at: number, magic: string): boolean {
  if (head.length < at + magic.length) return false
  for (let index = 0; index < magic.length; index += 1) {
    if (head[at + index] !== magic.charCodeAt(index)) return false
  }
  return true
}

function word(head: Uint8Array, at: number): number {
  return (head[at] ?? 0) | ((head[at + 1] ?? 0) << 8)
}
