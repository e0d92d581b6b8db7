import { decode } from '../../src/dhcp/decode.ts'
import { encode } from '../../src/dhcp/encode.ts'
import { addressesValue } from '../../src/dhcp/options.ts'
import { chaddrOf, type DhcpPacket, type MessageType, packetOf } from '../../src/dhcp/packet.ts'
import { allArchitectures } from '../../src/model/architectures.ts'
import type { BootAttempt } from '../../src/model/boot-attempt.ts'
import type { Lease, Offer } from '../../src/model/lease.ts'
import type { Machine } from '../../src/model/machine.ts'
import type { Subnet } from '../../src/model/subnet.ts'
import { fromHex, textBytes, toHex } from '../../src/net/bytes.ts'
import {
  formatCidr,
  type Ipv4,
  ipv4FromNumber,
  ipv4ToNumber,
  parseCidr,
  parseIpv4Range,
} from '../../src/net/ipv4.ts'
import type { Mac } from '../../src/net/mac.ts'
import { needsPoolCandidate } from '../../src/policy/dhcp/choose-address.ts'
import { decideDhcp } from '../../src/policy/dhcp/decide-dhcp.ts'
import type { DhcpDecision } from '../../src/policy/dhcp/dhcp-case.ts'
import {
  type Arrival,
  addressesToRead,
  type DhcpRequest,
  questionOf,
} from '../../src/policy/dhcp/question.ts'
import type { AddressFacts, DhcpSettings, DhcpSnapshot } from '../../src/policy/dhcp/snapshot.ts'
import type { Effect } from '../../src/policy/effect.ts'
import { vector } from './dhcp-vectors.ts'

export const S = '192.0.2.1' as Ipv4
export const NOW_MS = 1_800_000_000_000

export const mac = (last: number): Mac => `02:00:00:00:00:${last.toString(16).padStart(2, '0')}` as Mac
export const ip = (text: string): Ipv4 => text as Ipv4

export function subnetOf(cidr: string, changes: Partial<Subnet> = {}): Subnet {
  return { cidr: parseCidr(cidr)!, dns: [], ntp: [], leaseSeconds: 3600, ...changes }
}

/** The subnets that the expected replies of the vectors assume. */
export const LOCAL = subnetOf('192.0.2.0/24', {
  pool: parseIpv4Range('192.0.2.100-192.0.2.199')!,
  router: ip('192.0.2.254'),
  dns: [ip('192.0.2.53')],
})
export const REMOTE = subnetOf('203.0.113.0/24', { router: ip('203.0.113.254') })

export function machineOf(last: number, changes: Partial<Machine> = {}): Machine {
  return {
    id: `machine-${last}`,
    name: `node${last}`,
    macs: [mac(last)],
    role: 'worker',
    state: 'armed',
    bootMode: 'netboot',
    localBoot: 'exit',
    createdAtMs: 0,
    ...changes,
  }
}

export function settingsOf(changes: Partial<DhcpSettings> = {}): DhcpSettings {
  const loaders = allArchitectures().map((one) => one.loader)
  return {
    mode: 'authoritative',
    unknownMachines: 'ignore',
    serverAddress: S,
    bootUrl: 'http://192.0.2.1:8080',
    loaders: new Set([...loaders.filter((name) => name !== undefined), 'ipxe.pxe']),
    ...changes,
  }
}

export function leaseOf(last: number, address: string, changes: Partial<Lease> = {}): Lease {
  return {
    subnet: formatCidr(LOCAL.cidr),
    mac: mac(last),
    address: ip(address),
    state: 'active',
    grantedAtMs: NOW_MS - 60_000,
    expiresAtMs: NOW_MS + 600_000,
    ...changes,
  }
}

export function offerOf(last: number, address: string, changes: Partial<Offer> = {}): Offer {
  return {
    subnet: formatCidr(LOCAL.cidr),
    mac: mac(last),
    address: ip(address),
    expiresAtMs: NOW_MS + 60_000,
    ...changes,
  }
}

export const BROADCAST_ARRIVAL: Arrival = {
  socket: 'broadcast',
  sourceAddress: ip('0.0.0.0'),
  sourcePort: 68,
}

