import { randomUUID } from 'node:crypto'
import { closeSync, openSync, statfsSync } from 'node:fs'
import path from 'node:path'
import type { Mac } from '../net/mac.ts'
import type { Decision } from '../policy/decision.ts'
import type { Effect } from '../policy/effect.ts'
import { carryOut } from './carry-out.ts'
import { Checkpointer } from './checkpoint.ts'
import { DataDirFull, makeDataDir } from './data-dir.ts'
import { DataDirLock } from './data-dir-lock.ts'
import { Decider } from './decide.ts'
import { isDiskFull } from './disk-trouble.ts'
import { FreshBytes } from './fresh-bytes.ts'
import { LastTimeFile } from './last-time-file.ts'
import { LogSync } from './log-sync.ts'
import { migrate } from './migrate.ts'
import { type Db, openReader, openWriter, syncByHand } from './open-database.ts'
import { readSealed } from './read-sealed.ts'
import { ServerKey, writeSecretFile } from './server-key.ts'
import { type ClockSources, ServerTime, SYSTEM_CLOCKS } from './server-time.ts'
import { forgetCaches, settleCaches, type Tables, tablesOn } from './tables/tables.ts'

/** 1 MiB: a few milliseconds in which nobody is answered. */
const BACKUP_PAGES_A_TURN = 256

/** What a snapshot is read from: the tables, the time, and randomness that nobody has seen. */
export interface View extends Tables {
  readonly nowMs: number
  readonly serverId: string
  readonly key: ServerKey
  /** When the server was last not running; undefined at its very first start. */
  readonly downtime: Downtime | undefined
  /** 32 random bytes, new at each call. */
  freshBytes(): Uint8Array
  /** Room on the disk that holds the data directory, now. */
  freeBytes(): number
}

export interface Downtime {
  readonly fromMs: number
  readonly untilMs: number
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
  readonly #lists: Tables
  readonly #key: ServerKey
  readonly dataDir: string
  readonly #lock: DataDirLock
  readonly #lastTime: LastTimeFile
  readonly #writer: Db
  readonly #reader: Db
  readonly #time: ServerTime
  readonly #downtime: Downtime | undefined
  readonly #tables: Tables
  readonly #view: View
  readonly #decider: Decider<View>
  readonly #logSync: LogSync
  readonly #checkpointer: Checkpointer
  readonly #listeners = new Set<(effects: readonly Effect[]) => void>()

  /** @throws DataDirUnusable, DataDirFull, DataDirInUse, DatabaseUnreadable, MigrationError, ServerKeyUnusable */
  static open(options: StoreOptions): Store {
    const { dataDir } = options
    let lock: DataDirLock | undefined
    try {
      makeDataDir(dataDir)
      lock = DataDirLock.take(dataDir)
      return new Store(options, lock)
    } catch (error) {
      lock?.release()
      throw isDiskFull(error) ? new DataDirFull(dataDir, error) : error
    }
  }

