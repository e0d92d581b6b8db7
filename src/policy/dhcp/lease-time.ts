import { leaseSecondsOf } from '../../dhcp/options.ts'
import type { DhcpPacket } from '../../dhcp/packet.ts'
import type { Subnet } from '../../model/subnet.ts'
import { type BootClient, isBootable } from './classify-client.ts'

/** Loaders never renew: their lease must outlast firmware, iPXE and the download of an image. */
const BOOT_FLOOR_SECONDS = 600
const FLOOR_SECONDS = 120

/** Seconds to lease for: the subnet's, or less where the client asks for less (option 51), down to a floor. */
export function leaseSecondsFor(subnet: Subnet, packet: DhcpPacket, client: BootClient): number {
  const asked = leaseSecondsOf(packet)
  if (asked === undefined) return subnet.leaseSeconds
  const floor = isBootable(client) ? BOOT_FLOOR_SECONDS : FLOOR_SECONDS
  return Math.min(subnet.leaseSeconds, Math.max(asked, floor))
}
