import type { MachineFile } from '../../model/machine-file.ts'
import type { Db } from '../open-database.ts'
import { RowCache } from './row-cache.ts'
import type { Row } from './rows.ts'

/** Small files of machines' own. */
export class MachineFilesTable {
  /** How many a machine has: most have none, and every script asks. */
  readonly #counts: RowCache<string, number>
  readonly #statements

  constructor(db: Db, mostCached: number) {
    this.#counts = new RowCache(mostCached, false)
    this.#statements = {
      of: db.prepare('SELECT path, mode, content FROM machine_file WHERE machine_id = ? ORDER BY path'),
      put: db.prepare(`
        INSERT INTO machine_file (machine_id, path, mode, content) VALUES (?, ?, ?, ?)
        ON CONFLICT (machine_id, path) DO UPDATE SET mode = excluded.mode, content = excluded.content`),
      remove: db.prepare('DELETE FROM machine_file WHERE machine_id = ? AND path = ?'),
    }
  }

  of(machineId: string): readonly MachineFile[] {
    if (this.#counts.get(machineId, () => undefined) === 0) return []
    const files = this.#statements.of.all(machineId).map((row) => {
      const { path, mode, content } = row as Row
      return { path, mode, content: new Uint8Array(content) }
    })
    this.#counts.put(machineId, files.length)
    return files
  }

  put(machineId: string, { path, mode, content }: MachineFile): void {
    this.#statements.put.run(machineId, path, mode, content)
    this.#counts.forget(machineId)
  }

  remove(machineId: string, path: string): void {
    this.#statements.remove.run(machineId, path)
    this.#counts.forget(machineId)
  }

  forgetCache(): void {
    this.#counts.forgetAll()
  }
}
