import type { Logger } from 'pino'
import type { Ipv4 } from '../../../net/ipv4.ts'
import { decideFileMoving } from '../../../policy/boot/decide-file-moving.ts'
import {
  decideFileSent,
  type FileSentSnapshot,
  type SentFile,
} from '../../../policy/boot/decide-file-sent.ts'
import { traceFileAsked, traceFileSent } from '../../../policy/boot/trace-files.ts'
import type { Decision } from '../../../policy/decision.ts'
import { readFileSentSnapshot } from '../../../store/snapshots/file-sent.ts'
import type { Store } from '../../../store/store.ts'
import type { Sent } from '../send-file.ts'

export interface FileNotesParts {
  readonly store: Store
  readonly log: Logger
  /** Taken at the request: a connection that has ended does not say any more whose it was. */
  readonly address: Ipv4
  readonly file: Pick<SentFile, 'what' | 'name'>
  readonly fileBytes: number
}

/** Writes down in the machine's boot attempt what goes out; a failure to do so must not fail the transfer. */
export class FileNotes {
  readonly #parts: FileNotesParts
  readonly #startedAtMs = performance.now()

  constructor(parts: FileNotesParts) {
    this.#parts = parts
  }

  asked(): void {
    const { file, fileBytes } = this.#parts
    this.#record((snapshot) => traceFileAsked(snapshot, file, 'http', fileBytes))
  }

  /** Bytes move, or wait in the line: the machine's boot token does not run out meanwhile. */
  moving(): void {
    this.#record(decideFileMoving)
  }

  sent(sent: Sent): void {
    const { log, address, file, fileBytes } = this.#parts
    const durationMs = performance.now() - this.#startedAtMs
    log.info(
      {
        address,
        file: file.name,
        bytes: sent.bytes,
        whole: sent.isWhole,
        ms: Math.round(durationMs),
        ...(sent.error === undefined ? {} : { why: sent.error.message }),
      },
      'file sent',
    )
    const facts: SentFile = { ...file, bytes: sent.bytes, resends: 0, isWhole: sent.isWholeFile }
    const end = sent.isWhole ? 'sent' : 'broken-off'
    const transfer = { protocol: 'http', end, fileBytes, durationMs } as const
    this.#record((snapshot) => traceFileSent(snapshot, facts, transfer, decideFileSent(snapshot, facts)))
  }

  #record(decide: (snapshot: FileSentSnapshot) => Decision<undefined>): void {
    const { store, log, address } = this.#parts
    store
      .decide((view) => readFileSentSnapshot(view, address), decide)
      .catch((error: unknown) => log.warn({ err: error }, 'sent file not recorded'))
  }
}
