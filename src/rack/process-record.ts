import { readFileSync } from 'node:fs'

/** A process by what stays true when its number is given to another: number and start time. */
export interface ProcessRecord {
  readonly pid: number
  /** Field 22 of /proc/PID/stat, clock ticks since the kernel started. */
  readonly startedAt: string
}

export function recordOf(pid: number): ProcessRecord | undefined {
  const startedAt = startTimeOf(pid)
  return startedAt === undefined ? undefined : { pid, startedAt }
}

export function isAlive(record: ProcessRecord): boolean {
  return startTimeOf(record.pid) === record.startedAt
}

/** Ends a process that an earlier run left behind, if it is still the same one. */
export function killRecorded(record: ProcessRecord): void {
  if (!isAlive(record)) return
  try {
    process.kill(record.pid, 'SIGKILL')
  } catch {
    // It ended by itself in this moment.
  }
}

function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The command's name stands in parentheses and may hold anything; the numbers come after the last one.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}
