import type { TftpFile } from './block-cache.ts'

const LF = 0x0a
const CR = 0x0d

/** The file as netascii sends it: LF becomes CR LF, CR becomes CR NUL (RFC 764). A name of its own keeps caches apart. */
export function netasciiOf(file: TftpFile): TftpFile {
  const extra = file.bytes.reduce((count, byte) => count + (byte === LF || byte === CR ? 1 : 0), 0)
  const bytes = new Uint8Array(file.bytes.length + extra)
  let at = 0
  for (const byte of file.bytes) {
    if (byte === LF) bytes[at++] = CR
    bytes[at++] = byte
    if (byte === CR) bytes[at++] = 0
  }
  return { name: `${file.name} (netascii)`, bytes }
}
