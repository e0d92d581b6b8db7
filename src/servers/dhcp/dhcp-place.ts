import type { Config } from '../../config/config.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
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
  const { config, address, ownAddresses, loaders } = place
  const question = questionOf(request, config.subnets, address)
  const { dhcp } = config
  const settings: DhcpSettings = {
    mode: question.subnet?.dhcpMode ?? dhcp.mode,
    unknownMachines: config.unknownMachines,
    serverAddress: address,
    otherAddresses: ownAddresses.filter((one) => one !== address),
    bootUrl: `http://${question.subnet?.bootAddress ?? address}:${config.boot.port}`,
    loaders,
    probesConflicts: place.prober !== undefined,
    proxyUefi: dhcp.proxyUefi,
    ...(dhcp.quirks === undefined ? {} : { quirks: dhcp.quirks }),
    ...(dhcp.raspberryPiMacs === undefined ? {} : { raspberryPiPrefixes: dhcp.raspberryPiMacs }),
  }
  return { question, settings }
}

/** True when DHCP has anything to do on any link. */
export function isDhcpServed({ dhcp, subnets }: Pick<Config, 'dhcp' | 'subnets'>): boolean {
  return dhcp.mode !== 'off' || subnets.some(({ dhcpMode }) => dhcpMode !== undefined && dhcpMode !== 'off')
}
