import { textOf } from '../../dhcp/options.ts'
import { type DhcpPacket, OPTION } from '../../dhcp/packet.ts'
import { architecturesOf, machineUuidOf } from '../../dhcp/pxe.ts'
import type { Quirk, ReplyShape } from '../../model/quirk.ts'
import type { Mac } from '../../net/mac.ts'
import { type BootClient, isBootable } from './classify-client.ts'

/** The shape of a reply, and the quirks that gave it. */
export interface ShapedBy {
  readonly shape: ReplyShape
  readonly quirks: readonly string[]
}

const USUAL: ShapedBy = { shape: {}, quirks: [] }

/**
 * The shape that a client's firmware wants; a later entry counts more. iPXE and operating systems of the same box take
 * the usual one: what a ROM cannot bear is no reason to slow down or cut short what it loaded.
 */
export function shapeFor(
  quirks: readonly Quirk[],
  packet: DhcpPacket,
  mac: Mac,
  client: BootClient,
): ShapedBy {
  if (quirks.length === 0 || !isFirmware(client)) return USUAL
  const matching = quirks.filter(({ match }) => matches(match, packet, mac))
  if (matching.length === 0) return USUAL
  return {
    shape: Object.assign({}, ...matching.map(({ reply }) => reply)) as ReplyShape,
    quirks: matching.map(({ name }) => name),
  }
}

function isFirmware(client: BootClient): boolean {
  return isBootable(client) && client.kind !== 'ipxe' && client.kind !== 'own-ipxe'
}

function matches(match: Quirk['match'], packet: DhcpPacket, mac: Mac): boolean {
  const { vendorClasses, architectures, macs, uuids } = match
  if (architectures !== undefined && !architecturesOf(packet).some((code) => architectures.includes(code)))
    return false
  if (macs !== undefined && !macs.some((prefix) => mac.startsWith(prefix))) return false
  if (vendorClasses !== undefined) {
    const vendorClass = textOf(packet, OPTION.vendorClass) ?? ''
    if (!vendorClasses.some((prefix) => vendorClass.startsWith(prefix))) return false
  }
  if (uuids === undefined) return true
  const uuid = machineUuidOf(packet) ?? ''
  return uuids.some((prefix) => uuid.startsWith(prefix))
}
