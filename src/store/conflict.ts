/** A value that must be unique was taken by another at the same moment; nothing was written. */
export class Conflict extends Error {
  readonly code = 'conflict'
  readonly field: string
  constructor(field: string, cause: unknown) {
    super(`${field} is taken`, { cause })
    this.field = field
  }
}

/** Turns a UNIQUE violation into what it means for the asker; any other error stays what it is. */
export function conflictOf(error: unknown): unknown {
  const code = (error as { code?: unknown } | undefined)?.code
  if (code !== 'SQLITE_CONSTRAINT_UNIQUE' && code !== 'SQLITE_CONSTRAINT_PRIMARYKEY') return error
  const column = /failed: \w+\.(\w+)/.exec(String((error as Error).message))?.[1]
  return new Conflict(column ?? 'a value', error)
}
