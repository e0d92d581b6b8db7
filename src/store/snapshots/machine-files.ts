import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { writeNewcArchive } from '../../model/newc-archive.ts'
import type { MachineFileSnapshot } from '../../policy/machine/decide-machine-file.ts'
import type { View } from '../store.ts'
import type { Tables } from '../tables/tables.ts'
import { findMachine } from './machine.ts'

/** A machine's own files as the second initrd that its script names; its address holds its hash. */
export interface FileArchive {
  readonly bytes: Uint8Array
  readonly sha256: string
}

/** Undefined: the machine has no files of its own. */
export function readFileArchive(
  { machineFiles }: Pick<Tables, 'machineFiles'>,
  machineId: string,
): FileArchive | undefined {
  const files = machineFiles.of(machineId)
  if (files.length === 0) return undefined
  // Linux reads a bare archive only at a multiple of 4, and its EFI stub joins initrds without filling up to one.
  const bytes = new Uint8Array(gzipSync(writeNewcArchive(files)))
  return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') }
}

/** Undefined: there is no such machine. */
export function readMachineFileSnapshot(view: View, ref: string): MachineFileSnapshot | undefined {
  const machine = findMachine(view, ref)
  return machine && { nowMs: view.nowMs, machine, files: view.machineFiles.of(machine.id) }
}
