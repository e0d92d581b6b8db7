import { noProxyDhcpValue } from '../../dhcp/ipxe.ts'
import { addressesValue, parameterListOf, uint32Value } from '../../dhcp/options.ts'
import { BROADCAST_FLAG, type DhcpPacket, isRelayed, OPTION, packetOf } from '../../dhcp/packet.ts'
import { machineUuidValueOf } from '../../dhcp/pxe.ts'
import { directBootValue, raspberryPiMenuValue } from '../../dhcp/pxe-vendor-options.ts'
import { relayAgentOf } from '../../dhcp/relay-agent.ts'
import type { ReplyShape } from '../../model/quirk.ts'
import type { Subnet } from '../../model/subnet.ts'
import { textBytes } from '../../net/bytes.ts'
import { type Ipv4, UNSPECIFIED } from '../../net/ipv4.ts'
import { type BootFile, bootServerOf } from './choose-boot-file.ts'
import type { DhcpCase } from './dhcp-case.ts'
import { putNetworkOptions } from './network-options.ts'
import { OptionList } from './option-list.ts'
import type { DhcpSnapshot } from './snapshot.ts'

/** The longest text that `file` holds with the NUL that ends it. */
const FILE_CHARS = 127

/** An OFFER or ACK that leases an address. OFFER and ACK of one exchange differ in option 53 and ciaddr alone. */
export function buildLeaseReply(
  c: DhcpCase,
  subnet: Subnet,
  boot: BootFile,
  lease: { readonly messageType: 'offer' | 'ack'; readonly yiaddr: Ipv4; readonly leaseSeconds: number },
): DhcpPacket {
  const { messageType, yiaddr, leaseSeconds } = lease
  const options = optionsOf(c)
  options.put(OPTION.leaseSeconds, uint32Value(leaseSeconds))
  options.put(OPTION.renewalSeconds, uint32Value(Math.floor(leaseSeconds / 2)))
  options.put(OPTION.rebindingSeconds, uint32Value(Math.floor((leaseSeconds * 7) / 8)))
  const ciaddr = messageType === 'ack' ? c.request.packet.ciaddr : undefined
  return configured(c, subnet, boot, options, { messageType, ciaddr, yiaddr })
}

/** The ACK to an INFORM: configuration without a lease, so no 51, 58, 59 and no yiaddr (RFC 2131 §4.3.5). */
export function buildInformReply(c: DhcpCase, subnet: Subnet, boot: BootFile): DhcpPacket {
  const { ciaddr } = c.request.packet
  return configured(c, subnet, boot, optionsOf(c), { messageType: 'ack', ciaddr })
}

/** A NAK: 53, 54, a short text, and the echoes; nothing that a client could take for a configuration. */
export function buildNak({ snapshot, request: { packet: request } }: DhcpCase, text: string): DhcpPacket {
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
  c: DhcpCase,
  boot: BootFile,
  proxy: {
    readonly messageType: 'offer' | 'ack'
    /** Option 43; undefined: the reply has none. */
    readonly vendorOptions: Uint8Array | undefined
    /** True to name the file in option 67 too where the client asks for it. */
    readonly withBootFileOption: boolean
  },
): DhcpPacket {
  const { client, shape } = c
  const { flags, ciaddr } = c.request.packet
  const options = optionsOf(c)
  options.put(OPTION.vendorClass, textBytes(client.kind === 'http' ? 'HTTPClient' : 'PXEClient'))
  if (proxy.vendorOptions !== undefined) options.put(OPTION.vendorOptions, proxy.vendorOptions)
  if (proxy.withBootFileOption || isOnlyInOption(boot, shape)) putBootFile(options, boot, shape)
  const { messageType } = proxy
  const isOffer = messageType === 'offer'
  const head = { messageType, ...(isOffer ? { flags: flags | BROADCAST_FLAG } : { ciaddr }) }
  return withBootFields(c, boot, options, head)
}

/**
 * What option 54 says: the relay's address where it asks to stand in for us (RFC 5107), or where it did so when the
 * lease was granted and the client now asks us without it; else our own.
 */
export function serverIdFor(snapshot: DhcpSnapshot, request: DhcpPacket): Ipv4 {
  const { mode, serverAddress } = snapshot.settings
  // The relay stands in for the server that leases. Were we to call ourselves by its address too, nobody could tell us apart.
  if (mode === 'proxy') return serverAddress
  return relayAgentOf(request)?.serverIdOverride ?? overrideKeptWith(snapshot, request) ?? serverAddress
}

