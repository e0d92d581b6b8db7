import { createReadStream, mkdirSync, openSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import type { FastifyInstance } from 'fastify'
import { freeSpaceFault } from '../../../policy/free-space.ts'
import type { OperatorContext } from './operator-context.ts'
import { ProblemError, problemOf } from './problem.ts'

/**
 * `GET /api/v1/backup`: the database whole, as it was at one moment while the server goes on. For admins: it holds the
 * hashes of tokens and what is sealed with `server.key`, which is not in it.
 */
export function addBackupRoutes(server: FastifyInstance, context: OperatorContext): void {
  const { store, log } = context
  const directory = path.join(store.dataDir, 'backup')
  // What a crash left half done.
  rmSync(directory, { recursive: true, force: true })
  let isRunning = false

  server.get('/api/v1/backup', { config: { isForAdmins: true } }, async (_request, reply) => {
    if (isRunning) {
      throw new ProblemError({
        status: 409,
        code: 'backup-running',
        title: 'Conflict',
        detail: 'another backup is being made',
        cure: 'wait for it, and ask again',
      })
    }
    const noRoom = freeSpaceFault(store.freeBytes(), store.databaseBytes())
    if (noRoom !== undefined) throw problemOf(noRoom)
    isRunning = true
    const file = path.join(directory, 'pilotlight.db')
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 })
      rmSync(file, { force: true })
      await store.backup(file)
      const { size } = statSync(file)
      const stream = createReadStream(file, { fd: openSync(file, 'r') })
      log.info({ bytes: size }, 'backup made')
      return reply
        .type('application/vnd.sqlite3')
        .header('content-length', size)
        .header('content-disposition', 'attachment; filename="pilotlight.db"')
        .header('cache-control', 'no-store')
        .send(stream)
    } finally {
      // Its name goes now; whoever reads it has it open.
      rmSync(directory, { recursive: true, force: true })
      isRunning = false
    }
  })
}
