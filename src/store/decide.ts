import type { Decision } from '../policy/decision.ts'
import type { Effect } from '../policy/effect.ts'
import { conflictOf } from './conflict.ts'
import { isDiskTrouble, isIoError, StoreUnavailable } from './disk-trouble.ts'
import type { Db } from './open-database.ts'
import { SyncQueue } from './sync-queue.ts'
import { DecideUnit, type Unit } from './unit.ts'

/** A turn of the event loop that brought fewer units than this has drained what had arrived. */
const DRAINED_BELOW = 32
const MAX_BATCH = 512
const MAX_WAIT_MS = 5

/** What the engine needs of the store around it. */
export interface DecideParts<View> {
  readonly db: Db
  readonly view: View
  /** A clock that only runs forward, in ms. */
  monotonicMs(): number
  carryOut(effect: Effect): void
  /** Calls back when all that was committed before is on the disk, or with why nobody knows. */
  sync(done: (error?: Error) => void): void
  /** As `sync`, before it returns. Throws. */
  syncNow(): void
  /** Called after COMMIT: what was changed in memory stays. */
  afterCommit(): void
  /** Called with every effect of a batch that is on the disk now, in order. */
  afterSync(effects: readonly Effect[]): void
  /** Where that stands which effects change in memory; 0 at the beginning of a transaction. */
  mark(): number
  /** Called when what was written since the mark was taken back: caches are to be thrown away. */
  afterRollback(mark: number): void
  /** Called when nobody knows any more what is on the disk: the process must stop serving. */
  onFatal(error: Error): void
}

/**
 * The one way to change anything: snapshot, pure decision, effects, one transaction for all units that arrive
 * together. A unit that throws undoes only itself: the transaction is undone, and its units run again, each in a
 * savepoint of its own.
 *
 * Answers with durable effects wait until COMMIT and a sync have passed, and so does whatever was decided on what is not
 * on the disk yet. Tentative ones, and those with nothing unwritten before them, leave before the COMMIT, which
 * therefore comes a turn of the event loop after them.
 */
export class Decider<View> {
  readonly #parts: DecideParts<View>
  readonly #unsynced: SyncQueue<readonly Unit[]>
  #queue: Unit[] = []
  /** Units whose transaction is open while early answers leave; the next turn begins with its COMMIT. */
  #uncommitted: readonly Unit[] | undefined
  #arrivedThisTurn = 0
  #oldestMs = 0
  #isScheduled = false
  #stopped: StoreUnavailable | undefined

