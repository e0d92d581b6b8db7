import type { UdpDatagram } from '../../net/udp-datagram.ts'

/** A datagram that was received from a client, or sent to it. */
export interface RecordedPacket extends UdpDatagram {
  readonly atMs: number
  readonly direction: 'received' | 'sent'
}
