import { readFileSync } from 'node:fs'
import type os from 'node:os'
import { type Ipv4, parseIpv4 } from '../net/ipv4.ts'
import { EXIT } from './exit-codes.ts'
import { CliFailure } from './failure.ts'

/** An interface with an IPv4 address, as a candidate for the provisioning link. */
export interface Link {
  readonly name: string
  readonly address: Ipv4
  readonly prefixBits: number
  /** True when the default route goes over it: it is hardly the link of a rack alone. */
  readonly leadsOut: boolean
}

/** This machine's links with an IPv4 address, loopback left out. */
export function linksOf(
  interfaces: ReturnType<typeof os.networkInterfaces>,
  namesLeadingOut: ReadonlySet<string>,
): readonly Link[] {
  return Object.entries(interfaces).flatMap(([name, infos]) =>
    (infos ?? []).flatMap((info) => {
      const address = info.internal ? undefined : parseIpv4(info.address)
      const prefixBits = Number(info.cidr?.split('/')[1] ?? 24)
      return address === undefined ? [] : [{ name, address, prefixBits, leadsOut: namesLeadingOut.has(name) }]
    }),
  )
}

/** The named link, else the likeliest: private and not leading out, else private; of several the last. */
export function chooseLink(links: readonly Link[], wanted: string | undefined): Link {
  const chosen =
    wanted === undefined
      ? (links.findLast((link) => isPrivate(link) && !link.leadsOut) ??
        links.findLast(isPrivate) ??
        links.at(-1))
      : links.find((link) => link.name === wanted)
  if (chosen !== undefined) return chosen
  const have = links.map((link) => `${link.name} (${link.address})`).join(', ') || 'none'
  throw new CliFailure(
    `no interface ${wanted ?? 'with an IPv4 address'}; this machine has: ${have}\ncure: name one of these, or give ${wanted ?? 'a link'} an IPv4 address first: ip address add ADDRESS/BITS dev ${wanted ?? 'NAME'}`,
    EXIT.usage,
  )
}

function isPrivate({ address }: Link): boolean {
  return /^(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.)/.test(address)
}

/** The links that a default route goes over, from the kernel's table; none where it cannot be read. */
export function leadingOut(): ReadonlySet<string> {
  try {
    return defaultRouteLinks(readFileSync('/proc/net/route', 'utf8'))
  } catch {
    return new Set()
  }
}

/** Reads `/proc/net/route`: a line a route, of which the first, second and eighth word are interface, destination, mask. */
export function defaultRouteLinks(table: string): ReadonlySet<string> {
  const routes = table.split('\n').map((line) => line.split('\t'))
  const names = routes.flatMap(([name = '', destination, , , , , , mask]) =>
    destination === '00000000' && mask === '00000000' ? [name] : [],
  )
  return new Set(names)
}