  constructor(parts: DecideParts<View>) {
    this.#parts = parts
    this.#unsynced = new SyncQueue({
      sync: (done) => parts.sync(done),
      syncNow: () => parts.syncNow(),
      onSynced: (units) => this.#publish(units),
      onFailed: (error) => this.halt(error),
    })
  }

  decide<Snapshot, Reply>(
    read: (view: View) => Snapshot,
    decide: (snapshot: Snapshot) => Decision<Reply>,
  ): Promise<Decision<Reply>> {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped)
    return new Promise((resolve, reject) => {
      const { view, carryOut } = this.#parts
      this.#enqueue(new DecideUnit({ decide: () => decide(read(view)), carryOut, resolve, reject }))
    })
  }

  /** Carries out what is queued now; for an orderly stop. */
  flush(): void {
    this.commitOpen()
    while (this.#queue.length > 0 && this.#stopped === undefined) {
      this.#runBatch(this.#queue.splice(0, MAX_BATCH))
      this.commitOpen()
    }
    this.#unsynced.flush()
  }

  /** Commits what was answered before its COMMIT, so that a reader sees it. */
  commitOpen(): void {
    const units = this.#uncommitted
    this.#uncommitted = undefined
    if (units !== undefined) this.#commit(units)
  }

  /** Nobody knows any more what is on the disk: nothing is taken in from now on. */
  halt(cause: unknown): void {
    if (this.#stopped !== undefined) return
    this.#stopped = new StoreUnavailable('a sync to the disk failed: nobody knows what is written', cause)
    const committed = this.#unsynced.drain().flat()
    const waiting = [...committed, ...(this.#uncommitted ?? []), ...this.#queue.splice(0)]
    this.#uncommitted = undefined
    for (const unit of waiting) unit.fail(this.#stopped)
    this.#parts.onFatal(this.#stopped)
  }

  #enqueue(unit: Unit): void {
    if (this.#queue.length === 0) this.#oldestMs = this.#parts.monotonicMs()
    this.#queue.push(unit)
    this.#arrivedThisTurn += 1
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => this.#endOfTurn())
  }

  #endOfTurn(): void {
    this.#isScheduled = false
    this.commitOpen()
    const arrived = this.#arrivedThisTurn
    this.#arrivedThisTurn = 0
    const isDue =
      arrived < DRAINED_BELOW ||
      this.#queue.length >= MAX_BATCH ||
      this.#parts.monotonicMs() - this.#oldestMs >= MAX_WAIT_MS
    if (isDue && this.#queue.length > 0) this.#runBatch(this.#queue.splice(0, MAX_BATCH))
    if (this.#queue.length > 0 || this.#uncommitted !== undefined) this.#schedule()
  }

  /**
   * Runs units in one transaction, without savepoints: nearly always none throws, and a savepoint costs as much as a
   * write. Nobody is answered before all have run.
   */
  #runBatch(units: readonly Unit[]): void {
    if (!this.#begin(units)) return
    const failure = this.#runTogether(units)
    if (failure === undefined) this.#finish(units)
    else if (isDiskTrouble(failure.error)) this.#runOneByOne(units)
    else if (units.length === 1) units[0]?.fail(conflictOf(failure.error))
    else this.#runApart(units)
  }

  /** One of them threw, and the others are not to hear of it. */
  #runApart(units: readonly Unit[]): void {
    if (!this.#begin(units)) return
    const alive = this.#runInSavepoints(units)
    if (alive === undefined) this.#runOneByOne(units)
    else this.#finish(alive)
  }

  /** Answers what a crash could not make untrue, and commits, a turn later where such answers leave first. */
  #finish(units: readonly Unit[]): void {
    const firstDurable = units.findIndex((unit) => unit.isDurable)
    const onDisk = this.#unsynced.isEmpty ? (firstDurable < 0 ? units.length : firstDurable) : 0
    const early = units.filter((unit, index) => unit.isTentative || index < onDisk)
    for (const unit of early) unit.answer()
    if (early.length > 0) this.#uncommitted = units
    else this.#commit(units)
  }

  /** The disk refused the whole: what fits alone is still carried out, the rest hears that it was not. */
  #runOneByOne(units: readonly Unit[]): void {
    for (const unit of units) {
      // Whoever was told that his unit failed must not find it done.
      if (unit.state === 'failed') continue
      if (this.#stopped !== undefined) unit.fail(this.#stopped)
      else if (this.#begin([unit])) {
        const failure = this.#runTogether([unit])
        if (failure === undefined) this.#commit([unit])
        else if (isDiskTrouble(failure.error)) unit.fail(new StoreUnavailable('the disk refused the write'))
        else unit.fail(conflictOf(failure.error))
      }
    }
  }

  /** Without a transaction nothing can be carried out: a lock held by another program, a disk that is gone. */
  #begin(units: readonly Unit[]): boolean {
    try {
      this.#parts.db.exec('BEGIN IMMEDIATE')
      return true
    } catch (error) {
      const why = isDiskTrouble(error)
        ? new StoreUnavailable('the database takes no writes just now', error)
        : error
      for (const unit of units) unit.fail(why)
      return false
    }
  }

  /** What one of the units threw; the transaction is undone then. Undefined: all of them are part of it. */
  #runTogether(units: readonly Unit[]): { readonly error: unknown } | undefined {
    try {
      for (const unit of units) {
        unit.run()
        this.#stillIn()
      }
      return undefined
    } catch (error) {
      this.#undo()
      return { error }
    }
  }

  /** The units that are part of the transaction; undefined: the disk refused one, and the transaction is undone. */
  #runInSavepoints(units: readonly Unit[]): readonly Unit[] | undefined {
    try {
      return units.filter((unit) => this.#runInSavepoint(unit))
    } catch (error) {
      this.#undo()
      if (isDiskTrouble(error)) return undefined
      for (const unit of units) unit.fail(error)
      return []
    }
  }

  /** True when the unit's effects are part of the transaction. */
  #runInSavepoint(unit: Unit): boolean {
    const { db } = this.#parts
    const mark = this.#parts.mark()
    db.exec('SAVEPOINT unit')
    try {
      unit.run()
      this.#stillIn()
      db.exec('RELEASE unit')
      return true
    } catch (error) {
      if (isDiskTrouble(error) || !db.inTransaction) throw error
      db.exec('ROLLBACK TO unit')
      db.exec('RELEASE unit')
      this.#parts.afterRollback(mark)
      unit.fail(conflictOf(error))
      return false
    }
  }

  /** SQLite ends a transaction by itself when the disk fails it: what came after would be written unit by unit. */
  #stillIn(): void {
    if (!this.#parts.db.inTransaction) throw new StoreUnavailable('SQLite ended the transaction')
  }

  #commit(units: readonly Unit[]): void {
    const { db } = this.#parts
    try {
      if (db.inTransaction) db.exec('COMMIT')
    } catch (error) {
      // After a failed write or sync nobody knows what is on the disk, and a second try would lie (fsync reports once).
      if (isIoError(error)) {
        this.halt(error)
        for (const unit of units) unit.fail(this.#stopped)
        return
      }
      this.#undo()
      const [only, ...others] = units
      if (others.length > 0) this.#runOneByOne(units)
      else only?.fail(new StoreUnavailable('the disk refused the write', error))
      return
    }
    this.#parts.afterCommit()
    this.#unsynced.add(
      units,
      units.some((unit) => unit.isDurable),
    )
  }

  #publish(units: readonly Unit[]): void {
    const effects = units.flatMap((unit) => unit.effects)
    if (effects.length > 0) this.#parts.afterSync(effects)
    for (const unit of units) if (unit.state === 'waiting') unit.answer()
  }

  #undo(): void {
    const { db } = this.#parts
    if (db.inTransaction) db.exec('ROLLBACK')
    this.#parts.afterRollback(0)
  }
}
