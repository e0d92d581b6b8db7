import { randomBytes, randomUUID } from 'node:crypto'
import { chmodSync, mkdirSync } from 'node:fs'
import path from 'node:path'
import type { Decision } from '../policy/decision.ts'
import type { Effect } from '../policy/effect.ts'
import { carryOut } from './carry-out.ts'
import { Decider } from './decide.ts'
import { migrate } from './migrate.ts'
import { type Db, openReader, openWriter } from './open-database.ts'
import { ServerKey, writeSecretFile } from './server-key.ts'
import { type ClockSources, ServerTime, SYSTEM_CLOCKS } from './server-time.ts'
import { type Tables, tablesOn } from './tables/tables.ts'

/** What a snapshot is read from: the tables, the time, and randomness that nobody has seen. */
export interface View extends Tables {
  readonly nowMs: number
  readonly serverId: string
  readonly key: ServerKey
  /** 32 random bytes, new at each call. */
  freshBytes(): Uint8Array
}

export interface StoreOptions {
  readonly dataDir: string
  readonly migrationsDir: string
  /** Called when the disk cannot be trusted any more; the process must stop serving and exit. */
  readonly onFatal: (error: Error) => void
  readonly clocks?: ClockSources
}

/** Everything that Pilotlight remembers, behind one way to change it. */
export class Store {
  /** The path of the copy that was made before migrating, where one was. */
  readonly migrationCopy: string | undefined
  readonly serverId: string
  /** For lists: a second, read-only connection that cannot hold up a decision. */
  readonly lists: Tables
  readonly #key: ServerKey
  readonly #writer: Db
  readonly #reader: Db
  readonly #time: ServerTime
  readonly #tables: Tables
  readonly #decider: Decider<View>
  readonly #listeners = new Set<(effects: readonly Effect[]) => void>()

  static open(options: StoreOptions): Store {
    return new Store(options)
  }

  private constructor({ dataDir, migrationsDir, onFatal, clocks = SYSTEM_CLOCKS }: StoreOptions) {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    chmodSync(dataDir, 0o700)
    const file = path.join(dataDir, 'pilotlight.db')
    this.#key = ServerKey.at(dataDir)
    this.#writer = openWriter(file)
    this.migrationCopy = migrate(this.#writer, file, migrationsDir)
    this.#reader = openReader(file)
    this.lists = tablesOn(this.#reader, this.#key)
    this.#tables = tablesOn(this.#writer, this.#key)
    const { secrets } = this.#tables
    const lastTimeMs = Number(secrets.meta('last_time_ms') ?? 0)
    this.#time = new ServerTime(lastTimeMs, (stepMs) => this.#noteClockStep(stepMs), clocks)
    this.serverId = secrets.meta('server_id') ?? randomUUID()
    this.#writer.transaction(() => this.#begin(lastTimeMs, dataDir))()
    this.#decider = new Decider({
      db: this.#writer,
      view: this.#view(),
      carryOut: (effect) => carryOut(this.#tables, effect),
      afterCommit: (effects) => this.#afterCommit(effects),
      afterRollback: () => this.#forgetCaches(),
      onFatal,
    })
  }

  nowMs(): number {
    return this.#time.nowMs()
  }

  /** Snapshot, pure decision, effects: one atomic unit. Resolves when what it promises is on the disk. */
  decide<Snapshot, Reply>(
    read: (view: View) => Snapshot,
    decide: (snapshot: Snapshot) => Decision<Reply>,
  ): Promise<Decision<Reply>> {
    return this.#decider.decide(read, decide)
  }

  /** The boot that a report token speaks for; undefined: none of ours. */
  bootIdOfReportToken(token: string): string | undefined {
    return this.#key.bootIdOf(token)
  }

  /** Tells of every commit, after it. */
  onCommit(listener: (effects: readonly Effect[]) => void): void {
    this.#listeners.add(listener)
  }

  /** Notes the time on disk, so that a start after a crash knows how long the server was away. */
  noteTime(): void {
    this.#tables.secrets.putMeta('last_time_ms', String(this.nowMs()))
  }

  /** Carries out what is queued and closes the files. */
  close(): void {
    this.#decider.flush()
    try {
      this.noteTime()
    } finally {
      this.#reader.close()
      this.#writer.close()
    }
  }

  /** F14: what was down is nobody's silence, and takes no time from a token. */
  #begin(lastTimeMs: number, dataDir: string): void {
    const nowMs = this.#time.nowMs()
    const { secrets, attempts, redemptions } = this.#tables
    secrets.putMeta('server_id', this.serverId)
    attempts.countDowntimeAsHeard(nowMs)
    if (lastTimeMs > 0 && nowMs > lastTimeMs) redemptions.extendByDowntime(nowMs - lastTimeMs, lastTimeMs)
    secrets.putMeta('last_time_ms', String(nowMs))
    // The first admin token, for the client commands on this machine; its file is there before its row is.
    if (!secrets.hasAnyToken()) {
      writeSecretFile(path.join(dataDir, 'admin.token'), `${secrets.makeToken('admin', 'admin', nowMs)}\n`)
    }
  }

  #view(): View {
    const store = this
    return {
      ...this.#tables,
      serverId: this.serverId,
      key: this.#key,
      get nowMs() {
        return store.nowMs()
      },
      freshBytes: () => new Uint8Array(randomBytes(32)),
    }
  }

  #afterCommit(effects: readonly Effect[]): void {
    for (const listener of this.#listeners) listener(effects)
  }

  #forgetCaches(): void {
    this.#tables.machines.forgetCache()
    this.#tables.images.forgetCache()
  }

  #noteClockStep(stepMs: number): void {
    const atMs = this.nowMs()
    void this.decide(
      () => undefined,
      () => ({
        reply: undefined,
        reason: 'clock-stepped',
        effects: [
          { kind: 'append-event', event: { atMs, type: 'clock.stepped', data: { step_ms: stepMs } } },
        ],
      }),
    )
  }
}
