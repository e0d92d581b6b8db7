import type { BootAttempt } from '../../model/boot-attempt.ts'
import type { TraceFacts, TraceKind, TraceRecord } from '../../model/boot-trace.ts'
import type { Decision, Moment } from '../decision.ts'
import type { Effect } from '../effect.ts'
import type { FileSentSnapshot, SentFile } from './decide-file-sent.ts'
import type { ScriptReply, ScriptRequest, ScriptSnapshot } from './decide-script.ts'

/** How a transfer came to its end, as its protocol tells. */
export interface TransferFacts {
  readonly protocol: 'tftp' | 'http'
  /** `sent`, `broken-off`, or how TFTP ended: `timed-out`, `aborted`. */
  readonly end: string
  /** Bytes of the whole file. */
  readonly fileBytes: number
  readonly durationMs: number
}

/** The decision about a sent file with a note of the transfer: bytes, resends, time, and how it ended. */
export function traceFileSent(
  snapshot: FileSentSnapshot,
  file: SentFile,
  transfer: TransferFacts,
  decision: Decision<undefined>,
): Decision<undefined> {
  const note = noteFor(snapshot, snapshot.latestAttempt, transfer.protocol, `${file.what}:${file.name}`, {
    end: transfer.end,
    confirmed_bytes: file.bytes,
    file_bytes: transfer.fileBytes,
    duration_ms: Math.round(transfer.durationMs),
  })
  return note === undefined ? decision : { ...decision, effects: [...decision.effects, addTo(note, file)] }
}

/** A transfer that begins; one that never ends leaves only this. */
export function traceFileAsked(
  snapshot: FileSentSnapshot,
  file: Pick<SentFile, 'what' | 'name'>,
  protocol: TransferFacts['protocol'],
  fileBytes: number,
): Decision<undefined> {
  const { latestAttempt } = snapshot
  const note = noteFor(snapshot, latestAttempt, protocol, `asked:${file.what}:${file.name}`, {
    file_bytes: fileBytes,
  })
  return { reply: undefined, reason: 'file-asked', effects: note === undefined ? [] : [note] }
}

/** A TFTP name that is not there. The name is the client's own word: a fact, never a key. */
export function traceFileMissing(snapshot: FileSentSnapshot, name: string): Decision<undefined> {
  const note = noteFor(snapshot, snapshot.latestAttempt, 'tftp', 'not-found', { name: name.slice(0, 128) })
  return { reply: undefined, reason: 'file-missing', effects: note === undefined ? [] : [note] }
}

/** The decision about a boot script with a note of what was sent and why. */
export function traceScript(
  snapshot: ScriptSnapshot,
  request: ScriptRequest,
  decision: Decision<ScriptReply>,
): Decision<ScriptReply> {
  if (request.isHead) return decision
  const begun = decision.effects.find((effect) => effect.kind === 'begin-attempt')
  const attempt = begun?.attempt ?? snapshot.latestAttempt
  const { reply, reason } = decision
  const isImage = reply.kind === 'script' && reply.bootId !== undefined
  const note = noteFor(snapshot, attempt, 'script', reason, {
    address: request.address,
    ...(request.ramMib === undefined ? {} : { ram_mib: request.ramMib }),
    ...(isImage && snapshot.image !== undefined ? { image: snapshot.image.id } : {}),
    ...(request.uuid === undefined ? {} : { uuid: request.uuid }),
    ...(request.serial === undefined ? {} : { serial: request.serial }),
  })
  return note === undefined ? decision : { ...decision, effects: [...decision.effects, note] }
}

/** A script that boots the image: an operator armed the machine, or it was armed again without a person. */
export function isImageScript({ kind, key }: TraceRecord): boolean {
  return kind === 'script' && (key === 'armed' || key === 'rearmed')
}

/** What stage 1 says of its root: how far it is, that it waits for its turn, that it has it, that it cannot have it. */
export const ROOT_STAGES = [
  'squashfs-progress',
  'squashfs-waiting',
  'squashfs-loaded',
  'squashfs-failed',
] as const
export type RootStage = (typeof ROOT_STAGES)[number]

/** What stage 1 says of its root; of the reason only words that we know. */
export function traceRootTold(
  snapshot: FileSentSnapshot,
  key: RootStage,
  facts: TraceFacts,
): readonly Effect[] {
  const note = noteFor(snapshot, snapshot.latestAttempt, 'http', key, facts)
  return note === undefined ? [] : [note]
}

type NoteTrace = Extract<Effect, { kind: 'note-trace' }>

function noteFor(
  { nowMs }: Moment,
  attempt: BootAttempt | undefined,
  kind: TraceKind,
  key: string,
  facts: TraceFacts,
): NoteTrace | undefined {
  if (attempt === undefined || attempt.endedAtMs !== undefined) return undefined
  return { kind: 'note-trace', bootId: attempt.bootId, note: { kind, key, atMs: nowMs, facts } }
}

function addTo(note: NoteTrace, { bytes, resends }: SentFile): NoteTrace {
  return { ...note, note: { ...note.note, bytes, retries: resends } }
}
