import type { TraceRecord } from '../../model/boot-trace.ts'
import { isImageScript } from './trace-files.ts'

/** What a machine's loader said of the board that it runs on. */
export interface SaidIdentity {
  readonly uuid?: string
  readonly serial?: string
}

/** What was said in a boot with the script that it got last; undefined where it is not known. */
export function saidIdentityOf(traces: readonly TraceRecord[]): SaidIdentity | undefined {
  const last = traces
    .filter(isImageScript)
    .reduce<TraceRecord | undefined>(
      (latest, row) => (latest === undefined || row.lastAtMs >= latest.lastAtMs ? row : latest),
      undefined,
    )
  if (last === undefined) return undefined
  const { uuid, serial } = last.facts
  return {
    ...(uuid === undefined ? {} : { uuid: String(uuid) }),
    ...(serial === undefined ? {} : { serial: String(serial) }),
  }
}
