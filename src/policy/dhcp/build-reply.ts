import { noProxyDhcpValue } from '../../dhcp/ipxe.ts'
import { addressesValue, parameterListOf, uint32Value } from '../../dhcp/options.ts'
import { BROADCAST_FLAG, type DhcpPacket, isRelayed, OPTION, packetOf } from '../../dhcp/packet.ts'
import { machineUuidValueOf } from '../../dhcp/pxe.ts'
import { raspberryPiMenuValue } from '../../dhcp/pxe-vendor-options.ts'
import { relayAgentOf } from '../../dhcp/relay-agent.ts'
import type { Subnet } from '../../model/subnet.ts'
import { textBytes } from '../../net/bytes.ts'
import { broadcastOf, type Ipv4, netmaskOf } from '../../net/ipv4.ts'
import { type BootFile, bootServerOf } from './choose-boot-file.ts'
import type { BootClient } from './classify-client.ts'
import { OptionList } from './option-list.ts'
import type { DhcpSnapshot } from './snapshot.ts'

/** The longest text that `file` holds with the NUL that ends it. */
const FILE_CHARS = 127

/** An OFFER or ACK that leases an address. OFFER and ACK of one exchange differ in option 53 and ciaddr alone. */
export function buildLeaseReply(
  snapshot: DhcpSnapshot,
  subnet: Subnet,
  request: DhcpPacket,
  lease: { readonly messageType: 'offer' | 'ack'; readonly yiaddr: Ipv4; readonly leaseSeconds: number },
  client: BootClient,
  boot: BootFile,
): DhcpPacket {
  const options = new OptionList(parameterListOf(request))
  options.put(OPTION.serverId, addressesValue([serverIdFor(snapshot, request)]))
  options.put(OPTION.leaseSeconds, uint32Value(lease.leaseSeconds))
  options.put(OPTION.renewalSeconds, uint32Value(Math.floor(lease.leaseSeconds / 2)))
  options.put(OPTION.rebindingSeconds, uint32Value(Math.floor((lease.leaseSeconds * 7) / 8)))
  putNetwork(options, snapshot, subnet)
  putBoot(options, snapshot, client, boot)
  putEchoes(options, request)
  return replyTo(request, {
    messageType: lease.messageType,
    ciaddr: lease.messageType === 'ack' ? request.ciaddr : undefined,
    yiaddr: lease.yiaddr,
    ...bootFields(snapshot, boot),
    options: options.inOrder(),
  })
}

/** The ACK to an INFORM: configuration without a lease, so no 51, 58, 59 and no yiaddr (RFC 2131 §4.3.5). */
export function buildInformReply(
  snapshot: DhcpSnapshot,
  subnet: Subnet,
  request: DhcpPacket,
  client: BootClient,
  boot: BootFile,
): DhcpPacket {
  const options = new OptionList(parameterListOf(request))
  options.put(OPTION.serverId, addressesValue([serverIdFor(snapshot, request)]))
  putNetwork(options, snapshot, subnet)
  putBoot(options, snapshot, client, boot)
  putEchoes(options, request)
  return replyTo(request, {
    messageType: 'ack',
    ciaddr: request.ciaddr,
    ...bootFields(snapshot, boot),
    options: options.inOrder(),
  })
}

/** A NAK: 53, 54, a short text, and the echoes; nothing that a client could take for a configuration. */
export function buildNak(snapshot: DhcpSnapshot, request: DhcpPacket, text: string): DhcpPacket {
  const options = new OptionList(undefined)
  options.put(OPTION.serverId, addressesValue([serverIdFor(snapshot, request)]))
  options.put(OPTION.message, textBytes(text))
  options.echo(request, OPTION.clientId)
  options.echo(request, OPTION.relayAgent)
  return replyTo(request, {
    messageType: 'nak',
    // RFC 2131 §4.3.2: the relay must broadcast it, since the client may have no address on that link.
    flags: isRelayed(request) ? request.flags | BROADCAST_FLAG : request.flags,
    options: options.inOrder(),
  })
}

/** Boot data for a client whose address comes from another server: an OFFER on 67, or an ACK on 4011. */
export function buildProxyReply(
  snapshot: DhcpSnapshot,
  request: DhcpPacket,
  proxy: {
    readonly messageType: 'offer' | 'ack'
    /** Option 43; undefined: the reply has none. */
    readonly vendorOptions: Uint8Array | undefined
    /** True to name the file in option 67 too where the client asks for it. */
    readonly withBootFileOption: boolean
  },
  client: BootClient,
  boot: BootFile,
): DhcpPacket {
  const options = new OptionList(parameterListOf(request))
  options.put(OPTION.serverId, addressesValue([serverIdFor(snapshot, request)]))
  options.put(OPTION.vendorClass, textBytes(client.kind === 'http' ? 'HTTPClient' : 'PXEClient'))
  if (proxy.vendorOptions !== undefined) options.put(OPTION.vendorOptions, proxy.vendorOptions)
  if (boot.file.length > FILE_CHARS) options.put(OPTION.bootFile, textBytes(boot.file))
  else if (proxy.withBootFileOption && boot.file !== '')
    options.putIfRequested(OPTION.bootFile, textBytes(boot.file))
  putEchoes(options, request)
  const isOffer = proxy.messageType === 'offer'
  return replyTo(request, {
    messageType: proxy.messageType,
    flags: isOffer ? request.flags | BROADCAST_FLAG : request.flags,
    ciaddr: isOffer ? undefined : request.ciaddr,
    ...bootFields(snapshot, boot),
    options: options.inOrder(),
  })
}

