import type { Mac } from '../../net/mac.ts'
import { PacketCells } from './packet-cells.ts'
import type { RecordedPacket } from './recorded-packet.ts'

const PACKETS_PER_MAC = 32
/** What all records together may take; MACs that were heard of longest ago give way. */
const KNOWN_BYTES = 12 * 1024 * 1024
const UNKNOWN_BYTES = 2 * 1024 * 1024
/** Cells of the largest datagram. */
const MOST_CELLS_OF_PACKET = PacketCells.cellsOf({ payload: new Uint8Array(0xffff) })

/** The packets of one MAC, by the number of their first cell, oldest first, and how many cells they take. */
interface MacRecord {
  readonly packets: number[]
  cells: number
}

/**
 * The last packets of every MAC, in memory: whatever a stranger floods the link with must not be written to a disk, and
 * a restart may forget it. Unknown MACs share a small part of their own, so that a flood drives out no machine's record.
 */
export class PacketRecorder {
  readonly #known = new Records(KNOWN_BYTES)
  readonly #unknown = new Records(UNKNOWN_BYTES)

  record(mac: Mac, isKnown: boolean, packet: RecordedPacket): void {
    const records = isKnown ? this.#known : this.#unknown
    records.add(mac, packet)
  }

  /** The packets of these MACs, oldest first. */
  packetsOf(macs: readonly Mac[]): readonly RecordedPacket[] {
    return macs
      .flatMap((mac) => [...this.#unknown.of(mac), ...this.#known.of(mac)])
      .sort((a, b) => a.atMs - b.atMs)
  }

  /** Bytes that all records take. */
  get bytes(): number {
    return this.#known.bytes + this.#unknown.bytes
  }
}

/** Two generations, as in `RecentMap`, that are measured in cells. */
class Records {
  readonly #cells: PacketCells
  readonly #mostYoungCells: number
  #young = new Map<Mac, MacRecord>()
  #old = new Map<Mac, MacRecord>()
  #youngCells = 0

  constructor(bytes: number) {
    this.#cells = new PacketCells(bytes)
    // Before each packet that many are free of each half, though it may come on top of a full record.
    this.#mostYoungCells = Math.floor(this.#cells.size / 2) - 2 * MOST_CELLS_OF_PACKET
  }

  get bytes(): number {
    return this.#cells.usedBytes
  }

  add(mac: Mac, packet: RecordedPacket): void {
    const record = this.#young.get(mac) ?? this.#moved(mac)
    if (record.packets.length === PACKETS_PER_MAC) this.#dropOldest(record)
    record.packets.push(this.#cells.write(packet))
    this.#grow(record, PacketCells.cellsOf(packet))
    while (record.cells > MOST_CELLS_OF_PACKET && record.packets.length > 1) this.#dropOldest(record)
    if (this.#youngCells >= this.#mostYoungCells) this.#turn()
  }

  of(mac: Mac): readonly RecordedPacket[] {
    const record = this.#young.get(mac) ?? this.#old.get(mac)
    return record?.packets.map((first) => this.#cells.read(first)) ?? []
  }

  /** The record of a MAC that was not heard of lately, now among the young. */
  #moved(mac: Mac): MacRecord {
    const record = this.#old.get(mac) ?? { packets: [], cells: 0 }
    this.#old.delete(mac)
    this.#young.set(mac, record)
    this.#youngCells += record.cells
    return record
  }

  #dropOldest(record: MacRecord): void {
    const oldest = record.packets.shift()
    if (oldest !== undefined) this.#grow(record, -this.#cells.free(oldest))
  }

  #turn(): void {
    for (const { packets } of this.#old.values()) for (const first of packets) this.#cells.free(first)
    this.#old = this.#young
    this.#young = new Map()
    this.#youngCells = 0
  }

  #grow(record: MacRecord, cells: number): void {
    record.cells += cells
    this.#youngCells += cells
  }
}
