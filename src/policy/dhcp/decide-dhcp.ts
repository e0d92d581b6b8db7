import { clientMac } from '../../dhcp/packet.ts'
import type { Subnet } from '../../model/subnet.ts'
import { type Ipv4, UNSPECIFIED } from '../../net/ipv4.ts'
import { classifyClient } from './classify-client.ts'
import { decideDecline } from './decide-decline.ts'
import { decideDiscover } from './decide-discover.ts'
import { decideInform } from './decide-inform.ts'
import { decideProxyDiscover, decidePxeRequest, leaveToAddressServer } from './decide-proxy.ts'
import { decideRelease } from './decide-release.ts'
import { decideRequest } from './decide-request.ts'
import { type DhcpCase, type DhcpDecision, silent } from './dhcp-case.ts'
import { type DhcpRequest, withTrustedCiaddr } from './question.ts'
import { SHIPPED_QUIRKS } from './quirk-table.ts'
import { shapeFor } from './reply-shape.ts'
import type { DhcpSnapshot } from './snapshot.ts'

const FIRST_MULTICAST_NET = 224

/**
 * Answers one DHCP message, or decides to stay silent. The reply may leave once the durable effects are on disk; with
 * trace effects alone it leaves at once.
 */
export function decideDhcp(snapshot: DhcpSnapshot, request: DhcpRequest): DhcpDecision {
  const packet = withTrustedCiaddr(request.packet)
  const mac = clientMac(packet)
  if (mac === undefined) return silent('no-ethernet-address')
  const { mode, raspberryPiPrefixes, quirks = SHIPPED_QUIRKS } = snapshot.settings
  if (mode === 'off') return silent('dhcp-off')
  // Replies go to these two, and anybody can write them: no server of ours shouts at a multicast group for a stranger.
  if (!isZeroOrUnicast(packet.giaddr)) return silent('bad-relay-address')
  if (!isZeroOrUnicast(packet.ciaddr)) return silent('bad-client-address')
  const client = classifyClient(packet, raspberryPiPrefixes)
  const { shape } = shapeFor(quirks, packet, mac, client)
  const c: DhcpCase = { snapshot, request: { packet, arrival: request.arrival }, mac, client, shape }
  // Port 4011 answers in both modes: firmware asks there even when the offer named the file.
  if (request.arrival.socket === 'pxe') return decidePxeRequest(c)
  if (mode === 'proxy') {
    return packet.messageType === 'discover' ? decideProxyDiscover(c) : leaveToAddressServer(c)
  }
  return snapshot.subnet === undefined ? silent('no-subnet') : decideLeased(c, snapshot.subnet)
}

function isZeroOrUnicast(address: Ipv4): boolean {
  if (address === UNSPECIFIED) return true
  const first = Number.parseInt(address, 10)
  return first > 0 && first < FIRST_MULTICAST_NET
}

function decideLeased(c: DhcpCase, subnet: Subnet): DhcpDecision {
  switch (c.request.packet.messageType) {
    case 'discover':
      return decideDiscover(c, subnet)
    case 'request':
      return decideRequest(c, subnet)
    case 'decline':
      return decideDecline(c, subnet)
    case 'release':
      return decideRelease(c, subnet)
    case 'inform':
      return decideInform(c, subnet)
    case 'offer':
    case 'ack':
    case 'nak':
      return silent('not-a-client-message')
  }
}
