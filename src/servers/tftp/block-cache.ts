import { dataPacket } from '../../tftp/packet.ts'

/** Smaller blocks are made anew each time: as objects of their own they would cost more than they hold. */
const MIN_CACHED_BLOCK_BYTES = 512
/** What an array costs beside its bytes, roughly. */
const OVERHEAD_BYTES = 200

type Row = (Uint8Array | undefined)[]

/**
 * DATA packets made once per (file, block size), with their headers, and shared by every transfer of a storm. Bounded:
 * a packet too many and the rows that were not asked for last are forgotten.
 */
export class BlockCache {
  readonly #maxBytes: number
  readonly #rows = new Map<Uint8Array, Map<number, Row>>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** The packet of a block, numbered from 1 without rollover. */
  packet(fileBytes: Uint8Array, blockBytes: number, block: number): Uint8Array {
    const start = (block - 1) * blockBytes
    if (blockBytes < MIN_CACHED_BLOCK_BYTES)
      return dataPacket(block & 0xffff, fileBytes.subarray(start, start + blockBytes))
    const row = this.#row(fileBytes, blockBytes)
    const known = row[block]
    if (known !== undefined) return known
    const packet = dataPacket(block & 0xffff, fileBytes.subarray(start, start + blockBytes))
    const cost = packet.length + OVERHEAD_BYTES
    if (this.#bytes + cost > this.#maxBytes) {
      this.#rows.clear()
      this.#bytes = 0
      if (cost > this.#maxBytes) return packet
      this.#row(fileBytes, blockBytes)[block] = packet
    } else {
      row[block] = packet
    }
    this.#bytes += cost
    return packet
  }

  /** What the packets that are kept cost. */
  get bytes(): number {
    return this.#bytes
  }

  #row(fileBytes: Uint8Array, blockBytes: number): Row {
    let ofFile = this.#rows.get(fileBytes)
    if (ofFile === undefined) {
      ofFile = new Map()
      this.#rows.set(fileBytes, ofFile)
    }
    let row = ofFile.get(blockBytes)
    if (row === undefined) {
      row = []
      ofFile.set(blockBytes, row)
    }
    return row
  }
}
