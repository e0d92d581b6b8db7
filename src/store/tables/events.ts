import type { Event, NewEvent } from '../../model/event.ts'
import type { KeptEvent } from '../../policy/event-retention.ts'
import type { Db } from '../open-database.ts'
import { given, type Row } from './rows.ts'

/** `server_meta`: the highest `seq` that was ever dropped. */
const DROPPED_TO = 'events_dropped_to'

/** More than any database has given since its last backup. */
const LEAP = 1_000_000_000

/** The event feed: appended, never changed; what is old is dropped. */
export class EventsTable {
  readonly #statements

  constructor(db: Db) {
    this.#statements = {
      append: db.prepare(`
        INSERT INTO event (at_ms, type, machine_id, cluster_id, boot_id, data)
        VALUES (?, ?, ?, ?, ?, ?)`),
      after: db.prepare('SELECT * FROM event WHERE seq > ? ORDER BY seq LIMIT ?'),
      // Not the highest that is there: that one may be dropped, and numbers never come again.
      lastSeq: db.prepare("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'event'").pluck(),
      keptAfter: db.prepare(`
        SELECT seq, at_ms, type, json_extract(data, '$.by') IS NOT NULL AS says_by, EXISTS (
          SELECT 1 FROM boot_attempt WHERE boot_attempt.boot_id = event.boot_id AND ended_at_ms IS NULL
        ) AS open_boot
        FROM event WHERE seq > ? ORDER BY seq LIMIT ?`),
      drop: db.prepare('DELETE FROM event WHERE seq = ?'),
      begin: db.prepare(`
        INSERT INTO sqlite_sequence (name, seq)
        SELECT 'event', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'event')`),
      leap: db.prepare("UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'event'"),
      droppedTo: db.prepare(`SELECT value FROM server_meta WHERE key = '${DROPPED_TO}'`).pluck(),
      noteDropped: db.prepare(`
        INSERT INTO server_meta (key, value) VALUES ('${DROPPED_TO}', @seq)
        ON CONFLICT DO UPDATE SET value = @seq WHERE CAST(value AS INTEGER) < CAST(@seq AS INTEGER)`),
    }
  }

  append({ atMs, type, machineId, clusterId, bootId, data }: NewEvent): void {
    this.#statements.append.run(
      ...[atMs, type, machineId ?? null, clusterId ?? null, bootId ?? null, JSON.stringify(data)],
    )
  }

  after(seq: number, limit: number): readonly Event[] {
    return this.#statements.after.all(seq, limit).map((row) => eventOf(row as Row))
  }

  lastSeq(): number {
    return this.#statements.lastSeq.get() as number
  }

  /** What a decision on keeping them needs of the next events. */
  keptAfter(seq: number, limit: number): readonly KeptEvent[] {
    return this.#statements.keptAfter.all(seq, limit).map((each) => {
      const row = each as Row
      return {
        seq: row.seq,
        atMs: row.at_ms,
        type: row.type,
        saysBy: row.says_by === 1,
        isOfOpenBoot: row.open_boot === 1,
      }
    })
  }

  drop(seqs: readonly number[]): void {
    for (const seq of seqs) this.#statements.drop.run(seq)
    this.#noteDropped(Math.max(...seqs))
  }

  /**
   * For a database that was restored: the next event's number is beyond all that the lost one may have given, so that no
   * reader of the feed passes it over, and what lies between counts as dropped.
   */
  leap(): void {
    this.#statements.begin.run()
    this.#statements.leap.run(LEAP)
    this.#noteDropped(this.lastSeq())
  }

  /** Up to this `seq` the feed may have gaps; 0: nothing was ever dropped. Who reads on from before it is told. */
  droppedTo(): number {
    return Number(this.#statements.droppedTo.get() ?? 0)
  }

  #noteDropped(seq: number): void {
    this.#statements.noteDropped.run({ seq: String(seq) })
  }
}

function eventOf(row: Row): Event {
  return {
    seq: row.seq,
    atMs: row.at_ms,
    type: row.type,
    data: JSON.parse(row.data),
    ...given('machineId', row.machine_id),
    ...given('clusterId', row.cluster_id),
    ...given('bootId', row.boot_id),
  }
}
