import type { TraceKind, TraceNote, TraceRecord } from '../../model/boot-trace.ts'
import type { Db } from '../open-database.ts'
import type { Row } from './rows.ts'

/** What each boot attempt exchanged with the server; repeats count up in one row. */
export class BootTracesTable {
  readonly #statements

  constructor(db: Db) {
    this.#statements = {
      // Nothing is written for an attempt that is gone: a trace must not fail the unit that it rides on.
      note: db.prepare(`
        INSERT INTO boot_trace (boot_id, kind, key, first_at_ms, last_at_ms, times, bytes, retries, facts)
        SELECT boot_id, @kind, @key, @atMs, @atMs, 1, @bytes, @retries, @facts FROM boot_attempt WHERE boot_id = @bootId
        ON CONFLICT (boot_id, kind, key) DO UPDATE SET last_at_ms = max(last_at_ms, @atMs), times = times + 1,
          bytes = bytes + @bytes, retries = retries + @retries, facts = @facts`),
      one: db.prepare('SELECT * FROM boot_trace WHERE boot_id = ? AND kind = ? AND key = ?'),
      ofBoot: db.prepare('SELECT * FROM boot_trace WHERE boot_id = ? ORDER BY first_at_ms, kind, key'),
    }
  }

  note(bootId: string, note: TraceNote): void {
    const { kind, key, atMs, bytes = 0, retries = 0, facts } = note
    this.#statements.note.run({ bootId, kind, key, atMs, bytes, retries, facts: JSON.stringify(facts) })
  }

  oneOf(bootId: string, kind: TraceKind, key: string): TraceRecord | undefined {
    const row = this.#statements.one.get(bootId, kind, key) as Row | undefined
    return row === undefined ? undefined : traceOf(row)
  }

  /** In the order in which each first happened. */
  ofBoot(bootId: string): readonly TraceRecord[] {
    return this.#statements.ofBoot.all(bootId).map((row) => traceOf(row as Row))
  }
}

function traceOf(row: Row): TraceRecord {
  return {
    kind: row.kind,
    key: row.key,
    firstAtMs: row.first_at_ms,
    lastAtMs: row.last_at_ms,
    times: row.times,
    bytes: row.bytes,
    retries: row.retries,
    facts: JSON.parse(row.facts),
  }
}
