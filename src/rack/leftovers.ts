import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { isAlive, killRecorded, type ProcessRecord, recordOf } from './process-record.ts'
import { runCommand } from './run-command.ts'

const RECORDS_DIR = '/run/pilotlight-racks'

interface RackRecord {
  readonly owner: ProcessRecord
  readonly namespace: string
  readonly processes: ProcessRecord[]
}

/** What one rack has started, on disk, so that a run that was killed can be cleaned up by the next. */
export class RackLedger {
  readonly #file: string
  readonly #record: RackRecord

  constructor(namespace: string) {
    const owner = recordOf(process.pid)
    if (owner === undefined) throw new Error('/proc is not readable')
    mkdirSync(RECORDS_DIR, { recursive: true, mode: 0o700 })
    this.#file = path.join(RECORDS_DIR, `${namespace}.json`)
    this.#record = { owner, namespace, processes: [] }
    this.#write()
  }

  note(pid: number | undefined): void {
    const record = pid === undefined ? undefined : recordOf(pid)
    if (record === undefined) return
    this.#record.processes.push(record)
    this.#write()
  }

  forget(): void {
    rmSync(this.#file, { force: true })
  }

  #write(): void {
    writeFileSync(this.#file, JSON.stringify(this.#record))
  }
}

/** Takes down racks whose owner is gone: by process number *and* start time, never by name. */
export async function sweepLeftovers(): Promise<number> {
  let names: string[]
  try {
    names = readdirSync(RECORDS_DIR)
  } catch {
    return 0
  }
  let swept = 0
  for (const name of names) {
    const file = path.join(RECORDS_DIR, name)
    const record = JSON.parse(readFileSync(file, 'utf8')) as RackRecord
    if (isAlive(record.owner)) continue
    for (const leftover of record.processes) killRecorded(leftover)
    await runCommand('ip', ['netns', 'del', record.namespace]).catch(() => undefined)
    rmSync(file, { force: true })
    swept += 1
  }
  return swept
}
