import { architectureOf } from '../../../model/architectures.ts'
import { type Case, type Cause, type Evidence, STUCK, times } from '../cause.ts'

/** What keeps a machine from an address and from knowing what to load. */
export const ADDRESS_CAUSES: readonly Cause[] = [
  {
    code: 'another-dhcp-server',
    title: 'another DHCP server on the link is chosen',
    when: STUCK,
    detect(c) {
      if (!isAt(c, 'offered')) return undefined
      const row = c.traces('dhcp', 'request:').find(({ facts }) => facts.other_server !== undefined)
      if (row === undefined) return undefined
      return {
        likelihood: 'certain',
        text: `OFFER sent, and the REQUEST names ${row.facts.other_server}, which offered too (${times(row.times)}, last xid ${row.facts.xid})`,
      }
    },
    cure: () =>
      'switch the other server off on this link, or let it keep the addresses: dhcp.mode proxy in pilotlight.yaml',
  },
  {
    code: 'request-refused',
    title: 'the address that the machine asks for is refused',
    when: STUCK,
    detect(c) {
      if (!isAt(c, 'offered') || hasAck(c)) return undefined
      const row = c.traces('dhcp', 'request:').find(({ facts }) => facts.answer === 'nak')
      if (row === undefined) return undefined
      return {
        likelihood: 'certain',
        text: `REQUEST answered with a NAK ${times(row.times)}: ${row.facts.reason}`,
      }
    },
    cure: () =>
      'pilotlight lease list shows who has the address; pilotlight machine edit NAME --address changes it',
  },
  {
    code: 'offer-unanswered',
    title: 'the OFFER does not reach the machine',
    when: STUCK,
    detect(c) {
      if (!isAt(c, 'offered') || c.traces('dhcp', 'request:').length > 0) return undefined
      const offers = c.traces('dhcp', 'discover:').filter(({ facts }) => facts.answer === 'offer')
      const [last] = offers.slice(-1)
      if (last === undefined) return undefined
      const count = offers.reduce((sum, row) => sum + row.times, 0)
      const via =
        last.facts.relay === undefined ? 'broadcast on the link' : `through the relay ${last.facts.relay}`
      return {
        likelihood: 'likely',
        text: `OFFER of ${last.facts.address} sent ${times(count)} ${via} (last xid ${last.facts.xid}), no REQUEST came`,
      }
    },
    cure: (c) =>
      c.traces('dhcp', 'discover:').some(({ facts }) => facts.relay !== undefined)
        ? 'check that the relay passes replies from this server, and that its giaddr can be reached: ping it'
        : 'let the switch pass broadcasts from this server’s port (DHCP snooping: make it a trusted port)',
  },
  {
    code: 'loader-missing',
    title: 'the loader for this architecture is not installed',
    when: STUCK,
    detect(c) {
      const rows = c.traces('dhcp').filter(({ facts }) => NO_LOADER.has(String(facts.boot)))
      const [last] = rows.slice(-1)
      if (last === undefined || hasLoader(c)) return undefined
      const code = c.snapshot.records?.attempt.architecture
      const architecture = code === undefined ? undefined : architectureOf(code)
      const loader = c.snapshot.machine.loader ?? architecture?.loader
      const wanted = loader === undefined ? 'no loader is known for it' : `${loader} is wanted`
      return {
        likelihood: 'certain',
        text: `architecture ${code ?? 'unknown'} (${architecture?.name ?? 'not in the list'}): ${wanted}, and the reply names no boot file (${last.facts.boot})`,
      }
    },
    cure: () =>
      'pilotlight assets install, or with --from DIR where DIR holds an iPXE for it; then start the server again',
  },
]

const NO_LOADER = new Set(['loader-missing', 'no-loader-for-architecture', 'unknown-architecture'])

function hasAck(c: Case): boolean {
  return c.traces('dhcp', 'request:').some(({ facts }) => facts.answer === 'ack')
}

function hasLoader(c: Case): boolean {
  return c.traces('tftp', 'loader:').length > 0 || c.traces('http', 'loader:').length > 0
}

function isAt(c: Case, ...stages: readonly string[]): boolean {
  return stages.includes(c.situation.stage ?? '')
}

/** A machine that is armed and not seen. */
export const UNSEEN_CAUSE: Cause = {
  code: 'no-boot-packet',
  title: 'no boot packet of this machine arrives',
  when: ['unseen'],
  detect({ snapshot: { machine } }): Evidence {
    return {
      likelihood: 'possible',
      text: `it is armed, and no DHCP message to boot came from ${machine.macs.join(', ')}`,
    }
  },
  cure: () =>
    'switch it on with network boot first; if it is on: check cable, VLAN and DHCP relay, and that this is the MAC of its boot port',
}
