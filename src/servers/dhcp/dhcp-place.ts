import type { Config } from '../../config/config.ts'
import type { ForeignServer } from '../../model/foreign-server.ts'
import type { Subnet } from '../../model/subnet.ts'
import { cidrContains, type Ipv4 } from '../../net/ipv4.ts'
import { type DhcpQuestion, type DhcpRequest, questionOf } from '../../policy/dhcp/question.ts'
import type { DhcpSettings } from '../../policy/dhcp/snapshot.ts'
import type { AddressProber } from './arp-prober.ts'

/** One provisioning link, and what the configuration says for machines that are reached by it. */
export interface DhcpPlace {
  readonly config: Config
  /** Its name, `eth1`; undefined: by its address alone. */
  readonly interface?: string
  /** Our address on the link. */
  readonly address: Ipv4
  /** Our addresses on all links. */
  readonly ownAddresses: readonly Ipv4[]
  /** Flat names of the loaders on hand. */
  readonly loaders: ReadonlySet<string>
  /** Asks the link for holders of an address; undefined: addresses of the pool are offered unprobed. */
  readonly prober?: AddressProber | undefined
}

/** What a message asks, and the settings that its answer is decided by: its subnet's, else the link's. */
export function askedAt(
  place: DhcpPlace,
  request: DhcpRequest,
): { readonly question: DhcpQuestion; readonly settings: DhcpSettings } {
  const question = questionOf(request, place.config.subnets, place.address)
  let ofPlace = settingsOf.get(place)
  if (ofPlace === undefined) {
    ofPlace = new Map()
    settingsOf.set(place, ofPlace)
  }
  let settings = ofPlace.get(question.subnet)
  if (settings === undefined) {
    settings = settingsAt(place, question.subnet)
    ofPlace.set(question.subnet, settings)
  }
  return { question, settings }
}

/** Put together once for each subnet of a link: nothing of it changes while the server runs. */
const settingsOf = new WeakMap<DhcpPlace, Map<Subnet | undefined, DhcpSettings>>()

function settingsAt(place: DhcpPlace, subnet: Subnet | undefined): DhcpSettings {
  const { config, address, ownAddresses, loaders } = place
  const { dhcp } = config
  return {
    mode: subnet?.dhcpMode ?? dhcp.mode,
    unknownMachines: config.unknownMachines,
    serverAddress: address,
    otherAddresses: ownAddresses.filter((one) => one !== address),
    bootUrl: `http://${subnet?.bootAddress ?? address}:${config.boot.port}`,
    loaders,
    probesConflicts: place.prober !== undefined,
    proxyUefi: dhcp.proxyUefi,
    ...(dhcp.quirks === undefined ? {} : { quirks: dhcp.quirks }),
    ...(dhcp.raspberryPiMacs === undefined ? {} : { raspberryPiPrefixes: dhcp.raspberryPiMacs }),
  }
}

/** What DHCP does in the subnet of an address; for other addresses what it does everywhere. */
export function modeAt(
  { dhcp, subnets }: Pick<Config, 'dhcp' | 'subnets'>,
  address: Ipv4,
): DhcpSettings['mode'] {
  return subnets.find(({ cidr }) => cidrContains(cidr, address))?.dhcpMode ?? dhcp.mode
}

/** What DHCP does where another server was heard, as its own address shows, else the one that it offered. */
export function modeBeside(
  config: Pick<Config, 'dhcp' | 'subnets'>,
  ownAddresses: readonly Ipv4[],
  server: Pick<ForeignServer, 'sourceAddress' | 'offered'>,
): DhcpSettings['mode'] {
  const attached = config.subnets.filter(({ cidr }) => ownAddresses.some((own) => cidrContains(cidr, own)))
  const shown = [server.sourceAddress, server.offered].find((address) =>
    attached.some(({ cidr }) => cidrContains(cidr, address)),
  )
  if (shown !== undefined) return modeAt(config, shown)
  // One whose addresses are of no link may be on any: it does most harm beside an authoritative server.
  const modes = ownAddresses.map((own) => modeAt(config, own))
  return modes.find((mode) => mode === 'authoritative') ?? modes[0] ?? config.dhcp.mode
}

/** True when DHCP has anything to do on any link. */
export function isDhcpServed({ dhcp, subnets }: Pick<Config, 'dhcp' | 'subnets'>): boolean {
  return dhcp.mode !== 'off' || subnets.some(({ dhcpMode }) => dhcpMode !== undefined && dhcpMode !== 'off')
}
