import { spawn } from 'node:child_process'
import { pipeline, Readable } from 'node:stream'
import { printable } from '../../net/bytes.ts'
import { ImageFault } from './image-fault.ts'

/** A program that decompresses from its input to its output, for what Node cannot do itself. */
export interface Decompressor {
  readonly program: string
  readonly args: readonly string[]
  /** Debian's package that holds it. */
  readonly debianPackage: string
}

/** An archive may ask for gigabytes of dictionary; `xz -9` needs 65 MiB. */
export const XZ: Decompressor = {
  program: 'xz',
  args: ['--decompress', '--stdout', '--memlimit-decompress=256MiB'],
  debianPackage: 'xz-utils',
}

export const BZIP2: Decompressor = {
  program: 'bzip2',
  args: ['--decompress', '--stdout'],
  debianPackage: 'bzip2',
}

const MAX_SAID_CHARS = 300

/**
 * The decompressed bytes, as fast as they are taken: the program waits while its reader does.
 *
 * @throws ImageFault `decompressor-missing` when the program is not installed, `archive-broken` when it fails; what the
 *   source throws comes through as it is.
 */
export async function* decompressedBy(
  { program, args, debianPackage }: Decompressor,
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  // `/` as its directory, and none of our settings: XZ_OPT and its like would change what it does.
  const child = spawn(program, args, { cwd: '/', env: { PATH: process.env.PATH } })
  const ended = new Promise<number | null | NodeJS.ErrnoException>((resolve) => {
    child.once('error', resolve)
    child.once('close', resolve)
  })
  let said = ''
  child.stderr.on('data', (text: Buffer) => {
    said = (said + text.toString('latin1')).slice(0, MAX_SAID_CHARS)
  })
  let broken: { readonly cause: unknown } | undefined
  async function* watched() {
    try {
      yield* source
    } catch (cause) {
      broken = { cause }
      throw cause
    }
  }
  // A program that ends early closes its input; why it did is said by how it ended.
  pipeline(Readable.from(watched(), { objectMode: false }), child.stdin, () => undefined)
  try {
    yield* child.stdout
    const end = await ended
    if (broken !== undefined) throw broken.cause
    if (end instanceof Error) {
      throw new ImageFault(
        'decompressor-missing',
        `the archive is compressed with ${program}, which the server cannot start (${end.code})`,
        `install it on the server (apt-get install ${debianPackage}), or send .tar, .tar.gz or .tar.zst`,
        422,
        end,
      )
    }
    if (end !== 0) {
      const why = printable(said.trim()) || `it ended with ${end}`
      throw new ImageFault(
        'archive-broken',
        `the archive cannot be decompressed (${why})`,
        'pack it anew, and send it whole',
      )
    }
  } finally {
    child.kill('SIGKILL')
  }
}
