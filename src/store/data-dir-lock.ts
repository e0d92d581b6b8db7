import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import Database from 'better-sqlite3'
import type { Db } from './open-database.ts'

/** Two servers that start together try for the lock again and again; one that runs keeps it for much longer. */
const TRY_FOR_MS = 500

/** Another server has the data directory open. */
export class DataDirInUse extends Error {
  readonly code = 'data-dir-in-use'
  readonly cure: string
  constructor(dataDir: string, holder: string | undefined) {
    super(
      `data_dir ${dataDir}: got one that ${holder ?? 'another process'} serves from, want one that no server has open`,
    )
    this.cure = `stop ${holder ?? 'that process'}, or give this server a data_dir of its own`
  }
}

/**
 * The word that this process alone serves from a data directory: its caches, its offers and its clock are right only
 * while nobody else writes.
 *
 * It is an open transaction on an empty database of its own, `server.lock`: a POSIX lock on its file, which the kernel
 * takes back when the process ends, however it ends. A pid file would be stale after a kill -9; a socket in the abstract
 * namespace would not be seen from another container on the same volume. `pilotlight.db` itself stays open to whoever
 * reads it beside the server. `server.pid` only says who holds the lock, and is believed only while it is held.
 */
export class DataDirLock {
  readonly #db: Db
  readonly #pidFile: string

  /** @throws DataDirInUse */
  static take(dataDir: string): DataDirLock {
    return new DataDirLock(dataDir)
  }

  private constructor(dataDir: string) {
    const file = path.join(dataDir, 'server.lock')
    this.#pidFile = path.join(dataDir, 'server.pid')
    this.#db = new Database(file, { timeout: TRY_FOR_MS })
    try {
      chmodSync(file, 0o600)
      this.#db.exec('BEGIN EXCLUSIVE')
      writeFileSync(this.#pidFile, `${process.pid} ${os.hostname()}\n`, { mode: 0o600 })
    } catch (error) {
      this.#db.close()
      const { code } = error as { code?: string }
      throw code?.startsWith('SQLITE_BUSY') ? new DataDirInUse(dataDir, readHolder(this.#pidFile)) : error
    }
  }

  release(): void {
    rmSync(this.#pidFile, { force: true })
    this.#db.close()
  }
}

/** `process 1234`; with the host where it is not this one, as between two containers that share a volume. */
function readHolder(pidFile: string): string | undefined {
  try {
    const [, pid, host] = /^(\d{1,10}) (\S+)\n$/.exec(readFileSync(pidFile, 'utf8')) ?? []
    if (pid === undefined) return undefined
    return host === os.hostname() ? `process ${pid}` : `process ${pid} on ${host}`
  } catch {
    return undefined
  }
}
