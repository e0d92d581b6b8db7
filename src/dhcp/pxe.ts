import { latin1, toHex } from '../net/bytes.ts'
import { textOf } from './options.ts'
import { type DhcpPacket, OPTION } from './packet.ts'

/** U-Boot without a configured architecture, and iPXE on s390x, send this for "none". */
const NO_ARCHITECTURE = 0xffff

/**
 * Option 93: what the client can boot, best first (RFC 4578 §2.1). Empty when absent or not a list of 16-bit values.
 */
export function architecturesOf(packet: DhcpPacket): readonly number[] {
  const value = packet.options.get(OPTION.architecture)
  if (value === undefined || value.length % 2 !== 0) return []
  const codes: number[] = []
  for (let at = 0; at < value.length; at += 2) codes.push((value[at] ?? 0) * 256 + (value[at + 1] ?? 0))
  return codes.filter((code) => code !== NO_ARCHITECTURE)
}

export type VendorClass = 'PXEClient' | 'HTTPClient' | 'U-Boot'

/** The kind of boot client that option 60 begins with; undefined for all others. */
export function vendorClassOf(packet: DhcpPacket): VendorClass | undefined {
  const text = textOf(packet, OPTION.vendorClass) ?? ''
  if (text.startsWith('PXEClient')) return 'PXEClient'
  if (text.startsWith('HTTPClient')) return 'HTTPClient'
  return text.startsWith('U-Boot') ? 'U-Boot' : undefined
}

/** The number in `PXEClient:Arch:00007:UNDI:003000` (PXE 2.1 §2.2.1), a weaker witness than option 93. */
export function vendorArchitectureOf(packet: DhcpPacket): number | undefined {
  const digits = /^[A-Za-z]+Client:Arch:(\d{5})(?::|$)/.exec(textOf(packet, OPTION.vendorClass) ?? '')?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/**
 * Option 77. RFC 3004 frames each class with a length byte; iPXE sends the bare text, which strict readers refuse.
 * Both readings are returned where both are possible; compare them whole, never by "contains".
 */
export function userClassesOf(packet: DhcpPacket): readonly string[] {
  const value = packet.options.get(OPTION.userClass)
  if (value === undefined || value.length === 0) return []
  return [latin1(value), ...framedClasses(value)]
}

function framedClasses(value: Uint8Array): readonly string[] {
  const classes: string[] = []
  let at = 0
  while (at < value.length) {
    const length = value[at] ?? 0
    // RFC 3004 §4: a class has at least one byte. Half a list is no list.
    if (length === 0 || at + 1 + length > value.length) return []
    classes.push(latin1(value.subarray(at + 1, at + 1 + length)))
    at += 1 + length
  }
  return classes
}

/** True for every iPXE, in a ROM or loaded: user class `iPXE`, or option 175, which nobody else sends. */
export function isIpxe(packet: DhcpPacket): boolean {
  return packet.options.has(OPTION.ipxe) || userClassesOf(packet).includes('iPXE')
}

/** Option 97 when it is one that a reply may echo: type 0 and 16 bytes (RFC 4578 §2.3). */
export function machineUuidValueOf(packet: DhcpPacket): Uint8Array | undefined {
  const value = packet.options.get(OPTION.machineUuid)
  return value?.length === 17 && value[0] === 0 ? value : undefined
}

/**
 * The SMBIOS system UUID of option 97 as text, lower case. Firmware sends SMBIOS's bytes, whose first three fields are
 * little-endian; operators read them the other way round.
 */
export function machineUuidOf(packet: DhcpPacket): string | undefined {
  const value = machineUuidValueOf(packet)
  if (value === undefined) return undefined
  const hex = toHex(value.subarray(1))
  const swapped = (from: number, to: number) => (hex.slice(from, to).match(/../g) ?? []).toReversed().join('')
  return [swapped(0, 8), swapped(8, 12), swapped(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

/** Option 94: the version of the network interface that the firmware offers to loaders (RFC 4578 §2.2). */
export interface NetworkInterfaceVersion {
  /** 1: UNDI; 2 and 3: UEFI variants. */
  readonly type: number
  readonly major: number
  readonly minor: number
}

/** Reads option 94; undefined when absent or short. */
export function networkInterfaceOf(packet: DhcpPacket): NetworkInterfaceVersion | undefined {
  const [type, major, minor] = packet.options.get(OPTION.networkInterface) ?? []
  return type === undefined || major === undefined || minor === undefined ? undefined : { type, major, minor }
}
