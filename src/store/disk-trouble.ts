/** The disk did not take this unit; nothing of it was written, and the asker gets silence (DHCP) or 503 (HTTP). */
export class StoreUnavailable extends Error {
  readonly code = 'store-unavailable'
  constructor(message: string, cause?: unknown) {
    super(message, { cause })
  }
}

/** Result codes of SQLite that speak of the disk or of a lock, not of the statement. */
const DISK_TROUBLE = /^SQLITE_(?:FULL|IOERR|NOMEM|BUSY|READONLY|CANTOPEN|CORRUPT|INTERRUPT|LOCKED)/

/** True for an error that says nothing against the unit that met it: the disk is full, gone or locked. */
export function isDiskTrouble(error: unknown): boolean {
  return error instanceof StoreUnavailable || DISK_TROUBLE.test(codeOf(error))
}

/** True when reading, writing or syncing failed in a way that a full disk does not explain. */
export function isIoError(error: unknown): boolean {
  return codeOf(error).startsWith('SQLITE_IOERR')
}

/** True when there was no room, or the user's share of it was used up. */
export function isDiskFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'SQLITE_FULL'].includes(codeOf(error))
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | undefined)?.code ?? '')
}
