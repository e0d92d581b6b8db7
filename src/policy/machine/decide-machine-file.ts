import type { Machine } from '../../model/machine.ts'
import { isMachineFilePath, MACHINE_FILE_LIMITS, type MachineFile } from '../../model/machine-file.ts'
import type { Decision, Moment } from '../decision.ts'
import { type Refusal, refusal } from '../refusal.ts'

export interface MachineFileSnapshot extends Moment {
  readonly machine: Machine
  /** The files that it has. */
  readonly files: readonly MachineFile[]
}

export type MachineFileReply = { readonly kind: 'done'; readonly machineId: string } | Refusal

/** Gives a machine a file of its own, or another content to one that it has; its next script names it. */
export function decideMachineFile(
  { machine, files, nowMs }: MachineFileSnapshot,
  file: MachineFile,
): Decision<MachineFileReply> {
  const wrong = fileFault(files, file)
  if (wrong !== undefined) return { reply: wrong, reason: wrong.code, effects: [] }
  return {
    reply: { kind: 'done', machineId: machine.id },
    reason: 'file-put',
    effects: [
      { kind: 'put-machine-file', machineId: machine.id, file },
      eventOf('machine.file-put', machine, nowMs, { path: file.path, bytes: file.content.length }),
    ],
  }
}

export function decideMachineFileRemoval(
  { machine, files, nowMs }: MachineFileSnapshot,
  path: string,
): Decision<MachineFileReply> {
  if (!files.some((file) => file.path === path)) {
    const cure = `pilotlight machine file list ${machine.name}`
    const reply = refusal(
      404,
      'file-unknown',
      `${machine.name} has no file ${JSON.stringify(path.slice(0, 80))}`,
      cure,
    )
    return { reply, reason: reply.code, effects: [] }
  }
  return {
    reply: { kind: 'done', machineId: machine.id },
    reason: 'file-removed',
    effects: [
      { kind: 'remove-machine-file', machineId: machine.id, path },
      eventOf('machine.file-removed', machine, nowMs, { path }),
    ],
  }
}

function fileFault(files: readonly MachineFile[], { path, mode, content }: MachineFile): Refusal | undefined {
  const no = (code: string, detail: string, cure: string, field: string) =>
    refusal(422, code, detail, cure, field)
  if (!isMachineFilePath(path)) {
    return no(
      'path-refused',
      `${JSON.stringify(path.slice(0, 80))} is no plain relative path, or one that starts the system`,
      'name it as etc/rack-position: segments of A-Z a-z 0-9 . _ @ + -, not below dev, proc, sys, run or tmp',
      'path',
    )
  }
  if (!Number.isInteger(mode) || mode < 0 || mode > 0o777)
    return no(
      'mode-refused',
      `mode is ${mode.toString(8)}, want 0 to 777`,
      'name permission bits, 644',
      'mode',
    )
  const others = files.filter((file) => file.path !== path)
  const isInTheWay = others.some(
    (file) => file.path.startsWith(`${path}/`) || path.startsWith(`${file.path}/`),
  )
  if (isInTheWay)
    return no('path-refused', `${path} would be a file and a directory`, 'choose another path', 'path')
  const total = others.reduce((sum, file) => sum + file.content.length, content.length)
  const { files: most, fileBytes, totalBytes } = MACHINE_FILE_LIMITS
  if (others.length >= most || content.length > fileBytes || total > totalBytes) {
    return no(
      'files-too-large',
      `${others.length + 1} files of ${total} bytes, this one of ${content.length}: want at most ${most} files, ${fileBytes} bytes each and ${totalBytes} together`,
      'put what all machines share into the image; fetch what is large from the running system',
      'content_base64',
    )
  }
  return undefined
}

function eventOf(
  type: string,
  machine: Machine,
  atMs: number,
  data: Readonly<Record<string, string | number>>,
) {
  const event = { atMs, type, machineId: machine.id, data: { name: machine.name, ...data } }
  return { kind: 'append-event', event } as const
}
