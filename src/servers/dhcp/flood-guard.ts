import { type DhcpPacket, isRelayed } from '../../dhcp/packet.ts'
import { relayAgentOf } from '../../dhcp/relay-agent.ts'
import { toHex } from '../../net/bytes.ts'
import type { Mac } from '../../net/mac.ts'
import { TokenBuckets } from './token-buckets.ts'

/** Messages in a second, and how many may come at once before that counts. */
export interface FloodLimits {
  /** Of one MAC, known or not. */
  readonly mac: readonly [perSecond: number, burst: number]
  /** Of all unknown MACs behind one port of a switch, as a relay names it (option 82 sub-option 1). */
  readonly relayPort: readonly [perSecond: number, burst: number]
  /** Of all unknown MACs of a link, or behind a relay that names no port. */
  readonly link: readonly [perSecond: number, burst: number]
  /** Of all unknown MACs together, since a stranger may invent relays as well. */
  readonly strangers: readonly [perSecond: number, burst: number]
  /** Different unknown MACs of one switch port in a minute. */
  readonly newMacsPerRelayPort: number
}

/** A hall that is switched on at once stays far below these; one port has one machine, or a hypervisor. */
export const FLOOD_LIMITS: FloodLimits = {
  mac: [200, 500],
  relayPort: [20, 40],
  link: [200, 1000],
  strangers: [500, 2000],
  newMacsPerRelayPort: 32,
}

/** Why a message is dropped before it is decided; counted by the server. */
export type FloodReason = 'mac-flood' | 'port-flood' | 'unknown-flood' | 'new-mac-flood'

const MOST_KEYS = 8192
const MINUTE_MS = 60_000

/**
 * Drops what nobody could want decided, before it costs a transaction. Only unknown MACs are bounded together: whatever
 * strangers send, the machines that an operator registered are bounded by nobody's rate but their own.
 */
export class FloodGuard {
  readonly #limits: FloodLimits
  readonly #macs: TokenBuckets
  readonly #relayPorts: TokenBuckets
  readonly #links: TokenBuckets
  readonly #strangers: TokenBuckets
  readonly #toldAtMs = new Map<FloodReason, number>()
  readonly #newMacs = new Map<string, { readonly sinceMs: number; readonly macs: Set<string> }>()

  constructor(limits: FloodLimits = FLOOD_LIMITS) {
    this.#limits = limits
    this.#macs = new TokenBuckets(...limits.mac, MOST_KEYS)
    this.#relayPorts = new TokenBuckets(...limits.relayPort, MOST_KEYS)
    this.#links = new TokenBuckets(...limits.link, MOST_KEYS)
    this.#strangers = new TokenBuckets(...limits.strangers, MOST_KEYS)
  }

  /** Why the message is not to be decided; undefined: it is. */
  refusal(
    packet: DhcpPacket,
    mac: Mac | undefined,
    isKnown: boolean,
    nowMs: number,
  ): FloodReason | undefined {
    if (mac !== undefined && !this.#macs.take(mac, nowMs)) return 'mac-flood'
    if (isKnown) return undefined
    const { port, isRelayPort } = portOf(packet)
    if (!(isRelayPort ? this.#relayPorts : this.#links).take(port, nowMs)) return 'port-flood'
    if (!this.#strangers.take('all', nowMs)) return 'unknown-flood'
    return isRelayPort && mac !== undefined ? this.#newMacRefusal(port, mac, nowMs) : undefined
  }

  /** True once a minute for each reason: what a flood is must be told, and not a thousand times a second. */
  isNews(reason: FloodReason, nowMs: number): boolean {
    const toldAtMs = this.#toldAtMs.get(reason)
    if (toldAtMs !== undefined && nowMs - toldAtMs < MINUTE_MS) return false
    this.#toldAtMs.set(reason, nowMs)
    return true
  }

  #newMacRefusal(port: string, mac: Mac, nowMs: number): FloodReason | undefined {
    let seen = this.#newMacs.get(port)
    if (seen === undefined || nowMs - seen.sinceMs >= MINUTE_MS) {
      seen = { sinceMs: nowMs, macs: new Set() }
      this.#newMacs.delete(port)
      this.#newMacs.set(port, seen)
      const [oldest] = this.#newMacs.keys()
      if (this.#newMacs.size > MOST_KEYS && oldest !== undefined) this.#newMacs.delete(oldest)
    }
    if (seen.macs.has(mac)) return undefined
    if (seen.macs.size >= this.#limits.newMacsPerRelayPort) return 'new-mac-flood'
    seen.macs.add(mac)
    return undefined
  }
}

/** Where a message comes in: the switch port that a relay names, else the relay, else this link. */
export function portOf(packet: DhcpPacket): { readonly port: string; readonly isRelayPort: boolean } {
  const circuitId = relayAgentOf(packet)?.circuitId
  if (circuitId !== undefined) {
    return { port: `${packet.giaddr} ${toHex(circuitId.subarray(0, 64))}`, isRelayPort: true }
  }
  return { port: isRelayed(packet) ? packet.giaddr : 'link', isRelayPort: false }
}
