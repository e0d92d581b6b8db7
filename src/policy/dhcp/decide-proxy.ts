import { serverIdOf } from '../../dhcp/options.ts'
import {
  bootItemOf,
  bootItemValue,
  directBootValue,
  raspberryPiMenuValue,
  wantsSignature,
} from '../../dhcp/pxe-vendor-options.ts'
import { buildProxyReply } from './build-reply.ts'
import { type BootFile, chooseBootFile } from './choose-boot-file.ts'
import { admit, answer, bootEvents, type DhcpCase, type DhcpDecision, noteBoot, silent } from './dhcp-case.ts'
import { proxyOfferDestination, replyDestination } from './reply-destination.ts'
import { isOurServerId } from './server-id.ts'

/**
 * A DISCOVER in proxy mode: boot data beside the address that another server offers (PXE 2.1 §2.2). Answered at once,
 * since clients choose among offers within seconds.
 */
export function decideProxyDiscover(c: DhcpCase): DhcpDecision {
  const { snapshot, request, mac, client } = c
  const admission = admit(c)
  if (typeof admission === 'string') return silent(admission)
  const noted = noteBoot(c, admission.machineId)
  const boot = chooseBootFile(snapshot, mac, client, noted.attempt)
  const effects = [
    ...admission.effects,
    ...noted.effects,
    ...bootEvents(c, boot, admission.machineId, noted.bootId),
  ]
  if (!boot.namesServer) return silent(boot.reason, effects)
  const packet = buildProxyReply(
    snapshot,
    request.packet,
    {
      messageType: 'offer',
      vendorOptions: vendorOptionsFor(c),
      withBootFileOption: client.kind === 'http',
    },
    client,
    boot,
  )
  return answer(c, packet, proxyOfferDestination(request), boot.reason, 'proxy-offered', effects)
}

/**
 * A REQUEST to port 4011: firmware that has its address and wants the name of its file. EDK2 sends no option 54; a
 * client that names another server there is not ours to answer.
 */
export function decidePxeRequest(c: DhcpCase): DhcpDecision {
  const { snapshot, request, mac, client } = c
  const { packet } = request
  if (packet.messageType !== 'request' && packet.messageType !== 'inform') return silent('not-a-pxe-request')
  const serverId = serverIdOf(packet)
  if (serverId !== undefined && !isOurServerId(snapshot, packet, serverId))
    return silent('another-server-chosen')
  const item = bootItemOf(packet)
  if (item !== undefined && wantsSignature(item)) return silent('signed-boot-not-served')
  const admission = admit(c)
  if (typeof admission === 'string') return silent(admission)
  const noted = noteBoot(c, admission.machineId)
  const boot = chooseBootFile(snapshot, mac, client, noted.attempt)
  const effects = [
    ...admission.effects,
    ...noted.effects,
    ...bootEvents(c, boot, admission.machineId, noted.bootId),
  ]
  const destination = replyDestination(snapshot, request, 'ack')
  if (destination === undefined || !namesFile(boot)) return silent(boot.reason, effects)
  const reply = buildProxyReply(
    snapshot,
    packet,
    {
      messageType: 'ack',
      vendorOptions: item === undefined ? undefined : bootItemValue(item),
      withBootFileOption: true,
    },
    client,
    boot,
  )
  return answer(c, reply, destination, boot.reason, 'pxe-answered', effects)
}

/** EDK2 ignores an answer from 4011 that names no file. */
function namesFile(boot: BootFile): boolean {
  return boot.namesServer && boot.file !== ''
}

/**
 * Option 43 of a proxy OFFER. BIOS ROMs and iPXE need "use the file of this offer"; UEFI asks 4011 when it is absent,
 * which every firmware seen does well, while some ignores an offer that has it.
 */
function vendorOptionsFor({ snapshot, client }: DhcpCase): Uint8Array | undefined {
  if (client.kind === 'raspberry-pi') return raspberryPiMenuValue()
  if (client.kind === 'http') return undefined
  const isUefiRom = client.kind === 'pxe' && client.architecture.firmware === 'uefi'
  return isUefiRom && snapshot.settings.proxyUefi !== 'direct' ? undefined : directBootValue()
}