/**
 * What option 54 says: the relay's address where it asks to stand in for us (RFC 5107), else our own.
 */
export function serverIdFor(snapshot: DhcpSnapshot, request: DhcpPacket): Ipv4 {
  return relayAgentOf(request)?.serverIdOverride ?? snapshot.settings.serverAddress
}

interface ReplyFields {
  readonly messageType: DhcpPacket['messageType']
  readonly flags?: number
  readonly ciaddr?: Ipv4 | undefined
  readonly yiaddr?: Ipv4
  readonly siaddr?: Ipv4
  readonly sname?: string
  readonly file?: string
  readonly options: ReadonlyMap<number, Uint8Array>
}

/** Copies what RFC 2131 table 3 copies; hops and secs are zero, and so is every address not given. */
function replyTo(request: DhcpPacket, { ciaddr, ...fields }: ReplyFields): DhcpPacket {
  return packetOf({
    op: 2,
    htype: request.htype,
    hlen: request.hlen,
    xid: request.xid,
    flags: request.flags,
    giaddr: request.giaddr,
    chaddr: request.chaddr,
    ...(ciaddr === undefined ? {} : { ciaddr }),
    ...fields,
  })
}

function putNetwork(options: OptionList, snapshot: DhcpSnapshot, subnet: Subnet): void {
  // EDK2 gives up a lease without a netmask, asked for or not.
  options.put(OPTION.subnetMask, addressesValue([netmaskOf(subnet.cidr.prefixBits)]))
  options.putIfWanted(OPTION.broadcastAddress, addressesValue([broadcastOf(subnet.cidr)]))
  if (subnet.router !== undefined) options.putIfWanted(OPTION.router, addressesValue([subnet.router]))
  if (subnet.dns.length > 0) options.putIfWanted(OPTION.dns, addressesValue(subnet.dns))
  if (subnet.domain !== undefined) options.putIfWanted(OPTION.domainName, textBytes(subnet.domain))
  if (subnet.ntp.length > 0) options.putIfWanted(OPTION.ntp, addressesValue(subnet.ntp))
  const { machine } = snapshot
  // Only a name that an operator gave: what a machine calls itself is never sent back.
  if (machine !== undefined && machine.state !== 'discovered') {
    options.putIfRequested(OPTION.hostName, textBytes(machine.name))
  }
}

function putBoot(options: OptionList, snapshot: DhcpSnapshot, client: BootClient, boot: BootFile): void {
  if (client.kind === 'http') {
    // UEFI discards an offer to an HTTPClient that does not say so itself.
    options.put(OPTION.vendorClass, textBytes('HTTPClient'))
  } else if (client.kind === 'raspberry-pi') {
    options.put(OPTION.vendorClass, textBytes('PXEClient'))
    options.put(OPTION.vendorOptions, raspberryPiMenuValue())
  }
  // A PXEClient gets no option 60: EDK2 would take the offer for a BINL server's and ask port 4011 once more.
  if (boot.namesServer) options.putIfRequested(OPTION.tftpServer, textBytes(bootServerOf(snapshot)))
  if (boot.file.length > FILE_CHARS) options.put(OPTION.bootFile, textBytes(boot.file))
  else if (boot.file !== '') options.putIfRequested(OPTION.bootFile, textBytes(boot.file))
  if (boot.configFile !== undefined) options.putIfRequested(OPTION.configFile, textBytes(boot.configFile))
  if (client.kind === 'ipxe' || client.kind === 'own-ipxe') options.put(OPTION.ipxe, noProxyDhcpValue())
}

/** A ROM checks that option 97 is its own. RFC 6842 §3: a client identifier is echoed byte for byte. RFC 3046 §2.2: so is the relay's information. */
function putEchoes(options: OptionList, request: DhcpPacket): void {
  const uuid = machineUuidValueOf(request)
  if (uuid !== undefined) options.put(OPTION.machineUuid, uuid)
  options.echo(request, OPTION.clientId)
  options.echo(request, OPTION.relayAgent)
}

/**
 * Every client reads another one of these: iPXE `file` before 67, EDK2 67 before `file` and siaddr before 54, a
 * Raspberry Pi siaddr or 66. So all of them say the same.
 */
function bootFields(snapshot: DhcpSnapshot, boot: BootFile): Pick<ReplyFields, 'siaddr' | 'sname' | 'file'> {
  if (!boot.namesServer) return {}
  const server = bootServerOf(snapshot)
  return { siaddr: server, sname: server, file: boot.file.length > FILE_CHARS ? '' : boot.file }
}
