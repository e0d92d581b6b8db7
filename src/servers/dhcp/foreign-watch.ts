import { randomBytes } from 'node:crypto'
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { decode } from '../../dhcp/decode.ts'
import { encode } from '../../dhcp/encode.ts'
import { serverIdOf } from '../../dhcp/options.ts'
import { BROADCAST_FLAG, chaddrOf, clientMac, type DhcpPacket, OPTION, packetOf } from '../../dhcp/packet.ts'
import { vendorClassOf } from '../../dhcp/pxe.ts'
import type { ForeignServer } from '../../model/foreign-server.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'
import type { DhcpLog } from './log-answer.ts'
import { TokenBuckets } from './token-buckets.ts'

export interface ForeignWatchOptions {
  /** Our addresses on all links: what comes from them is no foreign server's. */
  readonly ownAddresses: readonly Ipv4[]
  /** What the probe calls itself: the MAC of the link that it is sent on. */
  readonly probeMac: Mac
  /** Sends a probe to everybody on every provisioning link. */
  readonly send: (bytes: Uint8Array) => void
  /** True for addresses of links that we serve: this machine's other links have DHCP servers of their own. */
  readonly isOurs: (address: Ipv4) => boolean
  readonly isKnown: (mac: Mac) => boolean
  readonly onSeen: (server: ForeignServer) => void
  readonly log: DhcpLog
  readonly everySeconds: number
  /** Where clients listen; default 68. */
  readonly clientPort?: number
}

/**
 * Listens to what DHCP servers broadcast to clients, and asks now and then with a DISCOVER of its own, so that a second
 * server is known before it takes a machine away. It decides nothing.
 */
export class ForeignWatch {
  readonly #options: ForeignWatchOptions
  #socket: Socket | undefined
  #timer: NodeJS.Timeout | undefined
  #probeXid: number | undefined
  readonly #rate = new TokenBuckets(5, 20, 8)

  constructor(options: ForeignWatchOptions) {
    this.#options = options
  }

  /**
   * Opens the clients' port; a machine that is a DHCP client itself has it taken, and is then served without a watch.
   *
   * @returns false when there is no watch.
   */
  async start(): Promise<boolean> {
    const { log, clientPort = 68, everySeconds } = this.#options
    const socket = createSocket({ type: 'udp4', reuseAddr: true })
    try {
      const listening = once(socket, 'listening')
      socket.bind(clientPort)
      await listening
    } catch (error) {
      socket.close()
      log.warn(
        { err: error, port: clientPort },
        'no watch for other DHCP servers: the clients’ port is taken',
      )
      return false
    }
    socket.on('message', (bytes, remote) => this.#receive(bytes, remote))
    socket.on('error', (error) => log.warn({ err: error }, 'watch for other DHCP servers failed'))
    this.#socket = socket
    this.probe()
    this.#timer = setInterval(() => this.probe(), everySeconds * 1000)
    return true
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    const socket = this.#socket
    this.#socket = undefined
    if (socket === undefined) return
    const gone = once(socket, 'close')
    socket.close()
    await gone
  }

  /** Asks every server of the links for an offer, which is never taken. */
  probe(): void {
    const { probeMac, send } = this.#options
    this.#probeXid = randomBytes(4).readUInt32BE()
    send(
      encode(
        packetOf({
          op: 1,
          messageType: 'discover',
          xid: this.#probeXid,
          flags: BROADCAST_FLAG,
          chaddr: chaddrOf(probeMac),
          options: new Map([[OPTION.parameterList, Uint8Array.of(1, 3, 54, 60, 67)]]),
        }),
      ),
    )
  }

  #receive(bytes: Uint8Array, remote: RemoteInfo): void {
    const { ownAddresses, isOurs, isKnown, onSeen } = this.#options
    const decoded = decode(bytes, 'reply')
    if (!decoded.ok) return
    const { packet } = decoded
    const { messageType: message } = packet
    const mac = clientMac(packet)
    if (mac === undefined || (message !== 'offer' && message !== 'ack' && message !== 'nak')) return
    const sourceAddress = remote.address as Ipv4
    const serverId = serverIdOf(packet) ?? sourceAddress
    if (ownAddresses.includes(sourceAddress) || ownAddresses.includes(serverId)) return
    const isAnswer = packet.xid === this.#probeXid
    if (!isAnswer && !isKnown(mac) && !isOurs(sourceAddress) && !isOurs(packet.yiaddr)) return
    // The fact is wanted, not every packet: beside an address server of a hall there are thousands.
    if (!this.#rate.take('all', performance.now())) return
    onSeen({
      serverId,
      sourceAddress,
      seenAtMs: Date.now(),
      mac,
      message,
      offered: packet.yiaddr,
      hasBootData: hasBootData(packet),
    })
  }
}

/** UEFI takes an address offer with option 60 "PXEClient" for a boot server's, and asks nobody else for its file. */
function hasBootData(packet: DhcpPacket): boolean {
  const { file, options } = packet
  return file !== '' || options.has(OPTION.bootFile) || vendorClassOf(packet) === 'PXEClient'
}
