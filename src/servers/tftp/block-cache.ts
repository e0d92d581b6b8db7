import { dataPacket } from '../../tftp/packet.ts'

/** A file that can be sent: loaders are small and stay in memory. */
export interface TftpFile {
  readonly name: string
  readonly bytes: Uint8Array
}

const MAX_CACHED_BYTES = 64 * 1024 * 1024

/** DATA packets made once per (file, block size), with their headers, and shared by every transfer of a storm. */
export class BlockCache {
  #packets = new Map<string, (Uint8Array | undefined)[]>()
  #bytes = 0

  /** The packet of a block, numbered from 1 without rollover. */
  packet(file: TftpFile, blockBytes: number, block: number): Uint8Array {
    const key = `${blockBytes} ${file.name}`
    let row = this.#packets.get(key)
    if (row === undefined) {
      row = []
      this.#packets.set(key, row)
    }
    const known = row[block]
    if (known !== undefined) return known
    const start = (block - 1) * blockBytes
    const packet = dataPacket(block & 0xffff, file.bytes.subarray(start, start + blockBytes))
    if (this.#bytes + packet.length > MAX_CACHED_BYTES) {
      this.#packets = new Map([[key, row]])
      this.#bytes = 0
    }
    this.#bytes += packet.length
    row[block] = packet
    return packet
  }
}
