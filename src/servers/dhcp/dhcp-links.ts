import { randomBytes } from 'node:crypto'
import os from 'node:os'
import type { Config } from '../../config/config.ts'
import { clientMac, type DhcpPacket } from '../../dhcp/packet.ts'
import { cidrContains, UNSPECIFIED } from '../../net/ipv4.ts'
import { type Mac, macFromBytes, parseMac } from '../../net/mac.ts'
import { decideForeignServer } from '../../policy/dhcp/decide-foreign-server.ts'
import type { DhcpDecision } from '../../policy/dhcp/dhcp-case.ts'
import type { Store } from '../../store/store.ts'
import { BlockCaps } from '../tftp/block-caps.ts'
import { answerDhcp } from './answer-dhcp.ts'
import { ArpProber } from './arp-prober.ts'
import { type DhcpPlace, isDhcpServed, modeBeside } from './dhcp-place.ts'
import { DhcpServer } from './dhcp-server.ts'
import { DhcpLinkError, isLoopback } from './dhcp-sockets.ts'
import { FloodGuard, type FloodReason, portOf } from './flood-guard.ts'
import { ForeignWatch } from './foreign-watch.ts'
import type { DhcpLog } from './log-answer.ts'
import { PacketRecorder } from './packet-recorder.ts'
import { type HandedSocket, socketsOfLink } from './systemd-sockets.ts'

const DEFAULT_WATCH_SECONDS = 600

/** One link as it is served. */
export interface LinkState {
  readonly interface: string | null
  readonly address: string
  /** Who opened the socket that hears broadcasts. */
  readonly sockets: 'systemd' | 'own'
  /** What the kernel granted, in bytes. */
  readonly receiveBufferBytes: number
}

/** DHCP on every provisioning link. */
export class DhcpLinks {
  /** The links, the first one first; there whether or not DHCP is served on them. */
  readonly places: readonly DhcpPlace[]
  readonly recorder = new PacketRecorder()
  /** Addresses whose firmware bears only small TFTP blocks. */
  readonly blockCaps = new BlockCaps()
  readonly #servers: readonly DhcpServer[]
  readonly #watch: ForeignWatch | undefined

  /** @param handed sockets that systemd opened for this process. */
  constructor(
    config: Config,
    store: Store,
    loaders: ReadonlySet<string>,
    log: DhcpLog,
    handed: readonly HandedSocket[] = [],
  ) {
    this.places = placesOf(config, loaders)
    const served = isDhcpServed(config) ? this.places : []
    this.#servers = served.map((place) => this.#serverOn(place, store, log, handed))
    this.#watch =
      config.dhcp.watch === true && served.length > 0 ? this.#foreignWatch(config, store, log) : undefined
  }

  /** Counts since the start, over all links. */
  get counters(): Readonly<Record<string, number>> {
    const sums: Record<string, number> = {}
    for (const { counters } of this.#servers) {
      for (const [name, count] of counters) sums[name] = (sums[name] ?? 0) + count
    }
    return sums
  }

