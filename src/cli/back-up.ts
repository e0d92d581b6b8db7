import { createHash } from 'node:crypto'
import { closeSync, createReadStream, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import path from 'node:path'
import { checkDatabase, type DatabaseFacts } from '../store/check-database.ts'
import { openWriter } from '../store/open-database.ts'
import { markRestored, restoreDatabase } from '../store/restore.ts'
import { accessOf, answerOf } from './api-client.ts'
import { answered, apiRequest, chunksOf, textOf } from './api-request.ts'
import { CliFailure } from './failure.ts'
import { writeNamed } from './named-file.ts'
import { configFromElsewhere, PROGRAM_DIR } from './program-dir.ts'

const MIGRATIONS = path.join(PROGRAM_DIR, 'migrations')

/** Downloads beside the file and renames once it was checked, so that a file of that name is always a good backup. */
export async function backUp(file: string) {
  const part = `${file}.part`
  try {
    const bytes = await download(part)
    const db = openWriter(part)
    let facts: DatabaseFacts
    try {
      facts = checkDatabase(db, part, MIGRATIONS)
      db.pragma('journal_mode = DELETE')
    } finally {
      db.close()
    }
    // Of the file as it stays: the check has changed its journal's mode.
    const sha256 = await sha256Of(part)
    renameSync(part, file)
    return { file, bytes, sha256, ...shown(facts) }
  } finally {
    for (const end of ['', '-wal', '-shm', '-journal']) rmSync(part + end, { force: true })
  }
}

async function download(part: string): Promise<number> {
  const access = accessOf()
  const answer = await answered(apiRequest(access, 'GET', '/backup'), access)
  if (answer.statusCode !== 200) answerOf(answer.statusCode ?? 0, await textOf(answer, access))
  const handle = writeNamed(part, () => openSync(part, 'w', 0o600))
  let bytes = 0
  try {
    for await (const chunk of chunksOf(answer, access)) {
      writeSync(handle, chunk)
      bytes += chunk.length
    }
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
  const wanted = Number(answer.headers['content-length'])
  if (bytes !== wanted)
    throw new CliFailure(`the backup broke off: got ${bytes} bytes of ${wanted}; run it again`)
  return bytes
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file)) hash.update(chunk)
  return hash.digest('hex')
}

function shown({ clusters, machines, lastTimeMs, migrations }: DatabaseFacts) {
  return { clusters, machines, as_of: new Date(lastTimeMs).toISOString(), migrations }
}

/** Restores a file, or without one only marks the database that is there. */
export function restore(
  file: string | undefined,
  options: { readonly config?: string; readonly takeOver?: boolean },
): Readonly<Record<string, unknown>> {
  const { dataDir } = configFromElsewhere(options.config)
  const by = options.takeOver === true ? 'take-over' : 'restore'
  if (file === undefined)
    return { data_dir: dataDir, ...shown(markRestored(dataDir, MIGRATIONS, by)), kept_as: null }
  const facts = restoreDatabase(dataDir, file, MIGRATIONS, by)
  return { data_dir: dataDir, ...shown(facts), kept_as: facts.keptAs ?? null }
}
