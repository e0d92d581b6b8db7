import path from 'node:path'
import { choosePartsOf, type ImageParts, isSetFault, scriptNameAmong } from '../../model/image-set.ts'
import { isNetbootFault, parseKexecScript, parseNetbootScript } from '../../model/netboot-script.ts'
import { checkInitrd, checkKernel, type FileHead } from './check-parts.ts'
import { decompressed } from './decompress.ts'
import { ImageFault } from './image-fault.ts'
import { readTar } from './read-tar.ts'
import type { StagedImport, TakenFile } from './staged-import.ts'

const MAX_FILES = 64
const MAX_LINKS = 8

/**
 * Takes a set out of a tarball as it streams by. What belongs to it is known only once its script was seen, so every
 * file is taken first; those that are no part of it go with the staging directory.
 *
 * @throws ImageFault
 */
export async function unpackImage(
  archive: AsyncIterable<Uint8Array>,
  staged: StagedImport,
  wish: { readonly maxBytes: number; readonly script?: string },
): Promise<{ parts: ImageParts; taken: (name: string) => TakenFile }> {
  const files = new Map<string, TakenFile>()
  const links = new Map<string, string>()
  // What is known of files that are still to come, where the script comes first, as in what our own command packs.
  const checks = new Map<string, (head: FileHead) => void>()
  for await (const entry of readTar(decompressed(archive))) {
    if (files.size + links.size >= MAX_FILES)
      throw new ImageFault(
        'too-many-files',
        `the archive holds over ${MAX_FILES} files`,
        'pack only netboot.ipxe, kernel, initrd and squashfs',
      )
    links.delete(entry.name)
    if (entry.target !== undefined) {
      links.set(entry.name, entry.target)
      continue
    }
    const check = checks.get(entry.name)
    const file = await staged.take(entry.name, entry.body(), wish.maxBytes, (head) =>
      check?.({ name: entry.name, head }),
    )
    files.set(entry.name, file)
    if (!isScript(entry.name, wish.script)) continue
    for (const [name, checkOf] of checksBy(entry.name, await staged.textOf(file))) checks.set(name, checkOf)
  }
  const find = (name: string): TakenFile | undefined => {
    let at = name
    for (let steps = 0; steps <= MAX_LINKS; steps += 1) {
      const next = links.get(at)
      if (next === undefined) return files.get(at)
      at = next
    }
    return undefined
  }
  const present = [...files.keys(), ...links.keys()].filter((name) => find(name) !== undefined)
  const directory = directoryOfSet(present)
  const names = present.filter((name) => path.dirname(name) === directory).map((name) => path.basename(name))
  const taken = (name: string): TakenFile => {
    const file = find(path.join(directory, name))
    if (file === undefined)
      throw new ImageFault('file-missing', `${name} is not in the archive`, 'pack it too')
    return file
  }
  const scriptName = scriptNameAmong(names, wish.script)
  if (isSetFault(scriptName)) throw new ImageFault(scriptName.code, scriptName.detail, scriptName.cure)
  const parts = choosePartsOf(names, scriptName, await staged.textOf(taken(scriptName)))
  if (isSetFault(parts)) throw new ImageFault(parts.code, parts.detail, parts.cure)
  return { parts, taken }
}

function isScript(name: string, wished: string | undefined): boolean {
  const base = path.basename(name)
  return wished === undefined ? /^netboot(-.+)?\.ipxe$/.test(base) : base === wished
}

/** Which checks the files have to pass that a script beside them names; what is wrong with the script itself is told later. */
function checksBy(scriptName: string, text: string): ReadonlyMap<string, (head: FileHead) => void> {
  const script = scriptName.endsWith('.ipxe') ? parseNetbootScript(text) : parseKexecScript(text)
  const checks = new Map<string, (head: FileHead) => void>()
  if (isNetbootFault(script)) return checks
  const directory = path.dirname(scriptName)
  checks.set(path.join(directory, script.kernel), (head) => void checkKernel(head))
  checks.set(path.join(directory, script.initrd), checkInitrd)
  return checks
}

/** The one directory of the archive that holds a script; the top when none or several do. */
function directoryOfSet(names: readonly string[]): string {
  const holding = names.filter((name) => name.endsWith('.ipxe') || path.basename(name) === 'kexec-boot')
  const kexec = names.filter((name) => path.basename(name) === 'run')
  const directories = new Set((holding.length > 0 ? holding : kexec).map((name) => path.dirname(name)))
  const [only] = directories
  return only !== undefined && directories.size === 1 ? only : '.'
}