  /** The links that are served, and how. */
  get states(): readonly LinkState[] {
    return this.#servers.map((server, index) => ({
      interface: this.places[index]?.interface ?? null,
      address: this.places[index]?.address ?? '',
      sockets: server.inherited.broadcast === undefined ? 'own' : 'systemd',
      receiveBufferBytes: server.receiveBufferBytes,
    }))
  }

  async start(): Promise<void> {
    for (const server of this.#servers) await server.start()
    await this.#watch?.start()
  }

  async stop(): Promise<void> {
    await Promise.all([this.#watch?.stop(), ...this.#servers.map((server) => server.stop())])
  }

  #serverOn(place: DhcpPlace, store: Store, log: DhcpLog, handed: readonly HandedSocket[]): DhcpServer {
    const { address, config } = place
    const { port, proxyPort } = config.dhcp
    const isOnly = this.places.length === 1
    const named = place.interface === undefined ? {} : { interface: place.interface }
    const inherited = socketsOfLink(handed, { ...named, isOnly, port, proxyPort })
    if (!isOnly && inherited.broadcast === undefined) throw new DhcpLinkError(place.interface ?? address)
    return new DhcpServer({
      address,
      port,
      proxyPort,
      log,
      inherited,
      isKnown: (mac) => store.knowsMac(mac),
      guard: new FloodGuard(),
      onFlood: (reason, packet) => tellFlood(store, place, reason, packet),
      recorder: this.recorder,
      answer: async (request) => {
        const decision = await answerDhcp(store, place, request)
        this.#noteBlockCap(decision)
        return decision
      },
    })
  }

  #noteBlockCap({ reply, expected }: DhcpDecision): void {
    if (expected !== undefined) this.blockCaps.note(expected.address, expected.tftpBlockBytes)
    if (reply === undefined) return
    const { packet, tftpBlockBytes } = reply
    const address = packet.yiaddr === UNSPECIFIED ? packet.ciaddr : packet.yiaddr
    if (address !== UNSPECIFIED) this.blockCaps.note(address, tftpBlockBytes)
  }

  #foreignWatch(config: Config, store: Store, log: DhcpLog): ForeignWatch {
    const [place] = this.places
    const ownAddresses = this.places.map(({ address }) => address)
    const attached = config.subnets.filter(({ cidr }) => ownAddresses.some((one) => cidrContains(cidr, one)))
    return new ForeignWatch({
      ownAddresses,
      probeMac: macOf(place?.interface) ?? inventedMac(),
      send: (bytes) => {
        for (const server of this.#servers) server.sendToServers(bytes)
      },
      isOurs: (address) => attached.some(({ cidr }) => cidrContains(cidr, address)),
      isKnown: (mac) => store.knowsMac(mac),
      onSeen: (server) => {
        const mode = modeBeside(config, ownAddresses, server)
        store
          .decide(
            (view) => ({ nowMs: view.nowMs, mode, told: view.recent.told }),
            (snapshot) => decideForeignServer(snapshot, { ...server, seenAtMs: snapshot.nowMs }),
          )
          .then(({ reason }) => {
            // The server that leases the addresses in proxy mode answers every machine: that is no news.
            const isNews = reason === 'dhcp.foreign-server' || reason === 'dhcp.foreign-boot-data'
            if (isNews) log.warn({ ...server }, 'another DHCP server answered')
          })
          .catch((error: unknown) => log.warn({ err: error }, 'another DHCP server not recorded'))
      },
      log,
      everySeconds: config.dhcp.watchSeconds ?? DEFAULT_WATCH_SECONDS,
    })
  }
}

function placesOf(config: Config, loaders: ReadonlySet<string>): readonly DhcpPlace[] {
  const { serverAddress, interface: name, furtherLinks = [] } = config
  const links = [
    { address: serverAddress, ...(name === undefined ? {} : { interface: name }) },
    ...furtherLinks,
  ]
  const ownAddresses = links.map(({ address }) => address)
  return links.map((link) => ({
    ...link,
    config,
    ownAddresses,
    loaders,
    prober:
      config.dhcp.conflictProbe === true && !isLoopback(link.address)
        ? new ArpProber(link.address)
        : undefined,
  }))
}

/** The MAC of one of this machine's interfaces. */
function macOf(name: string | undefined): Mac | undefined {
  const infos = name === undefined ? undefined : os.networkInterfaces()[name]
  return parseMac(infos?.[0]?.mac ?? '')
}

/** A locally administered MAC that nobody has. */
function inventedMac(): Mac {
  const bytes = randomBytes(6)
  bytes[0] = 0x02
  return macFromBytes(bytes)
}

/** A flood is told in the feed, with where it comes from; a disk that cannot take even that is told of elsewhere. */
function tellFlood(store: Store, place: DhcpPlace, reason: FloodReason, packet: DhcpPacket): void {
  const { port } = portOf(packet)
  const mac = clientMac(packet) ?? null
  const link = place.interface ?? place.address
  void store
    .decide(
      (view) => view.nowMs,
      (atMs) => ({
        reply: undefined,
        reason,
        effects: [
          { kind: 'append-event', event: { atMs, type: 'dhcp.flood', data: { reason, link, port, mac } } },
        ],
      }),
    )
    .catch(() => undefined)
}
