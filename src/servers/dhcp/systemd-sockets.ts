import { readFileSync, readlinkSync } from 'node:fs'
import { type Ipv4, ipv4FromNumber, UNSPECIFIED } from '../../net/ipv4.ts'
import type { InheritedSockets } from './dhcp-sockets.ts'

/** A socket that systemd opened and handed over (sd_listen_fds(3)). */
export interface HandedSocket {
  readonly fd: number
  /** `FileDescriptorName=` of its unit; `unknown` where it has none. */
  readonly name: string
}

const FIRST_FD = 3

/**
 * The sockets that were handed to this process: from descriptor 3 on, in the order of the names. None where the variables
 * are missing or were meant for another process.
 */
export function handedSockets(environment: NodeJS.ProcessEnv, pid: number): readonly HandedSocket[] {
  if (environment.LISTEN_PID !== String(pid)) return []
  const count = Number(environment.LISTEN_FDS)
  if (!Number.isInteger(count) || count < 1 || count > 1024) return []
  const names = (environment.LISTEN_FDNAMES ?? '').split(':')
  return Array.from({ length: count }, (_, index) => ({
    fd: FIRST_FD + index,
    name: names[index] || 'unknown',
  }))
}

/** Where a UDP socket is bound. */
export interface BoundAt {
  readonly address: Ipv4
  readonly port: number
}

/** Looks up where a handed UDP socket is bound, in the kernel's tables; undefined: it is none, or not Linux. */
export function boundAt(fd: number): BoundAt | undefined {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1]
    return inode === undefined ? undefined : boundInTable(readFileSync('/proc/self/net/udp', 'utf8'), inode)
  } catch {
    return undefined
  }
}

/** Reads `/proc/net/udp`: local address in hex, host byte order, and the inode in the tenth column. */
export function boundInTable(table: string, inode: string): BoundAt | undefined {
  for (const line of table.split('\n').slice(1)) {
    const columns = line.trim().split(/\s+/)
    const [, hexAddress, hexPort] = /^([0-9A-F]{8}):([0-9A-F]{4})$/.exec(columns[1] ?? '') ?? []
    if (columns[9] !== inode || hexAddress === undefined || hexPort === undefined) continue
    const bytes = (hexAddress.match(/../g) ?? []).toReversed().join('')
    return { address: ipv4FromNumber(Number.parseInt(bytes, 16)), port: Number.parseInt(hexPort, 16) }
  }
  return undefined
}

/**
 * Which of the handed sockets are a link's: those named `dhcp-<interface>`; where there is one link only, all that are
 * bound to DHCP's ports. What each is for follows from where it is bound: a wildcard hears broadcasts, port 4011 is PXE's.
 */
export function socketsOfLink(
  handed: readonly HandedSocket[],
  link: {
    readonly interface?: string
    readonly isOnly: boolean
    readonly port: number
    readonly proxyPort: number
  },
  lookUp: (fd: number) => BoundAt | undefined = boundAt,
): InheritedSockets {
  const found: { unicast?: number; broadcast?: number; pxe?: number } = {}
  for (const { fd, name } of handed) {
    const isNamed = link.interface !== undefined && name === `dhcp-${link.interface}`
    const bound = isNamed || (link.isOnly && !name.startsWith('dhcp-')) ? lookUp(fd) : undefined
    if (bound === undefined) continue
    const isBroadcast = bound.address === UNSPECIFIED || bound.address.endsWith('.255')
    if (bound.port === link.proxyPort) found.pxe ??= fd
    else if (bound.port !== link.port) continue
    else if (isBroadcast) found.broadcast ??= fd
    else found.unicast ??= fd
  }
  return found
}
