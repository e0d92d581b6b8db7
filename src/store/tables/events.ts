import type { Event, NewEvent } from '../../model/event.ts'
import type { Db } from '../open-database.ts'
import { given, type Row } from './rows.ts'

/** The event feed: appended, never changed. */
export class EventsTable {
  readonly #statements

  constructor(db: Db) {
    this.#statements = {
      append: db.prepare(`
        INSERT INTO event (at_ms, type, machine_id, cluster_id, boot_id, data)
        VALUES (@atMs, @type, @machineId, @clusterId, @bootId, @data)`),
      after: db.prepare('SELECT * FROM event WHERE seq > ? ORDER BY seq LIMIT ?'),
      lastSeq: db.prepare('SELECT coalesce(max(seq), 0) FROM event').pluck(),
    }
  }

  append(event: NewEvent): void {
    this.#statements.append.run({
      machineId: null,
      clusterId: null,
      bootId: null,
      ...event,
      data: JSON.stringify(event.data),
    })
  }

  after(seq: number, limit: number): readonly Event[] {
    return this.#statements.after.all(seq, limit).map((row) => eventOf(row as Row))
  }

  lastSeq(): number {
    return this.#statements.lastSeq.get() as number
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
