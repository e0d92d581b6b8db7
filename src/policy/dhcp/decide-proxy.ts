import { serverIdOf } from '../../dhcp/options.ts'
import {
  bootItemOf,
  bootItemValue,
  directBootValue,
  raspberryPiMenuValue,
  wantsSignature,
} from '../../dhcp/pxe-vendor-options.ts'
import type { Effect } from '../effect.ts'
import { buildProxyReply, vendorOptionsValue } from './build-reply.ts'
import { type BootFile, chooseBootFile } from './choose-boot-file.ts'
import { admit, answer, bootEvents, type DhcpCase, type DhcpDecision, noteBoot, silent } from './dhcp-case.ts'
import { requestedOf } from './question.ts'
import { proxyOfferDestination, replyDestination } from './reply-destination.ts'
import { isOurServerId } from './server-id.ts'

/**
 * A DISCOVER in proxy mode: boot data beside the address that another server offers (PXE 2.1 §2.2). Answered at once,
 * since clients choose among offers within seconds.
 */
export function decideProxyDiscover(c: DhcpCase): DhcpDecision {
  const chosen = bootDataFor(c)
  if (typeof chosen === 'string') return silent(chosen)
  const { boot, effects } = chosen
  if (!boot.namesServer) return silent(boot.reason, effects)
  const packet = buildProxyReply(c, boot, {
    messageType: 'offer',
    vendorOptions: vendorOptionsFor(c),
    withBootFileOption: c.client.kind === 'http',
  })
  return answer(c, packet, proxyOfferDestination(c.request), boot.reason, 'proxy-offered', effects)
}

/**
 * Anything else than a DISCOVER on port 67 in proxy mode: the other server's to answer. A machine's REQUEST says which
 * address it is about to have, and only by that can a file that is sent to it be told from another machine's.
 */
export function leaveToAddressServer({ snapshot, request, mac, shape }: DhcpCase): DhcpDecision {
  const { packet } = request
  const address = requestedOf(packet)
  const isKnown = snapshot.machine !== undefined && packet.messageType === 'request'
  if (!isKnown || address === undefined) return silent('left-to-address-server')
  const { tftpBlockBytes } = shape
  return {
    ...silent('left-to-address-server', [{ kind: 'overhear-address', mac, address }]),
    expected: { address, tftpBlockBytes },
  }
}

/**
 * A REQUEST to port 4011: firmware that has its address and wants the name of its file. EDK2 sends no option 54; a
 * client that names another server there is not ours to answer.
 */
export function decidePxeRequest(c: DhcpCase): DhcpDecision {
  const { snapshot, request } = c
  const { packet } = request
  if (packet.messageType !== 'request' && packet.messageType !== 'inform') return silent('not-a-pxe-request')
  const serverId = serverIdOf(packet)
  if (serverId !== undefined && !isOurServerId(snapshot, packet, serverId))
    return silent('another-server-chosen')
  const item = bootItemOf(packet)
  if (item !== undefined && wantsSignature(item)) return silent('signed-boot-not-served')
  const chosen = bootDataFor(c)
  if (typeof chosen === 'string') return silent(chosen)
  const { boot, effects } = chosen
  const destination = replyDestination(snapshot, request, 'ack')
  if (destination === undefined) return silent('no-reply-address')
  if (!namesFile(boot)) return silent(boot.reason, effects)
  const reply = buildProxyReply(c, boot, {
    messageType: 'ack',
    vendorOptions: item === undefined ? undefined : bootItemValue(item),
    withBootFileOption: true,
  })
  return answer(c, reply, destination, boot.reason, 'pxe-answered', effects)
}

/** The client's boot file, with what is to be noted of its boot; the reason to stay silent where it is not served. */
function bootDataFor(c: DhcpCase): { readonly boot: BootFile; readonly effects: readonly Effect[] } | string {
  const { snapshot, mac, client, shape } = c
  const admission = admit(c)
  if (typeof admission === 'string') return admission
  const noted = noteBoot(c, admission.machineId)
  const boot = chooseBootFile(snapshot, mac, client, noted.attempt, shape)
  const told = bootEvents(c, boot, admission.machineId, noted.bootId)
  return { boot, effects: [...admission.effects, ...noted.effects, ...told] }
}

/** EDK2 ignores an answer from 4011 that names no file. */
function namesFile(boot: BootFile): boolean {
  return boot.namesServer && boot.file !== ''
}

/**
 * Option 43 of a proxy OFFER. BIOS ROMs and iPXE need "use the file of this offer"; UEFI asks 4011 when it is absent,
 * which every firmware seen does well, while some ignores an offer that has it.
 */
function vendorOptionsFor({ snapshot, client, shape }: DhcpCase): Uint8Array | undefined {
  if (shape.vendorOptions !== undefined) return vendorOptionsValue(shape.vendorOptions)
  if (shape.pxeClass === true) return directBootValue()
  if (client.kind === 'raspberry-pi') return raspberryPiMenuValue()
  if (client.kind === 'http') return undefined
  const isUefiRom = client.kind === 'pxe' && client.architecture.firmware === 'uefi'
  return isUefiRom && snapshot.settings.proxyUefi !== 'direct' ? undefined : directBootValue()
}
