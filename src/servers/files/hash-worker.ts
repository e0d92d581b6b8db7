import { createHash } from 'node:crypto'
import { fstatSync, readSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { parentPort } from 'node:worker_threads'
import { signatureOf } from './file-signature.ts'

/** A thread that hashes files, so that gigabytes never hold up the main one. Descriptors are shared by all threads. */
export interface ToHash {
  readonly id: number
  readonly fd: number
}

export interface Hashed {
  readonly id: number
  readonly sha256?: string
  /** The file's signature before and after; a file that was written to meanwhile has two. */
  readonly before?: string
  readonly after?: string
  readonly error?: string
}

const buffer = Buffer.allocUnsafeSlow(1024 * 1024)

parentPort?.on('message', ({ id, fd }: ToHash) => {
  parentPort?.postMessage(hash(id, fd))
})

// A thread that is ended keeps nothing for the next start by itself.
flushCompileCache()

function hash(id: number, fd: number): Hashed {
  try {
    const before = signatureOf(fstatSync(fd, { bigint: true }))
    const sha256 = createHash('sha256')
    for (let position = 0; ; ) {
      const length = readSync(fd, buffer, 0, buffer.length, position)
      if (length === 0) break
      sha256.update(buffer.subarray(0, length))
      position += length
    }
    const after = signatureOf(fstatSync(fd, { bigint: true }))
    return { id, sha256: sha256.digest('hex'), before, after }
  } catch (error) {
    return { id, error: (error as Error).message }
  }
}
