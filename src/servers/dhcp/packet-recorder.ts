import type { Mac } from '../../net/mac.ts'
import type { UdpDatagram } from '../../net/udp-datagram.ts'

/** A datagram that was received from a client, or sent to it. */
export interface RecordedPacket extends UdpDatagram {
  readonly atMs: number
  readonly direction: 'received' | 'sent'
}

const PACKETS_PER_MAC = 32
/** What all records together may take; MACs that were heard of longest ago give way. */
const KNOWN_BYTES = 12 * 1024 * 1024
const UNKNOWN_BYTES = 2 * 1024 * 1024
/** What a record takes beside its payload. */
const RECORD_BYTES = 200

/**
 * A packet as it is kept: its payload as text, a character a byte. A datagram that Node hands over lies at the head of
 * 64 KiB of its own, and while it is kept the rest of them is of no use to anybody; text lies close.
 */
interface KeptPacket extends Omit<RecordedPacket, 'payload'> {
  readonly text: string
}

interface MacRecord {
  readonly packets: KeptPacket[]
  bytes: number
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
      .map(({ text, ...packet }) => ({ ...packet, payload: Buffer.from(text, 'latin1') }))
  }

  /** Bytes that all records take. */
  get bytes(): number {
    return this.#known.bytes + this.#unknown.bytes
  }
}

/** Two generations, as in `RecentMap`, that are measured in bytes. */
class Records {
  readonly #mostYoungBytes: number
  #young = new Map<Mac, MacRecord>()
  #old = new Map<Mac, MacRecord>()
  #youngBytes = 0
  #oldBytes = 0

  constructor(mostBytes: number) {
    this.#mostYoungBytes = mostBytes / 2
  }

  get bytes(): number {
    return this.#youngBytes + this.#oldBytes
  }

  add(mac: Mac, { payload, ...packet }: RecordedPacket): void {
    const record = this.#young.get(mac) ?? this.#moved(mac)
    record.packets.push({ ...packet, text: textOf(payload) })
    this.#grow(record, payload.length + RECORD_BYTES)
    if (record.packets.length > PACKETS_PER_MAC) {
      const oldest = record.packets.shift()
      if (oldest !== undefined) this.#grow(record, -(oldest.text.length + RECORD_BYTES))
    }
    if (this.#youngBytes < this.#mostYoungBytes) return
    this.#old = this.#young
    this.#oldBytes = this.#youngBytes
    this.#young = new Map()
    this.#youngBytes = 0
  }

  of(mac: Mac): readonly KeptPacket[] {
    return (this.#young.get(mac) ?? this.#old.get(mac))?.packets ?? []
  }

  /** The record of a MAC that was not heard of lately, now among the young. */
  #moved(mac: Mac): MacRecord {
    const record = this.#old.get(mac) ?? { packets: [], bytes: 0 }
    if (this.#old.delete(mac)) this.#oldBytes -= record.bytes
    this.#young.set(mac, record)
    this.#youngBytes += record.bytes
    return record
  }

  #grow(record: MacRecord, bytes: number): void {
    record.bytes += bytes
    this.#youngBytes += bytes
  }
}

function textOf({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString('latin1')
}
