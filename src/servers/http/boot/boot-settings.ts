import type { Subnet } from '../../../model/subnet.ts'
import { cidrContains, type Ipv4 } from '../../../net/ipv4.ts'

/** What the boot side must know of the configuration. */
export interface BootSettings {
  readonly serverAddress: Ipv4
  readonly port: number
  readonly subnets: readonly Subnet[]
  /** Where images are fetched from when another server stands in front; undefined: from here. */
  readonly imageBaseUrl?: string
  readonly serverId: string
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
