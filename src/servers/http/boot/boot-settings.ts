import { cidrContains, type Ipv4 } from '../../../net/ipv4.ts'
import type { ImageLimits } from '../../../policy/image/preflight.ts'
import type { AddressSettings } from '../../../store/snapshots/foreign-address.ts'

/** What the boot side must know of the configuration. */
export interface BootSettings extends AddressSettings {
  readonly serverAddress: Ipv4
  readonly port: number
  /** Our addresses on further links; the boot side listens there too. */
  readonly furtherAddresses?: readonly Ipv4[]
  /** Where images are fetched from when another server stands in front; undefined: from here. */
  readonly imageBaseUrl?: string
  readonly serverId: string
  /** What a machine must have to boot an image. */
  readonly imageLimits: ImageLimits
}

/**
 * The base URL that a machine gets, `http://10.77.0.1:8080`: its subnet's `boot_address`, else the provisioning
 * address. Never from the Host header, which the asker writes.
 */
export function bootUrlFor(settings: BootSettings, address: Ipv4 | undefined): string {
  const subnet =
    address === undefined
      ? undefined
      : settings.subnets.find((candidate) => cidrContains(candidate.cidr, address))
  return `http://${subnet?.bootAddress ?? settings.serverAddress}:${settings.port}`
}

/** The base of image URLs for a machine. */
export function imageBaseUrlFor(settings: BootSettings, address: Ipv4 | undefined): string {
  return settings.imageBaseUrl ?? `${bootUrlFor(settings, address)}/images`
}
