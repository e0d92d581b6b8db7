import { uint16Value } from '../../dhcp/options.ts'
import { chaddrOf, type DhcpPacket, type MessageType, OPTION, packetOf } from '../../dhcp/packet.ts'
import { architectureOf } from '../../model/architectures.ts'
import { textBytes } from '../../net/bytes.ts'
import { type Ipv4, UNSPECIFIED } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'

/** A client that is only imagined: what it would send. */
export interface ImaginedClient {
  readonly mac: Mac
  readonly messageType: MessageType
  /** Option 93; undefined: an operating system, not firmware. */
  readonly architecture?: number
  /** Address of the relay that it is behind. */
  readonly giaddr?: Ipv4
  readonly ciaddr?: Ipv4
  /** Put over what the architecture brings along; an empty value takes an option away. */
  readonly options?: ReadonlyMap<number, Uint8Array>
}

/** What boot ROMs ask for, with what an operating system wants beside. */
const ASKED_FOR = Uint8Array.of(1, 2, 3, 6, 12, 15, 26, 28, 42, 43, 51, 54, 58, 59, 60, 66, 67, 97, 119, 121)
const UNDI = { bios: '002001', other: '003000' } as const

/** The message that such a client would send, in the shape that firmware of its architecture gives it. */
export function composeRequest(client: ImaginedClient): DhcpPacket {
  const options = new Map<number, Uint8Array>()
  options.set(OPTION.parameterList, ASKED_FOR)
  options.set(OPTION.maxMessageSize, uint16Value(1472))
  if (client.architecture !== undefined) putFirmware(options, client.architecture)
  for (const [code, value] of client.options ?? []) {
    if (value.length === 0) options.delete(code)
    else options.set(code, value)
  }
  return packetOf({
    op: 1,
    messageType: client.messageType,
    xid: 0x51_4d_55_4c,
    chaddr: chaddrOf(client.mac),
    ciaddr: client.ciaddr ?? UNSPECIFIED,
    giaddr: client.giaddr ?? UNSPECIFIED,
    options,
  })
}

function putFirmware(options: Map<number, Uint8Array>, code: number): void {
  const architecture = architectureOf(code)
  const isBios = architecture?.firmware === 'bios'
  const kind = architecture?.isHttpBoot === true ? 'HTTPClient' : 'PXEClient'
  const digits = String(code).padStart(5, '0')
  options.set(OPTION.vendorClass, textBytes(`${kind}:Arch:${digits}:UNDI:${isBios ? UNDI.bios : UNDI.other}`))
  options.set(OPTION.architecture, uint16Value(code))
  options.set(OPTION.networkInterface, isBios ? Uint8Array.of(1, 2, 1) : Uint8Array.of(1, 3, 0))
}
