import type { FleetHold } from '../../model/cluster.ts'
import type { Db } from '../open-database.ts'
import { RowCache } from './row-cache.ts'

/** What operators' calls leave beside the rows they change: answers by idempotency key, and the hold over the fleet. */
export class OperatorCallsTable {
  /** Read for every script; there is one at most. */
  readonly #fleetHold: RowCache<'fleet', FleetHold>
  readonly #statements

  constructor(db: Db, mostCached: number) {
    this.#fleetHold = new RowCache(Math.min(mostCached, 4))
    this.#statements = {
      answer: db.prepare('SELECT request_sha256, answer FROM call_answer WHERE key = ?'),
      remember: db.prepare(
        'INSERT INTO call_answer (key, request_sha256, answer, at_ms) VALUES (@key, @requestSha256, @answer, @atMs)',
      ),
      forgetBefore: db.prepare('DELETE FROM call_answer WHERE at_ms < ?'),
      fleetHold: db.prepare("SELECT value FROM server_meta WHERE key = 'fleet_hold'").pluck(),
      putFleetHold: db.prepare("INSERT OR REPLACE INTO server_meta (key, value) VALUES ('fleet_hold', ?)"),
      dropFleetHold: db.prepare("DELETE FROM server_meta WHERE key = 'fleet_hold'"),
    }
  }

  /** The answer that a call with this key got; undefined: the key is new. */
  answerTo(key: string): { readonly requestSha256: string; readonly answer: string } | undefined {
    const row = this.#statements.answer.get(key) as { request_sha256: string; answer: string } | undefined
    return row === undefined ? undefined : { requestSha256: row.request_sha256, answer: row.answer }
  }

  remember(call: { key: string; requestSha256: string; answer: string; atMs: number }): void {
    const { key, requestSha256, answer, atMs } = call
    this.#statements.remember.run({ key, requestSha256, answer, atMs })
    this.#statements.forgetBefore.run(atMs - KEPT_MS)
  }

  fleetHold(): FleetHold | undefined {
    return this.#fleetHold.get('fleet', () => {
      const text = this.#statements.fleetHold.get() as string | undefined
      return text === undefined ? undefined : (JSON.parse(text) as FleetHold)
    })
  }

  putFleetHold(hold: FleetHold | undefined): void {
    if (hold === undefined) this.#statements.dropFleetHold.run()
    else this.#statements.putFleetHold.run(JSON.stringify(hold))
    this.forgetCache()
  }

  forgetCache(): void {
    this.#fleetHold.forgetAll()
  }
}

const KEPT_MS = 24 * 60 * 60_000