export function arrivalFrom(sourceAddress: string, changes: Partial<Arrival> = {}): Arrival {
  return { socket: 'unicast', sourceAddress: ip(sourceAddress), sourcePort: 68, ...changes }
}

/** The arrival of a datagram, by its ends: `0.0.0.0:68` and `255.255.255.255:67`. */
export function arrivalOf(from: string, to: string): Arrival {
  const [sourceAddress = '', sourcePort] = from.split(':')
  const [destination, port] = to.split(':')
  const socket = port === '4011' ? 'pxe' : destination === '255.255.255.255' ? 'broadcast' : 'unicast'
  return { socket, sourceAddress: ip(sourceAddress), sourcePort: Number(sourcePort) }
}

export function requestFrom(bytes: Uint8Array, arrival: Arrival = BROADCAST_ARRIVAL): DhcpRequest {
  const decoded = decode(bytes)
  if (!decoded.ok) throw new Error(`no request: ${decoded.reason}`)
  return { packet: decoded.packet, arrival }
}

export function vectorRequest(name: string, arrival: Arrival = BROADCAST_ARRIVAL): DhcpRequest {
  return requestFrom(vector(name), arrival)
}

export interface ClientFields {
  readonly messageType: MessageType
  /** Last byte of the MAC 02:00:00:00:00:xx. */
  readonly last: number
  readonly ciaddr?: string
  readonly giaddr?: string
  readonly flags?: number
  /** Options in hex by code; 50 and 54 may be written as addresses. */
  readonly options?: Readonly<Record<number, string>>
}

/** A client's message as the server gets it, through the codec and back. */
export function clientRequest(fields: ClientFields, arrival: Arrival = BROADCAST_ARRIVAL): DhcpRequest {
  const { messageType, last, flags = 0 } = fields
  const options = Object.entries(fields.options ?? {}).map(([code, text]): [number, Uint8Array] => [
    Number(code),
    text.includes('.') ? addressesValue([ip(text)]) : fromHex(text)!,
  ])
  const packet = packetOf({
    op: 1,
    messageType,
    xid: 0x1234,
    flags,
    ciaddr: ip(fields.ciaddr ?? '0.0.0.0'),
    giaddr: ip(fields.giaddr ?? '0.0.0.0'),
    chaddr: chaddrOf(mac(last)),
    options: new Map(options),
  })
  return requestFrom(encode(packet), arrival)
}

/** Text as an option's hex. */
export const hexOf = (text: string): string => toHex(textBytes(text))

/** The reply of a decision, decoded again as a client would. */
export function replyOf(decision: DhcpDecision): DhcpPacket {
  if (decision.reply === undefined) throw new Error(`no reply: ${decision.reason}`)
  const decoded = decode(decision.reply.bytes, 'reply')
  if (!decoded.ok) throw new Error(`no DHCP reply: ${decoded.reason}`)
  return decoded.packet
}

/**
 * A store of plain arrays: it answers what decisions ask and carries out what they decide, without SQL. It stands for
 * "any store that obeys the snapshot's docstrings".
 */
export class DhcpWorld {
  settings = settingsOf()
  subnets: readonly Subnet[] = [LOCAL, REMOTE]
  machines: Machine[] = [
    machineOf(1, { reservedAddress: ip('192.0.2.50') }),
    machineOf(2, { reservedAddress: ip('192.0.2.51') }),
    machineOf(3),
    machineOf(4, { reservedAddress: ip('203.0.113.60') }),
  ]
  leases: Lease[] = []
  offers: Offer[] = []
  attempts: BootAttempt[] = []
  quarantines: { subnet: string; address: Ipv4; mac: Mac; untilMs: number }[] = []
  nowMs = NOW_MS
  /** What goes into every snapshot on top, whatever the arrays say. */
  extra: Partial<DhcpSnapshot> = {}
  readonly events: string[] = []
  #random = 0

  decide(request: DhcpRequest): DhcpDecision {
    return decideDhcp(this.read(request), request)
  }

  /** Decides and carries out. */
  handle(request: DhcpRequest): DhcpDecision {
    const decision = this.decide(request)
    for (const effect of decision.effects) this.#carryOut(effect)
    return decision
  }

