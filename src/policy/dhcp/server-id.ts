import type { DhcpPacket } from '../../dhcp/packet.ts'
import { relayAgentOf } from '../../dhcp/relay-agent.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { DhcpSnapshot } from './snapshot.ts'

/** True when option 54 of a client's message means this server: one of its addresses, or the relay that stands in. */
export function isOurServerId(snapshot: DhcpSnapshot, packet: DhcpPacket, serverId: Ipv4): boolean {
  return (
    serverId === snapshot.settings.serverAddress ||
    serverId === snapshot.subnet?.bootAddress ||
    serverId === relayAgentOf(packet)?.serverIdOverride ||
    serverId === snapshot.lease?.serverId ||
    snapshot.settings.otherAddresses?.includes(serverId) === true
  )
}
