import { concatBytes, textBytes } from '../net/bytes.ts'
import type { MachineFile } from './machine-file.ts'

const FILE = 0o100000
const DIRECTORY = 0o040755
const TRAILER = 'TRAILER!!!'

/**
 * Writes files as a cpio archive in the "newc" format that Linux unpacks an initrd from (Documentation/driver-api/
 * early-userspace/buffer-format.rst): every directory on the way before what lies in it, owner root, no times. The same
 * files give the same bytes.
 */
export function writeNewcArchive(files: readonly MachineFile[]): Uint8Array {
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1))
  const entries: Uint8Array[] = []
  const directories = new Set<string>()
  let inode = 1
  for (const { path, mode, content } of sorted) {
    const segments = path.split('/')
    for (let depth = 1; depth < segments.length; depth += 1) {
      const directory = segments.slice(0, depth).join('/')
      if (directories.has(directory)) continue
      directories.add(directory)
      entries.push(entry(inode++, DIRECTORY, 2, directory, new Uint8Array()))
    }
    entries.push(entry(inode++, FILE | (mode & 0o777), 1, path, content))
  }
  entries.push(entry(0, 0, 1, TRAILER, new Uint8Array()))
  return concatBytes(entries)
}

/** One header of 13 numbers in 8 hex digits each, the name with its NUL, and the bytes; each part fills up to 4. */
function entry(inode: number, mode: number, links: number, name: string, content: Uint8Array): Uint8Array {
  const nameBytes = textBytes(`${name}\0`)
  const numbers = [inode, mode, 0, 0, links, 0, content.length, 0, 0, 0, 0, nameBytes.length, 0]
  const header = textBytes(`070701${numbers.map((value) => value.toString(16).padStart(8, '0')).join('')}`)
  return concatBytes([
    header,
    nameBytes,
    padding(header.length + nameBytes.length),
    content,
    padding(content.length),
  ])
}

function padding(length: number): Uint8Array {
  return new Uint8Array((4 - (length % 4)) % 4)
}