  read(request: DhcpRequest): DhcpSnapshot {
    const question = questionOf(request, this.subnets, this.settings.serverAddress)
    const { mac, subnet } = question
    const key = subnet === undefined ? '' : formatCidr(subnet.cidr)
    const machine = this.machines.find((one) => mac !== undefined && one.macs.includes(mac))
    const lease = this.leases.find((one) => one.subnet === key && one.mac === mac)
    const offer = this.offers.find((one) => one.subnet === key && one.mac === mac)
    this.#random += 1
    const snapshot: DhcpSnapshot = {
      nowMs: this.nowMs,
      freshBytes: new Uint8Array(32).map((_, index) => this.#random * 7 + index),
      settings: this.settings,
      subnet,
      machine,
      lease,
      offer,
      addresses: addressesToRead(question, machine, lease, offer).map((one) => this.#facts(key, one)),
      latestAttempt: this.attempts.findLast((one) => one.machineId === machine?.id),
      declinesInForce: this.quarantines.filter((one) => one.mac === mac && one.untilMs > this.nowMs).length,
      ...this.extra,
    }
    if (mac === undefined || !needsPoolCandidate(snapshot, request, mac)) return snapshot
    return { ...snapshot, poolCandidate: this.#freeInPool(subnet!, key) }
  }

  #facts(key: string, address: Ipv4): AddressFacts {
    const here = (one: { subnet: string; address: Ipv4 }) => one.subnet === key && one.address === address
    return {
      address,
      reservedFor: this.machines.find((one) => one.reservedAddress === address)?.id,
      lease: this.leases.filter(here).sort((a, b) => b.expiresAtMs - a.expiresAtMs)[0],
      offer: this.offers.filter(here).sort((a, b) => b.expiresAtMs - a.expiresAtMs)[0],
      quarantinedUntilMs: this.quarantines.find(here)?.untilMs,
    }
  }

  #freeInPool(subnet: Subnet, key: string): Ipv4 | undefined {
    const { pool } = subnet
    if (pool === undefined) return undefined
    for (let value = ipv4ToNumber(pool.first); value <= ipv4ToNumber(pool.last); value += 1) {
      const facts = this.#facts(key, ipv4FromNumber(value))
      const isTaken =
        facts.reservedFor !== undefined ||
        (facts.lease?.state === 'active' && facts.lease.expiresAtMs > this.nowMs) ||
        (facts.offer?.expiresAtMs ?? 0) > this.nowMs ||
        (facts.quarantinedUntilMs ?? 0) > this.nowMs
      if (!isTaken) return facts.address
    }
    return undefined
  }

  #carryOut(effect: Effect): void {
    const other = (a: { subnet: string; mac: Mac }) => (b: { subnet: string; mac: Mac }) =>
      a.subnet !== b.subnet || a.mac !== b.mac
    switch (effect.kind) {
      case 'put-offer':
        this.offers = [...this.offers.filter(other(effect.offer)), effect.offer]
        break
      case 'drop-offer':
        this.offers = this.offers.filter(other(effect))
        break
      case 'put-lease':
        this.leases = [...this.leases.filter(other(effect.lease)), effect.lease]
        break
      case 'release-lease':
        this.leases = this.leases.map((one) => (other(effect)(one) ? one : { ...one, state: 'released' }))
        break
      case 'quarantine-address':
        this.quarantines.push(effect)
        break
      case 'discover-machine':
        this.machines.push(machineOf(0, { id: effect.machineId, macs: [effect.mac], state: 'discovered' }))
        break
      case 'begin-attempt':
        this.attempts.push(effect.attempt)
        break
      case 'overhear-address':
        break
      case 'append-event':
        this.events.push(effect.event.type)
        break
      case 'note-told':
        break
      case 'reach-stage':
      case 'heard-from':
        this.attempts = this.attempts.map((one) =>
          one.bootId === effect.bootId ? { ...one, heardAtMs: effect.atMs } : one,
        )
        break
      default:
        throw new Error(`DHCP decided an effect of somebody else: ${effect.kind}`)
    }
  }
}
