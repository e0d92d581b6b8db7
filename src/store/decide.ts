import type { Decision } from '../policy/decision.ts'
import { type Effect, isDurable } from '../policy/effect.ts'
import { conflictOf } from './conflict.ts'
import type { Db } from './open-database.ts'

/** A turn of the event loop that brought fewer units than this has drained what had arrived. */
const DRAINED_BELOW = 32
const MAX_BATCH = 512
const MAX_WAIT_MS = 5

/** The disk did not take this unit; nothing of it was written, and the asker gets silence (DHCP) or 503 (HTTP). */
export class StoreUnavailable extends Error {
  readonly code = 'store-unavailable'
  constructor(message: string, cause?: unknown) {
    super(message, { cause })
  }
}

/** What the engine needs of the store around it. */
export interface DecideParts<View> {
  readonly db: Db
  readonly view: View
  carryOut(effect: Effect): void
  /** Called after COMMIT with every effect that it made durable. */
  afterCommit(effects: readonly Effect[]): void
  /** Called when what a transaction wrote was taken back: caches are to be thrown away. */
  afterRollback(): void
  /** Called when nobody knows any more what is on the disk: the process must stop serving. */
  onFatal(error: Error): void
}

interface Unit {
  run(): void
  /** Filled by `run`: the effects, and how to answer. */
  outcome?: { readonly effects: readonly Effect[]; readonly answer: () => void; readonly isAnswered: boolean }
  fail(error: unknown): void
}

/**
 * The one way to change anything: snapshot, pure decision, effects, one transaction for all units that arrive
 * together. Each unit has its own savepoint; answers with durable effects wait for the COMMIT, the others leave at once.
 */
export class Decider<View> {
  readonly #parts: DecideParts<View>
  #queue: Unit[] = []
  #arrivedThisTurn = 0
  #oldestMs = 0
  #isScheduled = false
  #stopped: StoreUnavailable | undefined

  constructor(parts: DecideParts<View>) {
    this.#parts = parts
  }

  decide<Snapshot, Reply>(
    read: (view: View) => Snapshot,
    decide: (snapshot: Snapshot) => Decision<Reply>,
  ): Promise<Decision<Reply>> {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped)
    return new Promise((resolve, reject) => {
      const unit: Unit = {
        run: () => {
          const decision = decide(read(this.#parts.view))
          for (const effect of decision.effects) this.#parts.carryOut(effect)
          const isAnswered = unit.outcome?.isAnswered ?? false
          unit.outcome = { effects: decision.effects, answer: () => resolve(decision), isAnswered }
        },
        fail: reject,
      }
      this.#enqueue(unit)
    })
  }

  /** Carries out what is queued now; for an orderly stop. */
  flush(): void {
    while (this.#queue.length > 0 && this.#stopped === undefined)
      this.#runBatch(this.#queue.splice(0, MAX_BATCH))
  }

  #enqueue(unit: Unit): void {
    if (this.#queue.length === 0) this.#oldestMs = performance.now()
    this.#queue.push(unit)
    this.#arrivedThisTurn += 1
    if (!this.#isScheduled) {
      this.#isScheduled = true
      setImmediate(() => this.#endOfTurn())
    }
  }

  #endOfTurn(): void {
    const arrived = this.#arrivedThisTurn
    this.#arrivedThisTurn = 0
    const isDue =
      arrived < DRAINED_BELOW ||
      this.#queue.length >= MAX_BATCH ||
      performance.now() - this.#oldestMs >= MAX_WAIT_MS
    if (isDue) this.#runBatch(this.#queue.splice(0, MAX_BATCH))
    if (this.#queue.length > 0) setImmediate(() => this.#endOfTurn())
    else this.#isScheduled = false
  }

  #runBatch(units: readonly Unit[]): void {
    const result = this.#inOneTransaction(units)
    if (result === 'undone') {
      // The disk refused the whole: what fits alone is still carried out, the rest hears that it was not.
      for (const unit of units) {
        if (this.#stopped !== undefined) unit.fail(this.#stopped)
        else if (this.#inOneTransaction([unit]) === 'undone')
          unit.fail(new StoreUnavailable('the disk refused the write'))
      }
    }
  }

  /** Runs units in one transaction. `undone`: nothing of it is on the disk, and no durable answer went out. */
  #inOneTransaction(units: readonly Unit[]): 'done' | 'undone' {
    const { db } = this.#parts
    const alive: Unit[] = []
    try {
      db.exec('BEGIN IMMEDIATE')
      for (const unit of units) {
        if (this.#runInSavepoint(unit)) alive.push(unit)
        if (!db.inTransaction) throw new StoreUnavailable('SQLite ended the transaction')
      }
    } catch (error) {
      this.#undo(alive)
      if (!isDiskTrouble(error)) for (const unit of units) unit.fail(error)
      return isDiskTrouble(error) ? 'undone' : 'done'
    }
    try {
      db.exec('COMMIT')
    } catch (error) {
      if (isSyncFailure(error)) {
        this.#stop(error, units)
        return 'done'
      }
      this.#undo(alive)
      return 'undone'
    }
    const effects = alive.flatMap((unit) => unit.outcome?.effects ?? [])
    if (effects.length > 0) this.#parts.afterCommit(effects)
    for (const unit of alive) if (unit.outcome?.isAnswered === false) unit.outcome.answer()
    return 'done'
  }

  /** True when the unit's effects are part of the transaction. */
  #runInSavepoint(unit: Unit): boolean {
    const { db } = this.#parts
    db.exec('SAVEPOINT unit')
    try {
      unit.run()
      db.exec('RELEASE unit')
    } catch (error) {
      if (isDiskTrouble(error) || !db.inTransaction) throw error
      db.exec('ROLLBACK TO unit')
      db.exec('RELEASE unit')
      this.#parts.afterRollback()
      unit.fail(conflictOf(error))
      return false
    }
    const { outcome } = unit
    if (outcome !== undefined && !outcome.isAnswered && !outcome.effects.some(isDurable)) {
      // It promises nothing that a crash could break, so it need not wait for the disk.
      unit.outcome = { ...outcome, isAnswered: true }
      outcome.answer()
    }
    return true
  }

  #undo(alive: readonly Unit[]): void {
    const { db } = this.#parts
    if (db.inTransaction) db.exec('ROLLBACK')
    this.#parts.afterRollback()
    for (const unit of alive) if (unit.outcome?.isAnswered === false) delete unit.outcome
  }

  #stop(cause: unknown, batch: readonly Unit[]): void {
    this.#stopped = new StoreUnavailable('a sync to the disk failed: nobody knows what is written', cause)
    for (const unit of [...batch, ...this.#queue.splice(0)]) unit.fail(this.#stopped)
    this.#parts.onFatal(this.#stopped)
  }
}

const DISK_TROUBLE = /^SQLITE_(?:FULL|IOERR|NOMEM|BUSY|READONLY|CANTOPEN|CORRUPT|INTERRUPT|LOCKED)/
const SYNC_FAILURE = /^SQLITE_IOERR_(?:FSYNC|DIR_FSYNC|CLOSE)/

function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | undefined)?.code ?? '')
}

function isDiskTrouble(error: unknown): boolean {
  return error instanceof StoreUnavailable || DISK_TROUBLE.test(codeOf(error))
}

function isSyncFailure(error: unknown): boolean {
  return SYNC_FAILURE.test(codeOf(error))
}
