import { type DhcpPacket, OPTION } from './packet.ts'
import { readSubOptions } from './sub-options.ts'

/** Features that iPXE announces in option 175, by their sub-option codes. */
export const IPXE_FEATURE = { http: 0x13, https: 0x14, bzImage: 0x18, efi: 0x24 } as const

const FIRST_FEATURE = 0x10
const LAST_FEATURE = 0x4f
const VERSION = 0xeb
const NO_PXEDHCP = 176

/** What an iPXE says of itself in option 175. */
export interface IpxeFeatures {
  readonly features: ReadonlySet<number>
  /** Three numbers, `1.21.1`; undefined when absent. */
  readonly version?: string
}

/** Reads option 175; undefined when the client sent none. */
export function ipxeFeaturesOf(packet: DhcpPacket): IpxeFeatures | undefined {
  const value = packet.options.get(OPTION.ipxe)
  if (value === undefined) return undefined
  const features = new Set<number>()
  let version: string | undefined
  for (const [code, data] of readSubOptions(value)) {
    if (code >= FIRST_FEATURE && code <= LAST_FEATURE && data[0] !== 0) features.add(code)
    if (code === VERSION && data.length >= 3) version = data.subarray(0, 3).join('.')
  }
  return version === undefined ? { features } : { features, version }
}

/** Option 175 of a reply: "do not wait for a proxyDHCP offer". It saves every iPXE two to three seconds. */
export function noProxyDhcpValue(): Uint8Array {
  return Uint8Array.of(NO_PXEDHCP, 1, 1)
}
