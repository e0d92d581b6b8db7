import type { MachineFile } from '../../model/machine-file.ts'
import type { Db } from '../open-database.ts'
import type { Row } from './rows.ts'

/** Small files of machines' own. */
export class MachineFilesTable {
  readonly #statements

  constructor(db: Db) {
    this.#statements = {
      of: db.prepare('SELECT path, mode, content FROM machine_file WHERE machine_id = ? ORDER BY path'),
      put: db.prepare(`
        INSERT INTO machine_file (machine_id, path, mode, content) VALUES (?, ?, ?, ?)
        ON CONFLICT (machine_id, path) DO UPDATE SET mode = excluded.mode, content = excluded.content`),
      remove: db.prepare('DELETE FROM machine_file WHERE machine_id = ? AND path = ?'),
    }
  }

  of(machineId: string): readonly MachineFile[] {
    return this.#statements.of.all(machineId).map((row) => {
      const { path, mode, content } = row as Row
      return { path, mode, content: new Uint8Array(content) }
    })
  }

  put(machineId: string, { path, mode, content }: MachineFile): void {
    this.#statements.put.run(machineId, path, mode, content)
  }

  remove(machineId: string, path: string): void {
    this.#statements.remove.run(machineId, path)
  }
}
