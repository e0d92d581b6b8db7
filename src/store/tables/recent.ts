import type { ForeignServer } from '../../model/foreign-server.ts'
import type { ProbeVerdict } from '../../model/lease.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'

const LOADER_SENDS_KEPT_MS = 180_000
const LOADER_SENDS_KEPT = 8
/** Bounds each list: an invented MAC or server id must not be able to fill the memory. */
const MOST_ENTRIES = 16_384

/**
 * What is worth knowing for minutes only, and therefore in memory: a restart or a rollback may forget it, and nothing
 * that was promised is broken by that.
 */
export class RecentFacts {
  readonly #told = new Map<string, number>()
  readonly #loaderSends = new Map<string, readonly number[]>()
  readonly #verdicts = new Map<Ipv4, ProbeVerdict>()
  readonly #overheard = new Map<Ipv4, Mac>()
  readonly #foreign = new Map<Ipv4, ForeignServer>()

  /** When the feed was last told of a fact about a subject, by `type subject`. */
  get told(): ReadonlyMap<string, number> {
    return this.#told
  }

  noteTold(type: string, subject: string, atMs: number): void {
    put(this.#told, `${type} ${subject}`, atMs)
  }

  /** When loaders went out whole to a machine within the last 3 minutes and since its last script, oldest first. */
  loaderSends(machineId: string, nowMs: number): readonly number[] {
    return (this.#loaderSends.get(machineId) ?? []).filter((atMs) => nowMs - atMs <= LOADER_SENDS_KEPT_MS)
  }

  noteLoaderSent(machineId: string, atMs: number): void {
    const sends = [...this.loaderSends(machineId, atMs), atMs].slice(-LOADER_SENDS_KEPT)
    put(this.#loaderSends, machineId, sends)
  }

  forgetLoaderSends(machineId: string): void {
    this.#loaderSends.delete(machineId)
  }

  /** Who said last that another server gives it this address: a claim, good for following a boot and nothing else. */
  overheardAt(address: Ipv4): Mac | undefined {
    return this.#overheard.get(address)
  }

  noteOverheard(mac: Mac, address: Ipv4): void {
    put(this.#overheard, address, mac)
  }

  /** What probes found, by address. */
  get verdicts(): ReadonlyMap<Ipv4, ProbeVerdict> {
    return this.#verdicts
  }

  noteVerdict(address: Ipv4, verdict: ProbeVerdict): void {
    put(this.#verdicts, address, verdict)
  }

  /** Other DHCP servers heard since the start, the latest last. */
  foreignServers(): readonly ForeignServer[] {
    return [...this.#foreign.values()]
  }

  noteForeignServer(server: ForeignServer): void {
    put(this.#foreign, server.serverId, server)
  }

  forgetAll(): void {
    this.#told.clear()
    this.#loaderSends.clear()
    this.#verdicts.clear()
    this.#overheard.clear()
  }
}

/** Puts an entry last; the one that was put longest ago gives way. */
function put<Key, Value>(map: Map<Key, Value>, key: Key, value: Value): void {
  map.delete(key)
  map.set(key, value)
  const [oldest] = map.keys()
  if (map.size > MOST_ENTRIES && oldest !== undefined) map.delete(oldest)
}
