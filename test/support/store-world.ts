import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Effect } from '../../src/policy/effect.ts'
import { carryOut } from '../../src/store/carry-out.ts'
import { type DecideParts, Decider } from '../../src/store/decide.ts'
import { migrate } from '../../src/store/migrate.ts'
import { type Db, openWriter } from '../../src/store/open-database.ts'
import { ServerKey } from '../../src/store/server-key.ts'
import { Store } from '../../src/store/store.ts'
import { forgetCaches, settleCaches, type Tables, tablesOn } from '../../src/store/tables/tables.ts'
import { NOW } from './builders.ts'

export const MIGRATIONS = new URL('../../migrations', import.meta.url).pathname

/** What a test needs of tap to clean up after itself. */
export interface Teardown {
  teardown(handler: () => void | Promise<void>): void
}

/** A directory that is gone after the test. */
export function scratchDir(t: Teardown): string {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'pilotlight-store-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** Clocks that stand still until a test moves them. */
export class TestClocks {
  wall = NOW
  monotonic = 5_000

  wallMs(): number {
    return this.wall
  }

  monotonicMs(): number {
    return this.monotonic
  }

  /** Time passes on both clocks. */
  pass(ms: number): void {
    this.wall += ms
    this.monotonic += ms
  }
}

/** A store on a real file, on a clock that the test moves. */
export function openStore(t: Teardown, dataDir: string, clocks = new TestClocks()): Store {
  const store = Store.open({
    dataDir,
    migrationsDir: MIGRATIONS,
    clocks,
    onFatal: (error) => {
      throw error
    },
  })
  t.teardown(() => store.close())
  return store
}

/** Lets everything that was decided be carried out and committed, what nobody waits for included. */
export async function settled(): Promise<void> {
  // A step of the clock is found inside a unit and is a unit itself; each needs a turn to run and one to commit.
  for (let turn = 0; turn < 6; turn += 1) await nextTurn()
}

/** A migrated database with its tables, without the store around it. */
export function openTables(t: Teardown): { db: Db; tables: Tables } {
  const dataDir = scratchDir(t)
  const file = path.join(dataDir, 'pilotlight.db')
  const db = openWriter(file)
  t.teardown(() => void db.close())
  migrate(db, file, MIGRATIONS)
  return { db, tables: tablesOn(db, ServerKey.at(dataDir)) }
}

/** The engine of `store.decide` on a real database, with a record of what happened in which order. */
export interface Engine {
  readonly db: Db
  readonly tables: Tables
  readonly decider: Decider<Tables>
  /** `COMMIT`, `ROLLBACK`, and what tests push themselves. */
  readonly happened: string[]
  /** Effects that were told of, in order. */
  readonly published: readonly Effect[]
  readonly clocks: TestClocks
  /** How often caches were thrown away. */
  readonly rollbacks: () => number
  readonly fatal: () => Error | undefined
}

/** @param sync what the disk does; by default it is done at once. */
export function openEngine(t: Teardown, sync: DecideParts<Tables>['sync'] = (done) => done()): Engine {
  const { db, tables } = openTables(t)
  const happened: string[] = []
  const exec = db.exec.bind(db)
  db.exec = (sql) => {
    if (sql === 'COMMIT' || sql === 'ROLLBACK') happened.push(sql)
    return exec(sql)
  }
  let rollbacks = 0
  let fatal: Error | undefined
  const published: Effect[] = []
  const clocks = new TestClocks()
  const decider = new Decider<Tables>({
    db,
    view: tables,
    monotonicMs: () => clocks.monotonicMs(),
    carryOut: (effect: Effect) => carryOut(tables, effect),
    mark: () => tables.offers.mark,
    sync,
    syncNow: () => void happened.push('sync now'),
    afterCommit: () => settleCaches(tables),
    afterSync: (effects) => void published.push(...effects),
    afterRollback: (mark) => {
      rollbacks += 1
      tables.offers.undoTo(mark)
      forgetCaches(tables)
    },
    onFatal: (error) => {
      fatal = error
    },
  })
  return { db, tables, decider, happened, published, clocks, rollbacks: () => rollbacks, fatal: () => fatal }
}
