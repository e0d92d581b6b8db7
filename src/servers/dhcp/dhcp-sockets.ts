import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { BROADCAST, type Ipv4, UNSPECIFIED } from '../../net/ipv4.ts'
import type { Arrival } from '../../policy/dhcp/question.ts'

/** The sockets of one served address. */
export interface DhcpSockets {
  /** Bound to our own address: hears unicasts, and sends everything that leaves from port 67. */
  readonly unicast: Socket
  /** Hears broadcasts. */
  readonly broadcast: Socket
  /** Port 4011. */
  readonly pxe: Socket
  /** The port of the first two; asking a socket for it at every reply would cost a system call. */
  readonly port: number
  /** Where a reply to "everybody on the link" goes. */
  readonly broadcastAddress: Ipv4
}

/** Sockets that systemd opened for us, by file descriptor; those not given are opened here. */
export interface InheritedSockets {
  readonly unicast?: number
  readonly broadcast?: number
  readonly pxe?: number
}

/** A port that is taken or forbidden, with what to do about it. */
export class DhcpPortError extends Error {
  readonly code = 'dhcp-port'

  constructor(address: Ipv4, port: number, cause: unknown) {
    const why = (cause as NodeJS.ErrnoException).code ?? 'unknown error'
    super(`DHCP cannot listen on ${address}:${port} (${why}): ${cureFor(why)}`, { cause })
  }
}

/** Several links, and one of them without the socket that only systemd can open. */
export class DhcpLinkError extends Error {
  readonly code = 'dhcp-link'
  readonly cure =
    'start by systemd with a socket unit a link: ListenDatagram=0.0.0.0:67, BindToDevice=, FileDescriptorName=dhcp-<interface>'

  constructor(link: string) {
    super(
      `link ${link} has no socket that hears its broadcasts: with several links Node cannot tell them apart by itself`,
    )
  }
}

const LOOPBACK_BROADCAST = '127.255.255.255' as Ipv4

/**
 * Opens the three sockets. A datagram to 255.255.255.255 leaves by the interface of the socket's own address, and by
 * the default route from a wildcard socket: so one socket sends and another one hears broadcasts.
 *
 * Node cannot tell which interface a broadcast came in by. With several links, systemd opens a socket for each
 * (`BindToDevice=`) and hands it over as `inherited`.
 *
 * On a loopback address nothing is bound to the wildcard address, or a simulation would hear the machine's real links.
 */
export async function openDhcpSockets(
  address: Ipv4,
  port: number,
  proxyPort: number,
  inherited: InheritedSockets = {},
): Promise<DhcpSockets> {
  const isLocal = isLoopback(address)
  const opened: Socket[] = []
  const open = async (at: Ipv4, wanted: number, fd: number | undefined) => {
    const socket = await bound(at, wanted, fd)
    opened.push(socket)
    return socket
  }
  try {
    const unicast = await open(address, port, inherited.unicast)
    const samePort = unicast.address().port
    const broadcast = await open(isLocal ? LOOPBACK_BROADCAST : UNSPECIFIED, samePort, inherited.broadcast)
    const pxe = await open(address, proxyPort, inherited.pxe)
    return {
      unicast,
      broadcast,
      pxe,
      port: samePort,
      broadcastAddress: isLocal ? LOOPBACK_BROADCAST : BROADCAST,
    }
  } catch (error) {
    await Promise.all(opened.map(closed))
    throw error
  }
}

/** True for addresses that never leave this host. */
export function isLoopback(address: Ipv4): boolean {
  return address.startsWith('127.')
}

/** Each socket with the word that an arrival on it is told by. */
export function namedSockets(sockets: DhcpSockets): readonly (readonly [Arrival['socket'], Socket])[] {
  return [
    ['unicast', sockets.unicast],
    ['broadcast', sockets.broadcast],
    ['pxe', sockets.pxe],
  ]
}

/**
 * Asks for a larger receive buffer: with the kernel's usual 208 KiB most of a hall that is switched on at once is lost.
 *
 * @returns the bytes granted. The kernel reads back twice what it grants, bookkeeping included.
 */
export function enlargeReceiveBuffer(socket: Socket, bytes: number): number {
  socket.setRecvBufferSize(bytes)
  return Math.floor(socket.getRecvBufferSize() / 2)
}

/** Resolves when the socket is closed. */
export async function closed(socket: Socket): Promise<void> {
  const gone = once(socket, 'close')
  socket.close()
  await gone
}

async function bound(address: Ipv4, port: number, fd: number | undefined): Promise<Socket> {
  const socket = createSocket({
    type: 'udp4',
    reuseAddr: true,
    // Every address is numeric: answering in place keeps a send from waiting for a turn of the event loop.
    lookup: (host, _options, found) => found(null, host, 4),
  })
  try {
    // Listened for first: with the lookup above, `listening` may come before `bind` returns.
    const listening = once(socket, 'listening')
    if (fd === undefined) socket.bind(port, address)
    else socket.bind({ fd })
    await listening
  } catch (error) {
    socket.close()
    throw new DhcpPortError(address, port, error)
  }
  socket.setBroadcast(true)
  return socket
}

function cureFor(code: string): string {
  switch (code) {
    case 'EACCES':
      return 'ports under 1024 need root, CAP_NET_BIND_SERVICE or a socket from systemd'
    case 'EADDRINUSE':
      return 'another program has the port; stop that DHCP server, or set dhcp.mode to off'
    case 'EADDRNOTAVAIL':
      return 'no interface has this address; correct "interface" in the configuration or bring the link up'
    default:
      return 'see the cause'
  }
}
