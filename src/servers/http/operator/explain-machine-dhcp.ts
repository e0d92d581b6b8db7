import type { Machine } from '../../../model/machine.ts'
import type { Subnet } from '../../../model/subnet.ts'
import { cidrContains, formatCidr, UNSPECIFIED } from '../../../net/ipv4.ts'
import type { Mac } from '../../../net/mac.ts'
import { composeRequest } from '../../../policy/dhcp/compose-request.ts'
import type { ExplainStep } from '../../../policy/dhcp/explain-dhcp.ts'
import type { DhcpRequest } from '../../../policy/dhcp/question.ts'
import type { DhcpPlace } from '../../dhcp/dhcp-place.ts'
import { simulateDhcp } from '../../dhcp/simulate-dhcp.ts'
import type { ExplainSection } from './explain-section.ts'
import type { OperatorContext } from './operator-context.ts'

const UEFI_X64 = 7

/**
 * What a DISCOVER of the machine's boot port would get now: as its firmware last sent it, else as x64 UEFI would; on the
 * link of its reservation or last lease, or through the relay of that subnet.
 */
export function explainMachineDhcp(context: OperatorContext, machine: Machine): ExplainSection {
  const { store } = context
  const [mac] = machine.macs
  const where = mac === undefined ? undefined : whereIs(context, machine, mac)
  if (mac === undefined || where === undefined) {
    return { section: 'dhcp', summary: 'the machine has no MAC', steps: [] }
  }
  const attempt = store.peek((view) => view.attempts.latestOf(machine.id))
  const architecture = attempt?.architecture ?? UEFI_X64
  const { place, relay } = where
  const request: DhcpRequest = {
    packet: composeRequest({
      mac,
      messageType: 'discover',
      architecture,
      ...(relay === undefined ? {} : { giaddr: relay }),
    }),
    arrival:
      relay === undefined
        ? { socket: 'broadcast', sourceAddress: UNSPECIFIED, sourcePort: 68 }
        : { socket: 'unicast', sourceAddress: relay, sourcePort: 67 },
  }
  const { decision, steps } = simulateDhcp(store, place, request)
  const { reply, reason } = decision
  const as =
    attempt?.architecture === undefined ? 'x64 UEFI' : `architecture ${architecture}, as in its last boot,`
  const by = relay === undefined ? `on ${place.interface ?? place.address}` : `through the relay ${relay}`
  const summary =
    reply === undefined
      ? `DHCP would stay silent: ${reason}`
      : `DHCP would offer ${reply.packet.yiaddr}, ${reply.packet.file === '' ? `no boot file (${reply.boot})` : reply.packet.file}`
  return {
    section: 'dhcp',
    summary,
    steps: [{ rule: 'asked', finding: `a DISCOVER of ${as} ${by}` }, ...steps, ...foreignSteps(store)],
  }
}

/** The link that the machine is on, as far as its reservation or its leases show; else the first. */
function whereIs({ store, places, subnets }: OperatorContext, machine: Machine, mac: Mac) {
  const leases = store.peek((view) => view.leases.ofMac(mac))
  const latest = [...leases].sort((a, b) => b.expiresAtMs - a.expiresAtMs)[0]
  const isIts = ({ cidr }: Subnet) =>
    machine.reservedAddress === undefined
      ? formatCidr(cidr) === latest?.subnet
      : cidrContains(cidr, machine.reservedAddress)
  const subnet = subnets.find(isIts)
  const [first] = places
  if (first === undefined) return undefined
  if (subnet === undefined) return { place: first, relay: undefined }
  const onLink = places.find(({ address }: DhcpPlace) => cidrContains(subnet.cidr, address))
  return onLink === undefined
    ? { place: first, relay: subnet.router ?? subnet.cidr.network }
    : { place: onLink, relay: undefined }
}

function foreignSteps(store: OperatorContext['store']): readonly ExplainStep[] {
  return store
    .peek((view) => view.recent.foreignServers())
    .map(({ serverId, message, offered, mac, seenAtMs, hasBootData }) => ({
      rule: 'another DHCP server',
      finding: `${serverId} sent ${message} ${offered} to ${mac} at ${new Date(seenAtMs).toISOString()}${hasBootData ? ', with boot data of its own' : ''}`,
    }))
}
