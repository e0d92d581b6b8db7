import { putAddress } from '../../dhcp/address-bytes.ts'
import { ipv4FromBytes } from '../../net/ipv4.ts'
import type { RecordedPacket } from './recorded-packet.ts'

/** A minimal DHCP message takes one, most others two. */
const CELL_BYTES = 384
/** The number of the cell where the packet goes on; -1: it ends here. The fields after it stand in its first cell alone. */
const NEXT_AT = 0
const TIME_AT = 4
const LENGTH_AT = 12
const DIRECTION_AT = 14
const SOURCE_AT = 16
const DESTINATION_AT = 20
const SOURCE_PORT_AT = 24
const DESTINATION_PORT_AT = 26
const PAYLOAD_AT = 28
const CELL_PAYLOAD_BYTES = CELL_BYTES - PAYLOAD_AT

/**
 * Packets in a memory of their own, cut into cells: a packet that is kept as objects would be copied by each garbage
 * collection on the way to its old age, and every packet is kept.
 */
export class PacketCells {
  readonly #memory: Uint8Array
  readonly #view: DataView
  /** Numbers of the cells that are free; the last of them is taken next. */
  readonly #free: Int32Array
  #freeCount: number

  /** @param bytes what all cells take together; the system gives it page by page, as they are written. */
  constructor(bytes: number) {
    const cells = Math.floor(bytes / CELL_BYTES)
    const memory = Buffer.allocUnsafeSlow(cells * CELL_BYTES)
    this.#memory = memory
    this.#view = new DataView(memory.buffer)
    this.#free = Int32Array.from({ length: cells }, (_, index) => cells - 1 - index)
    this.#freeCount = cells
  }

  /** How many cells there are. */
  get size(): number {
    return this.#free.length
  }

  /** Bytes of the cells that hold something. */
  get usedBytes(): number {
    return (this.#free.length - this.#freeCount) * CELL_BYTES
  }

  /** How many cells a packet takes. */
  static cellsOf({ payload }: Pick<RecordedPacket, 'payload'>): number {
    return Math.max(1, Math.ceil(payload.length / CELL_PAYLOAD_BYTES))
  }

  /** Writes a packet into free cells and gives the number of its first; too few of them is a bug. */
  write(packet: RecordedPacket): number {
    const { payload } = packet
    const first = this.#take()
    const at = first * CELL_BYTES
    const view = this.#view
    view.setFloat64(at + TIME_AT, packet.atMs)
    view.setUint16(at + LENGTH_AT, payload.length)
    view.setUint8(at + DIRECTION_AT, packet.direction === 'sent' ? 1 : 0)
    putAddress(this.#memory, at + SOURCE_AT, packet.source)
    putAddress(this.#memory, at + DESTINATION_AT, packet.destination)
    view.setUint16(at + SOURCE_PORT_AT, packet.sourcePort)
    view.setUint16(at + DESTINATION_PORT_AT, packet.destinationPort)
    let cell = first
    let written = 0
    for (;;) {
      const isLast = payload.length - written <= CELL_PAYLOAD_BYTES
      const part = isLast && written === 0 ? payload : payload.subarray(written, written + CELL_PAYLOAD_BYTES)
      this.#memory.set(part, cell * CELL_BYTES + PAYLOAD_AT)
      written += part.length
      const next = isLast ? -1 : this.#take()
      view.setInt32(cell * CELL_BYTES + NEXT_AT, next)
      if (next < 0) return first
      cell = next
    }
  }

  /** The packet whose first cell this is. */
  read(first: number): RecordedPacket {
    const view = this.#view
    const at = first * CELL_BYTES
    const payload = new Uint8Array(view.getUint16(at + LENGTH_AT))
    for (let cell = first, read = 0; cell >= 0; cell = view.getInt32(cell * CELL_BYTES + NEXT_AT)) {
      const start = cell * CELL_BYTES + PAYLOAD_AT
      const length = Math.min(payload.length - read, CELL_PAYLOAD_BYTES)
      payload.set(this.#memory.subarray(start, start + length), read)
      read += length
    }
    return {
      atMs: view.getFloat64(at + TIME_AT),
      direction: view.getUint8(at + DIRECTION_AT) === 1 ? 'sent' : 'received',
      source: ipv4FromBytes(this.#memory, at + SOURCE_AT),
      sourcePort: view.getUint16(at + SOURCE_PORT_AT),
      destination: ipv4FromBytes(this.#memory, at + DESTINATION_AT),
      destinationPort: view.getUint16(at + DESTINATION_PORT_AT),
      payload,
    }
  }

  /** Gives the cells of a packet back; says how many they were. */
  free(first: number): number {
    let count = 0
    for (let cell = first; cell >= 0; cell = this.#view.getInt32(cell * CELL_BYTES + NEXT_AT)) {
      this.#free[this.#freeCount] = cell
      this.#freeCount += 1
      count += 1
    }
    return count
  }

  #take(): number {
    this.#freeCount -= 1
    const cell = this.#free[this.#freeCount]
    if (cell === undefined) throw new Error('no cell is free: too little was given back before')
    return cell
  }
}