  private constructor(
    { dataDir, migrationsDir, onFatal, clocks = SYSTEM_CLOCKS }: StoreOptions,
    lock: DataDirLock,
  ) {
    this.dataDir = dataDir
    this.#lock = lock
    const file = path.join(dataDir, 'pilotlight.db')
    // A key that is none is told before there is a database.
    ServerKey.find(dataDir)
    this.#writer = openWriter(file)
    try {
      this.migrationCopy = migrate(this.#writer, file, migrationsDir)
      this.#key = ServerKey.for(readSealed(this.#writer), dataDir)
    } catch (error) {
      this.#writer.close()
      throw error
    }
    this.#reader = openReader(file)
    this.#lists = tablesOn(this.#reader, this.#key, 0)
    this.#tables = tablesOn(this.#writer, this.#key)
    const { secrets } = this.#tables
    const ownLastTimeMs = Number(secrets.meta('last_time_ms') ?? 0)
    this.#lastTime = new LastTimeFile(dataDir)
    const witnessMs = this.#lastTime.read() ?? 0
    // Later than the database knows: this is not the one that the server wrote last (F15).
    const isOlder = ownLastTimeMs > 0 && witnessMs > ownLastTimeMs
    const lastTimeMs = Math.max(ownLastTimeMs, witnessMs)
    this.#time = new ServerTime(lastTimeMs, (stepMs) => this.#noteClockStep(stepMs), clocks)
    this.serverId = secrets.meta('server_id') ?? randomUUID()
    const nowMs = this.#time.startMs
    this.#downtime = lastTimeMs > 0 ? { fromMs: lastTimeMs, untilMs: nowMs } : undefined
    this.#writer.transaction(() => this.#begin(nowMs, dataDir, isOlder))()
    this.#lastTime.write(nowMs)
    this.#view = this.#makeView()
    this.#logSync = new LogSync(`${file}-wal`)
    syncByHand(this.#writer)
    this.#decider = new Decider({
      db: this.#writer,
      view: this.#view,
      monotonicMs: () => clocks.monotonicMs(),
      carryOut: (effect) => carryOut(this.#tables, effect),
      sync: (done) => this.#logSync.sync(done),
      syncNow: () => this.#logSync.syncNow(),
      afterCommit: () => this.#afterCommit(),
      afterSync: (effects) => this.#afterSync(effects),
      mark: () => this.#tables.offers.mark,
      afterRollback: (mark) => {
        this.#tables.offers.undoTo(mark)
        forgetCaches(this.#tables)
      },
      onFatal,
    })
    this.#checkpointer = new Checkpointer(this.#writer, (error) => this.#decider.halt(error))
  }

  nowMs(): number {
    return this.#time.nowMs()
  }

  /** For lists: a second, read-only connection that cannot hold up a decision. It sees all that was answered. */
  get lists(): Tables {
    this.#decider.commitOpen()
    return this.#lists
  }

  /** Snapshot, pure decision, effects: one atomic unit. Resolves when what it promises is on the disk. */
  decide<Snapshot, Reply>(
    read: (view: View) => Snapshot,
    decide: (snapshot: Snapshot) => Decision<Reply>,
  ): Promise<Decision<Reply>> {
    return this.#decider.decide(read, decide)
  }

  /** Whether a MAC is a machine's: asked for every packet, strangers' too, and answered from memory. */
  knowsMac(mac: Mac): boolean {
    return this.#tables.machines.knowsMac(mac)
  }

  /** Reads what a decision would read, for one that is shown and thrown away; to change anything, `decide`. */
  peek<Snapshot>(read: (view: View) => Snapshot): Snapshot {
    return read(this.#view)
  }

  /** The boot that a report token speaks for; undefined: none of ours. */
  bootIdOfReportToken(token: string): string | undefined {
    return this.#key.bootIdOf(token)
  }

  /** Tells of every commit, once it is on the disk. */
  onCommit(listener: (effects: readonly Effect[]) => void): void {
    this.#listeners.add(listener)
  }

  /** Notes the time on disk, so that a start after a crash knows how long the server was away. */
  async noteTime(): Promise<void> {
    await this.#trace((atMs) => ({ kind: 'note-time', atMs }))
  }

  /** Room on the disk that holds the data directory, now. */
  freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.dataDir)
    return bavail * bsize
  }

  /** Bytes of the database, its log without. */
  databaseBytes(): number {
    const pages = this.#writer.pragma('page_count', { simple: true }) as number
    return pages * (this.#writer.pragma('page_size', { simple: true }) as number)
  }

  /**
   * Copies the database while it serves, a few hundred pages at a time. By the connection that writes: what it writes
   * meanwhile gets into the copy, where another connection's writing would make it begin again and again.
   */
  async backup(file: string): Promise<void> {
    closeSync(openSync(file, 'wx', 0o600))
    await this.#writer.backup(file, { progress: () => BACKUP_PAGES_A_TURN })
  }

  /** Carries out what is queued and closes the files. */
  close(): void {
    void this.noteTime()
    this.#decider.flush()
    this.#logSync.close()
    this.#checkpointer.close()
    this.#reader.close()
    this.#writer.close()
    this.#lock.release()
  }

  /** F14: what was down is nobody's silence, and takes no time from a token. */
  #begin(nowMs: number, dataDir: string, isOlder: boolean): void {
    const { secrets, attempts, redemptions, membership, clusters } = this.#tables
    secrets.putMeta('server_id', this.serverId)
    if (isOlder && secrets.restoredBy() === undefined) secrets.putMeta('restored_by', 'restore')
    attempts.countDowntimeAsHeard(nowMs)
    membership.countDowntimeAsHeard(nowMs)
    clusters.countDowntimeAsLed(nowMs)
    if (this.#downtime !== undefined) redemptions.extendByDowntime(this.#downtime)
    secrets.putMeta('last_time_ms', String(nowMs))
    // The first admin token, for the client commands on this machine; its file is there before its row is.
    if (!secrets.hasAnyToken()) {
      writeSecretFile(path.join(dataDir, 'admin.token'), `${secrets.makeToken('admin', 'admin', nowMs)}\n`)
      if (this.#downtime !== undefined) this.#noteRenewedToken(nowMs)
    }
  }

  #noteRenewedToken(atMs: number): void {
    const data = { by: 'token renew', name: 'admin', role: 'admin' }
    this.#tables.events.append({ atMs, type: 'token.renewed', data })
  }

  #makeView(): View {
    const store = this
    const fresh = new FreshBytes()
    return {
      ...this.#tables,
      serverId: this.serverId,
      key: this.#key,
      downtime: this.#downtime,
      get nowMs() {
        return store.nowMs()
      },
      freshBytes: () => fresh.take(),
      freeBytes: () => store.freeBytes(),
    }
  }

  #afterCommit(): void {
    settleCaches(this.#tables)
    this.#checkpointer.afterCommit()
  }

  #afterSync(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'put-lease') this.#tables.leases.noteCommitted(effect.lease)
      if (effect.kind === 'note-time') this.#lastTime.write(effect.atMs)
    }
    for (const listener of this.#listeners) listener(effects)
  }

  #noteClockStep(stepMs: number): void {
    void this.#trace((atMs) => ({
      kind: 'append-event',
      event: { atMs, type: 'clock.stepped', data: { step_ms: stepMs } },
    }))
  }

  /** Writes something of the server's own that nobody waits for. A disk that does not take it is told of elsewhere. */
  async #trace(effectAt: (nowMs: number) => Effect): Promise<void> {
    const noted = this.decide(
      (view) => view.nowMs,
      (nowMs) => ({ reply: undefined, reason: 'noted', effects: [effectAt(nowMs)] }),
    )
    await noted.catch(() => undefined)
  }
}
