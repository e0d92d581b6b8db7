import { subnetSelectionOf } from '../../dhcp/options.ts'
import { clientMac, type DhcpPacket, isRelayed } from '../../dhcp/packet.ts'
import { vendorArchitectureOf } from '../../dhcp/pxe.ts'
import { relayAgentOf } from '../../dhcp/relay-agent.ts'
import type { Subnet } from '../../model/subnet.ts'
import { formatCidr, type Ipv4 } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'
import { type BootClient, classifyClient, isBootable } from './classify-client.ts'
import type { DhcpDecision } from './dhcp-case.ts'
import { judgeAddress, reservationIn } from './judge-address.ts'
import { type DhcpRequest, requestedOf, withTrustedCiaddr } from './question.ts'
import { SHIPPED_QUIRKS } from './quirk-table.ts'
import { shapeFor } from './reply-shape.ts'
import type { DhcpSnapshot } from './snapshot.ts'

/** One thing that the answer was made from, in the order in which it counts. */
export interface ExplainStep {
  readonly rule: string
  readonly finding: string
}

/** Tells why a message was answered as it was: the rules in their order, each with what it found. */
export function explainDhcp(
  snapshot: DhcpSnapshot,
  request: DhcpRequest,
  decision: DhcpDecision,
): readonly ExplainStep[] {
  const packet = withTrustedCiaddr(request.packet)
  const mac = clientMac(packet)
  const { settings, subnet } = snapshot
  const steps: ExplainStep[] = [
    step('message', `${packet.messageType} from ${mac ?? 'no Ethernet address'} by ${arrivedBy(request)}`),
    step('subnet', subnetFinding(packet, request, subnet)),
    step('mode', modeFinding(settings.mode, subnet)),
  ]
  if (mac !== undefined) {
    const client = classifyClient(packet, settings.raspberryPiPrefixes)
    steps.push(step('machine', machineFinding(snapshot)))
    steps.push(step('client', clientFinding(client, packet)))
    const { quirks } = shapeFor(settings.quirks ?? SHIPPED_QUIRKS, packet, mac, client)
    if (quirks.length > 0) steps.push(step('quirks', quirks.join(', ')))
    if (subnet !== undefined && settings.mode === 'authoritative') {
      steps.push(...addressSteps(snapshot, subnet, mac, packet))
    }
  }
  const { reply, reason } = decision
  if (reply !== undefined && reply.packet.messageType !== 'nak')
    steps.push(step('boot file', bootFinding(decision)))
  steps.push(
    step(
      'answer',
      reply === undefined
        ? `silence: ${reason}`
        : `${reply.packet.messageType} to ${reply.address}:${reply.port}: ${reason}`,
    ),
  )
  return steps
}

function step(rule: string, finding: string): ExplainStep {
  return { rule, finding }
}

function arrivedBy({ packet, arrival }: DhcpRequest): string {
  if (isRelayed(packet)) return `the relay ${packet.giaddr}`
  return arrival.socket === 'pxe' ? 'port 4011' : arrival.socket
}

function subnetFinding(packet: DhcpPacket, { arrival }: DhcpRequest, subnet: Subnet | undefined): string {
  const { linkSelection } = relayAgentOf(packet) ?? {}
  const selected = subnetSelectionOf(packet)
  const by =
    linkSelection !== undefined
      ? `the relay selects ${linkSelection} (82.5)`
      : selected !== undefined
        ? `the client selects ${selected} (118)`
        : isRelayed(packet)
          ? `the relay's address ${packet.giaddr}`
          : arrival.socket === 'broadcast'
            ? 'the link that it arrived on'
            : `its address ${packet.ciaddr}, else the link that it arrived on`
  return subnet === undefined ? `none: ${by} is in no served subnet` : `${formatCidr(subnet.cidr)}: ${by}`
}

function modeFinding(mode: string, subnet: Subnet | undefined): string {
  return subnet?.dhcpMode === undefined ? mode : `${mode}, for this subnet`
}

function machineFinding({ machine, settings }: DhcpSnapshot): string {
  if (machine === undefined)
    return `nobody registered this MAC; unknown_machines is ${settings.unknownMachines}`
  return `${machine.name}, ${machine.state}`
}

function clientFinding(client: BootClient, packet: DhcpPacket): string {
  if (client.kind === 'unlisted') return `architecture ${client.code}, which is not in the registry`
  if (client.kind === 'plain') return 'no boot client: a lease and nothing else'
  const { architecture } = client
  const named = architecture === undefined ? 'no architecture' : `${architecture.code} ${architecture.name}`
  const claimed = vendorArchitectureOf(packet)
  const disagrees =
    claimed !== undefined && architecture !== undefined && claimed !== architecture.code
      ? `; option 60 says ${claimed}, option 93 counts`
      : ''
  return `${client.kind}, ${named}${disagrees}${isBootable(client) ? '' : ', boots nothing'}`
}

function addressSteps(
  snapshot: DhcpSnapshot,
  subnet: Subnet,
  mac: Mac,
  packet: DhcpPacket,
): readonly ExplainStep[] {
  const { lease, offer, poolCandidate } = snapshot
  const judged = (address: Ipv4 | undefined) =>
    address === undefined ? 'none' : `${address}: ${judgeAddress(snapshot, subnet, mac, address)}`
  const steps = [
    step('reservation', judged(reservationIn(snapshot, subnet))),
    step('running offer', judged(offer?.address)),
    step('lease, running or ended', judged(lease?.address)),
    step('asked for', judged(requestedOf(packet))),
  ]
  if (packet.messageType !== 'discover') return steps
  const pool = subnet.pool === undefined ? 'no pool' : `${subnet.pool.first}-${subnet.pool.last}`
  return [...steps, step('pool', `${pool}${poolCandidate === undefined ? '' : `, next is ${poolCandidate}`}`)]
}

function bootFinding({ reply }: DhcpDecision): string {
  if (reply === undefined) return ''
  const { packet, boot } = reply
  return packet.file === '' ? `${boot}: the field names none` : `${boot}: ${packet.file}`
}
