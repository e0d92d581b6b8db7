import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Config } from '../../src/config/config.ts'
import type { Machine } from '../../src/model/machine.ts'
import type { DhcpDecision } from '../../src/policy/dhcp/dhcp-case.ts'
import type { DhcpRequest } from '../../src/policy/dhcp/question.ts'
import { DEFAULT_STALL_LIMITS } from '../../src/policy/diagnosis/limits.ts'
import type { Effect } from '../../src/policy/effect.ts'
import { DEFAULT_EVENT_RETENTION } from '../../src/policy/event-retention.ts'
import { DEFAULT_IMAGE_LIMITS } from '../../src/policy/image/preflight.ts'
import { answerDhcp } from '../../src/servers/dhcp/answer-dhcp.ts'
import type { AddressProber } from '../../src/servers/dhcp/arp-prober.ts'
import type { DhcpPlace } from '../../src/servers/dhcp/dhcp-place.ts'
import { Store } from '../../src/store/store.ts'
import { ip, LOCAL, machineOf, NOW_MS, REMOTE, S, settingsOf } from './dhcp-builders.ts'

const MIGRATIONS = fileURLToPath(new URL('../../migrations', import.meta.url))

/** A configuration as the vectors assume it: server 192.0.2.1, a local and a remote subnet. */
export function configWith(changes: Partial<Config> = {}): Config {
  return {
    dataDir: '/nowhere',
    serverAddress: S,
    dhcp: { mode: 'authoritative', port: 67, proxyPort: 4011, proxyUefi: 'binl', conflictProbe: false },
    subnets: [LOCAL, REMOTE],
    unknownMachines: 'ignore',
    tftp: { enabled: false, port: 69 },
    boot: { port: 8080 },
    images: { maxSetMib: 100, limits: DEFAULT_IMAGE_LIMITS },
    api: { host: '127.0.0.1', port: 8090 },
    stall: DEFAULT_STALL_LIMITS,
    events: DEFAULT_EVENT_RETENTION,
    log: { level: 'info', format: 'json' },
    assetsDir: '/nowhere',
    ...changes,
  }
}

/** The DHCP engine over a real store in a directory of its own, at a time that the test sets. */
export class DhcpEngine {
  nowMs = NOW_MS
  prober: AddressProber | undefined
  config: Config
  readonly #dir = mkdtempSync(join(tmpdir(), 'dhcp-engine-'))
  #store: Store

  constructor(t: { teardown(done: () => unknown): void }, config: Partial<Config> = {}) {
    this.config = configWith(config)
    this.#store = this.#open()
    t.teardown(() => {
      this.#store.close()
      rmSync(this.#dir, { recursive: true })
    })
  }

  get store(): Store {
    return this.#store
  }

  get place(): DhcpPlace {
    const { serverAddress: address } = this.config
    const { loaders } = settingsOf()
    return { config: this.config, address, ownAddresses: [address], loaders, prober: this.prober }
  }

  /** Registers the machines of the vectors: 01, 02 and 04 with a reservation, 03 without. */
  async addKnownMachines(): Promise<void> {
    await this.put(
      machineOf(1, { reservedAddress: ip('192.0.2.50') }),
      machineOf(2, { reservedAddress: ip('192.0.2.51') }),
      machineOf(3),
      machineOf(4, { reservedAddress: ip('203.0.113.60') }),
    )
  }

  async put(...machines: readonly Machine[]): Promise<void> {
    await this.carryOut(machines.map((machine) => ({ kind: 'put-machine', machine })))
  }

  async carryOut(effects: readonly Effect[]): Promise<void> {
    await this.#store.decide(
      () => undefined,
      () => ({ reply: undefined, reason: 'arranged', effects }),
    )
  }

  handle(request: DhcpRequest): Promise<DhcpDecision> {
    return answerDhcp(this.#store, this.place, request)
  }

  /** Stops the server, lets time pass, and starts it on the same files. */
  restartAfter(ms: number): void {
    this.#store.close()
    this.nowMs += ms
    this.#store = this.#open()
  }

  eventTypes(): readonly string[] {
    return this.#store.lists.events.after(0, 1000).map(({ type }) => type)
  }

  #open(): Store {
    return Store.open({
      dataDir: this.#dir,
      migrationsDir: MIGRATIONS,
      onFatal: (error) => {
        throw error
      },
      clocks: { wallMs: () => this.nowMs, monotonicMs: () => this.nowMs },
    })
  }
}
