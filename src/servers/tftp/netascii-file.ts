import type { TftpFile } from './tftp-file.ts'

const LF = 0x0a
const CR = 0x0d

/** Files as netascii sends them, each converted once. */
export class NetasciiFiles {
  readonly #converted = new WeakMap<Uint8Array, TftpFile>()

  of(file: TftpFile): TftpFile {
    const known = this.#converted.get(file.bytes)
    if (known !== undefined) return known
    const converted = { name: file.name, bytes: netasciiOf(file.bytes) }
    this.#converted.set(file.bytes, converted)
    return converted
  }
}

/** LF becomes CR LF, CR becomes CR NUL (RFC 764). */
export function netasciiOf(bytes: Uint8Array): Uint8Array {
  let extra = 0
  for (const byte of bytes) if (byte === LF || byte === CR) extra += 1
  const out = new Uint8Array(bytes.length + extra)
  let at = 0
  for (const byte of bytes) {
    if (byte === LF) out[at++] = CR
    out[at++] = byte
    if (byte === CR) out[at++] = 0
  }
  return out
}
