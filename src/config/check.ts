import { isIPv4 } from 'node:net'
import type { NetworkInterfaceInfo } from 'node:os'
import type { Subnet } from '../model/subnet.ts'
import { cidrContains, formatCidr, type Ipv4, isHostAddress, networkOf, rangeContains } from '../net/ipv4.ts'
import type { Complaint } from './messages.ts'

/** This machine's interfaces, as `os.networkInterfaces()` gives them. */
export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>

/** A subnet with the places of its keys in the file. */
export interface PlacedSubnet {
  readonly subnet: Subnet
  /** Its place in the file's list. */
  readonly index: number
  where(key: string): string
}

/** What cannot be true together within the subnets. */
export function checkSubnets(placed: readonly PlacedSubnet[], serverAddress: Ipv4): Complaint[] {
  return placed.flatMap((one, place) => [
    ...checkOne(one, serverAddress),
    ...placed.slice(0, place).flatMap((other) => checkOverlap(one, other)),
  ])
}

function checkOne({ subnet, index, where }: PlacedSubnet, serverAddress: Ipv4): Complaint[] {
  const { cidr, pool, router } = subnet
  const complaints: Complaint[] = []
  const say = (key: string, got: string, want: string, cure?: string) =>
    complaints.push({
      where: where(key),
      key: `subnets[${index}].${key}`,
      got,
      want,
      ...(cure === undefined ? {} : { cure }),
    })
  if (pool !== undefined) {
    const shownPool = `${pool.first}-${pool.last}`
    if (!isHostAddress(cidr, pool.first) || !isHostAddress(cidr, pool.last)) {
      say('pool', shownPool, `host addresses of ${formatCidr(cidr)}`)
    }
    if (rangeContains(pool, serverAddress)) {
      say(
        'pool',
        shownPool,
        `a range without this server's own address ${serverAddress}`,
        'it would be leased to a machine',
      )
    }
    if (router !== undefined && rangeContains(pool, router)) {
      say('pool', shownPool, `a range without the router ${router}`, 'it would be leased to a machine')
    }
  }
  if (router !== undefined && !isHostAddress(cidr, router))
    say('router', router, `a host address of ${formatCidr(cidr)}`)
  return complaints
}

function checkOverlap(one: PlacedSubnet, other: PlacedSubnet): Complaint[] {
  const a = one.subnet.cidr
  const b = other.subnet.cidr
  const bits = Math.min(a.prefixBits, b.prefixBits)
  if (networkOf(a.network, bits) !== networkOf(b.network, bits)) return []
  const want = `a network apart from ${formatCidr(b)}`
  return [
    {
      where: one.where('cidr'),
      key: `subnets[${one.index}].cidr`,
      got: formatCidr(a),
      want,
      cure: 'a machine would be in both',
    },
  ]
}

/** The provisioning address must be on this machine, and in a subnet when addresses are leased on its own link. */
export function checkAddress(
  serverAddress: Ipv4,
  where: (key: 'interface' | 'server_address') => string,
  interfaces: Interfaces,
  interfaceName: string | undefined,
  stated: Ipv4 | undefined,
): Complaint[] {
  const all = Object.entries(interfaces).flatMap(([name, infos]) =>
    (infos ?? []).map((info) => ({ name, info })),
  )
  if (interfaceName !== undefined) {
    const wrong = checkInterface(interfaceName, where('interface'), interfaces)
    if (wrong !== undefined) return [wrong]
  }
  if (serverAddress.startsWith('127.')) return []
  const isHere = all.some(
    ({ name, info }) =>
      info.address === serverAddress && (interfaceName === undefined || name === interfaceName),
  )
  if (isHere) return []
  const here = all
    .filter(({ info }) => isIPv4(info.address))
    .map(({ name, info }) => `${info.address} (${name})`)
  return [
    {
      where: where(stated === undefined ? 'interface' : 'server_address'),
      key: 'server_address',
      got: serverAddress,
      want: `an address of this machine: ${here.join(', ')}`,
    },
  ]
}

/** A link that has no address yet must not end in a server that keeps to loopback, and calls itself ready. */
function checkInterface(name: string, where: string, interfaces: Interfaces): Complaint | undefined {
  const usable = Object.keys(interfaces).filter((one) =>
    interfaces[one]?.some(({ address }) => isIPv4(address)),
  )
  if (usable.includes(name)) return undefined
  if (interfaces[name] === undefined) {
    const want = `one of ${Object.keys(interfaces).join(', ')}`
    return {
      where,
      key: 'interface',
      got: name,
      want,
      cure: 'one that is down, or has no address, is not seen',
    }
  }
  return {
    where,
    key: 'interface',
    got: `${name} without an IPv4 address`,
    want: `an interface that has one: ${usable.join(', ')}`,
    cure: 'give it one before the server starts',
  }
}

const EVERY_ADDRESS = '0.0.0.0'

/** Two servers cannot share a port of one address. */
export function checkPorts(
  ports: readonly {
    readonly key: string
    readonly protocol: 'udp' | 'tcp'
    readonly host: string
    readonly port: number
  }[],
  where: string,
): Complaint[] {
  return ports.flatMap((one, index) =>
    ports
      .slice(0, index)
      .filter(
        (other) =>
          other.protocol === one.protocol &&
          other.port === one.port &&
          (other.host === one.host || other.host === EVERY_ADDRESS || one.host === EVERY_ADDRESS),
      )
      .map((other) => ({
        where,
        key: one.key,
        got: String(one.port),
        want: `a port that ${other.key} does not use`,
      })),
  )
}

/** True when the server's own link is one of the subnets. */
export function servesOwnLink(subnets: readonly Subnet[], serverAddress: Ipv4): boolean {
  return subnets.some((subnet) => cidrContains(subnet.cidr, serverAddress))
}
