import { ipxeFeaturesOf } from '../../dhcp/ipxe.ts'
import { clientMac, type DhcpPacket } from '../../dhcp/packet.ts'
import {
  architecturesOf,
  isIpxe,
  userClassesOf,
  vendorArchitectureOf,
  vendorClassOf,
} from '../../dhcp/pxe.ts'
import type { Architecture } from '../../model/architecture.ts'
import { architectureOf } from '../../model/architectures.ts'

/** The user class of an iPXE built for this server: it has all that our scripts need. */
export const OWN_USER_CLASS = 'pilotlight'

const RASPBERRY_PI_PREFIXES: readonly string[] = [
  '28:cd:c1',
  '2c:cf:67',
  '88:a2:9e',
  'b8:27:eb',
  'd8:3a:dd',
  'dc:a6:32',
  'e4:5f:01',
]

const BIOS = 0
const OPAL = 14
const RPIBOOT = 41

/** What kind of boot client sent a packet. `plain` and `unlisted` get a lease and nothing else. */
export type BootClient =
  | { readonly kind: 'own-ipxe'; readonly architecture: Architecture | undefined }
  | {
      readonly kind: 'ipxe'
      readonly architecture: Architecture | undefined
      /** Codes of the features that it announced in option 175. */
      readonly features: ReadonlySet<number>
    }
  | { readonly kind: 'http'; readonly architecture: Architecture }
  | { readonly kind: 'raspberry-pi'; readonly architecture: Architecture }
  | { readonly kind: 'u-boot'; readonly architecture: Architecture | undefined }
  | { readonly kind: 'petitboot'; readonly architecture: Architecture }
  | { readonly kind: 'pxe'; readonly architecture: Architecture }
  | { readonly kind: 'unlisted'; readonly code: number }
  | { readonly kind: 'plain' }

/**
 * Says what a client is, from what it sends. iPXE comes before HTTPClient and PXEClient, because an iPXE still carries
 * the vendor class of the firmware that loaded it. Option 60 alone makes nobody a boot client: option 93, iPXE's marks,
 * an HTTPClient's architecture number or U-Boot's name must be there.
 */
export function classifyClient(
  packet: DhcpPacket,
  raspberryPiPrefixes: readonly string[] = RASPBERRY_PI_PREFIXES,
): BootClient {
  const codes = architecturesOf(packet)
  const architecture = codes.map(architectureOf).find((one) => one !== undefined)
  if (userClassesOf(packet).includes(OWN_USER_CLASS)) return { kind: 'own-ipxe', architecture }
  if (isIpxe(packet)) {
    return { kind: 'ipxe', architecture, features: ipxeFeaturesOf(packet)?.features ?? new Set() }
  }
  const vendorClass = vendorClassOf(packet)
  if (vendorClass === 'HTTPClient') {
    const claimed = architecture ?? architectureOf(vendorArchitectureOf(packet) ?? -1)
    return claimed === undefined ? withoutArchitecture(codes) : { kind: 'http', architecture: claimed }
  }
  if (vendorClass === 'U-Boot') return { kind: 'u-boot', architecture }
  if (architecture === undefined) return withoutArchitecture(codes)
  const isPiCode = architecture.code === BIOS || architecture.code === RPIBOOT
  if (isPiCode && raspberryPiPrefixes.includes(clientMac(packet)?.slice(0, 8) ?? '')) {
    return { kind: 'raspberry-pi', architecture }
  }
  if (architecture.code === OPAL) return { kind: 'petitboot', architecture }
  return vendorClass === 'PXEClient' ? { kind: 'pxe', architecture } : { kind: 'plain' }
}

/** A client of no architecture that we know: it named one that is in no table, or none. */
function withoutArchitecture([firstCode]: readonly number[]): BootClient {
  return firstCode === undefined ? { kind: 'plain' } : { kind: 'unlisted', code: firstCode }
}

/** True for clients that are about to boot from the network; an operating system's DHCP is not. */
export function isBootable(client: BootClient): boolean {
  return client.kind !== 'plain' && client.kind !== 'unlisted'
}
