import { serverIdOf } from '../../dhcp/options.ts'
import type { Subnet } from '../../model/subnet.ts'
import { formatCidr } from '../../net/ipv4.ts'
import { type DhcpCase, type DhcpDecision, eventOf, silent } from './dhcp-case.ts'
import { isOurServerId } from './server-id.ts'

/**
 * RELEASE: the client gives its lease back (RFC 2131 §4.3.4). Never answered. The row stays, so that the machine gets
 * its old address again.
 */
export function decideRelease({ snapshot, request, mac }: DhcpCase, subnet: Subnet): DhcpDecision {
  const { packet } = request
  const serverId = serverIdOf(packet)
  if (serverId === undefined || !isOurServerId(snapshot, packet, serverId)) {
    return silent('another-server-chosen')
  }
  const { lease, nowMs } = snapshot
  if (lease?.state !== 'active' || lease.address !== packet.ciaddr) return silent('released-address-not-held')
  const key = formatCidr(subnet.cidr)
  return silent('lease-released', [
    { kind: 'release-lease', subnet: key, mac, atMs: nowMs },
    eventOf(snapshot, 'lease.released', { mac, address: lease.address, subnet: key }),
  ])
}