/** The override of the lease that is being renewed; a client that begins anew says again where it is. */
export function overrideKeptWith(snapshot: DhcpSnapshot, request: DhcpPacket): Ipv4 | undefined {
  return request.ciaddr !== UNSPECIFIED && snapshot.lease?.address === request.ciaddr
    ? snapshot.lease.serverId
    : undefined
}

/** The options of a reply, 54 among them, and room for what the client asks for. */
function optionsOf({ snapshot, request: { packet } }: DhcpCase): OptionList {
  const options = new OptionList(parameterListOf(packet))
  options.put(OPTION.serverId, addressesValue([serverIdFor(snapshot, packet)]))
  return options
}

type ReplyHead = Pick<ReplyFields, 'messageType' | 'flags' | 'ciaddr' | 'yiaddr'>

/** A reply with all that the operator configured: network, boot data, echoes. */
function configured(
  c: DhcpCase,
  subnet: Subnet,
  boot: BootFile,
  options: OptionList,
  head: ReplyHead,
): DhcpPacket {
  putNetwork(options, c.snapshot, subnet)
  putBoot(options, c, boot)
  return withBootFields(c, boot, options, head)
}

function withBootFields(
  { snapshot, request: { packet }, shape }: DhcpCase,
  boot: BootFile,
  options: OptionList,
  head: ReplyHead,
): DhcpPacket {
  putEchoes(options, packet)
  return replyTo(packet, { ...head, ...bootFields(snapshot, boot, shape), options: options.inOrder() })
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
  const { machine } = snapshot
  putNetworkOptions(options, subnet, machine?.dhcpOptions ?? [])
  // Only a name that an operator gave: what a machine calls itself is never sent back.
  if (machine !== undefined && machine.state !== 'discovered') {
    options.putIfRequested(OPTION.hostName, textBytes(machine.name))
  }
}

function putBoot(options: OptionList, { snapshot, client, shape }: DhcpCase, boot: BootFile): void {
  if (client.kind === 'http') {
    // UEFI discards an offer to an HTTPClient that does not say so itself.
    options.put(OPTION.vendorClass, textBytes('HTTPClient'))
  } else if (client.kind === 'raspberry-pi' || (client.kind === 'pxe' && shape.pxeClass === true)) {
    options.put(OPTION.vendorClass, textBytes('PXEClient'))
    const menu = client.kind === 'raspberry-pi' ? 'raspberry-pi' : 'direct'
    const value = vendorOptionsValue(shape.vendorOptions ?? menu)
    if (value !== undefined) options.put(OPTION.vendorOptions, value)
  }
  // Any other PXEClient gets no option 60: EDK2 would take the offer for a BINL server's and ask port 4011 once more.
  if (boot.namesServer) options.putIfRequested(OPTION.tftpServer, textBytes(bootServerOf(snapshot)))
  putBootFile(options, boot, shape)
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
function bootFields(
  snapshot: DhcpSnapshot,
  boot: BootFile,
  shape: ReplyShape,
): Pick<ReplyFields, 'siaddr' | 'sname' | 'file'> {
  if (!boot.namesServer) return {}
  const server = bootServerOf(snapshot)
  return { siaddr: server, sname: server, file: isOnlyInOption(boot, shape) ? '' : boot.file }
}

/** True when the file is named in option 67 alone: it is too long for the field, or the firmware wants it so. */
function isOnlyInOption(boot: BootFile, shape: ReplyShape): boolean {
  return boot.file.length > FILE_CHARS || shape.fileIn === 'option'
}

function putBootFile(options: OptionList, boot: BootFile, shape: ReplyShape): void {
  if (boot.file === '') return
  if (isOnlyInOption(boot, shape)) options.put(OPTION.bootFile, textBytes(boot.file))
  else if (shape.fileIn !== 'field') options.putIfRequested(OPTION.bootFile, textBytes(boot.file))
}

/** Option 43 by the word of a quirk; undefined: none. */
export function vendorOptionsValue(word: NonNullable<ReplyShape['vendorOptions']>): Uint8Array | undefined {
  switch (word) {
    case 'none':
      return undefined
    case 'direct':
      return directBootValue()
    case 'raspberry-pi':
      return raspberryPiMenuValue()
  }
}
