import { stat } from 'node:fs/promises'
import { checkFound } from '../servers/images/check-parts.ts'
import {
  type ExplicitFiles,
  explicitSet,
  type FoundSet,
  readImageDirectory,
  readRegularFile,
} from '../servers/images/read-image-directory.ts'
import { BLOCK_BYTES, writeTarHeader } from '../servers/images/tar-header.ts'

/** A tarball as it is to be sent: its bytes, and how many there are. */
export interface ImageArchive {
  readonly bytes: number
  /** True when it was packed here, of a set that was chosen here. */
  readonly isPacked: boolean
  stream(): AsyncGenerator<Buffer>
}

/**
 * What is to be uploaded for a path: a tarball as it is, or of a directory only the set itself, packed on the way.
 *
 * @throws ImageFault
 */
export async function archiveOf(target: string, script?: string): Promise<ImageArchive> {
  const found = await stat(target).catch(() => undefined)
  if (found?.isFile() === true)
    return { bytes: found.size, isPacked: false, stream: () => readRegularFile(target) }
  return packed(await readImageDirectory(target, script))
}

export async function archiveOfFiles(files: ExplicitFiles): Promise<ImageArchive> {
  return packed(await explicitSet(files))
}

async function packed({ parts, pathOf }: FoundSet): Promise<ImageArchive> {
  await checkFound({ parts, pathOf })
  // The names of the parts stay, since they may claim an architecture; the script is written anew from what was read.
  const named = parts.claims === undefined ? '' : `-${parts.claims}`
  const script = [
    '#!ipxe',
    `kernel ${parts.kernel} init=${parts.init} initrd=${parts.initrd} ${parts.parameters.join(' ')}`,
    `initrd ${parts.initrd}`,
    'boot',
    '',
  ].join('\n')
  const names = [
    ...new Set([parts.kernel, parts.initrd, ...(parts.squashfs === undefined ? [] : [parts.squashfs])]),
  ]
  const files = await Promise.all(
    names.map(async (name) => ({
      name: name === parts.squashfs ? 'root.squashfs' : name,
      path: pathOf(name),
      bytes: (await stat(pathOf(name))).size,
    })),
  )
  const text = Buffer.from(script)
  const total = [text.length, ...files.map((file) => file.bytes)].reduce(
    (sum, bytes) => sum + BLOCK_BYTES + padded(bytes),
    2 * BLOCK_BYTES,
  )
  return {
    bytes: total,
    isPacked: true,
    async *stream() {
      yield* entry(`netboot${named}.ipxe`, text.length, [text])
      for (const file of files) yield* entry(file.name, file.bytes, readRegularFile(file.path))
      yield Buffer.alloc(2 * BLOCK_BYTES)
    },
  }
}

async function* entry(
  name: string,
  bytes: number,
  body: Iterable<Buffer> | AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  yield writeTarHeader(name, bytes)
  let sent = 0
  for await (const chunk of body) {
    sent += chunk.length
    yield chunk
  }
  if (sent !== bytes)
    throw new Error(`${name} had ${bytes} bytes and then ${sent}: it changed while it was sent`)
  if (padded(bytes) > bytes) yield Buffer.alloc(padded(bytes) - bytes)
}

function padded(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES
}
