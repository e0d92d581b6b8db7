import { type Ipv4, ipv4FromBytes } from '../net/ipv4.ts'
import { type DhcpPacket, isRelayed, OPTION } from './packet.ts'
import { readSubOptions } from './sub-options.ts'

/** Codes inside option 82 (RFC 3046 and the RFCs named beside them). */
export const RELAY = {
  circuitId: 1,
  remoteId: 2,
  linkSelection: 5, // RFC 3527
  serverIdOverride: 11, // RFC 5107
  sourcePort: 19, // RFC 8357
} as const

/** What a relay agent added to a request. */
export interface RelayAgent {
  /** The port of the switch that the client hangs on, as the relay writes it. */
  readonly circuitId?: Uint8Array
  readonly remoteId?: Uint8Array
  /** An address of the subnet that the client is to get its address from; replies still go to giaddr. */
  readonly linkSelection?: Ipv4
  /** What the client is to take for the server's address (option 54), so that its renewals pass the relay. */
  readonly serverIdOverride?: Ipv4
  /** True when the reply must go to the UDP port that the request came from. */
  readonly wantsSourcePort: boolean
}

/**
 * Reads option 82 of a relayed packet.
 *
 * @returns undefined when there is none, or when giaddr is zero: any host can write option 82 into its own packet, and
 *   without a relay it is a claim that no policy may rest on. It is echoed all the same.
 */
export function relayAgentOf(packet: DhcpPacket): RelayAgent | undefined {
  const value = packet.options.get(OPTION.relayAgent)
  if (value === undefined || !isRelayed(packet)) return undefined
  const found = readSubOptions(value)
  const circuitId = found.get(RELAY.circuitId)
  const remoteId = found.get(RELAY.remoteId)
  const linkSelection = addressIn(found.get(RELAY.linkSelection))
  const serverIdOverride = addressIn(found.get(RELAY.serverIdOverride))
  return {
    ...(circuitId === undefined ? {} : { circuitId }),
    ...(remoteId === undefined ? {} : { remoteId }),
    ...(linkSelection === undefined ? {} : { linkSelection }),
    ...(serverIdOverride === undefined ? {} : { serverIdOverride }),
    wantsSourcePort: found.has(RELAY.sourcePort),
  }
}

function addressIn(value: Uint8Array | undefined): Ipv4 | undefined {
  return value?.length === 4 ? ipv4FromBytes(value) : undefined
}
