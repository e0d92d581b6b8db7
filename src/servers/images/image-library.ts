import type { Logger } from 'pino'
import type { Image } from '../../model/image.ts'
import { freeSpaceFault } from '../../policy/free-space.ts'
import { type CollectionReply, decideCollection } from '../../policy/image/decide-collection.ts'
import { decideImport, type ImportRequest, importFault } from '../../policy/image/decide-import.ts'
import { decideVerification, type FileFinding } from '../../policy/image/decide-verification.ts'
import type { Refusal } from '../../policy/refusal.ts'
import { readCollectionSnapshot, readImportSnapshot } from '../../store/snapshots/image.ts'
import type { Store } from '../../store/store.ts'
import { FileHasher } from '../files/file-hasher.ts'
import { BlobStore } from './blob-store.ts'
import { ImageFault } from './image-fault.ts'
import { type ImageSource, importImage } from './import-image.ts'
import { inspectFile } from './inspect-file.ts'

export interface LibraryOptions {
  readonly store: Store
  /** Where the files are kept. */
  readonly directory: string
  readonly maxSetBytes: number
  readonly log: Logger
}

export interface ImportOutcome {
  readonly image: Image
  /** False: the same content was here before. */
  readonly isNew: boolean
}

export interface VerificationOutcome {
  readonly verdict: 'whole' | 'damaged'
  readonly findings: readonly FileFinding[]
}

/** How many imports may run at once: each of them writes and syncs gigabytes. */
const MAX_IMPORTS = 2

/** The images and their files together: every way in which either changes. */
export class ImageLibrary {
  readonly #store: Store
  readonly #blobs: BlobStore
  readonly #maxSetBytes: number
  readonly #log: Logger
  readonly #inspecting = new Map<string, Promise<VerificationOutcome>>()
  readonly #hasher = new FileHasher()
  readonly #imports = new Set<Promise<ImportOutcome>>()
  readonly #stop = new AbortController()
  #isClosed = false

  constructor({ store, directory, maxSetBytes, log }: LibraryOptions) {
    this.#store = store
    this.#blobs = new BlobStore(directory, (sha256) => store.lists.images.holdsFile(sha256), this.#hasher)
    this.#maxSetBytes = maxSetBytes
    this.#log = log
  }

  /** To be called before anything is served: clears away what a killed import left behind. */
  async open(): Promise<void> {
    const { swept } = await this.#blobs.open()
    if (swept > 0) this.#log.warn({ imports: swept }, 'imports that did not end were cleared away')
  }

  /** Path of the file with these bytes, whether or not it is there. */
  pathOf(sha256: string): string {
    return this.#blobs.pathOf(sha256)
  }

  /**
   * Takes a set in and makes it known under a name.
   *
   * @throws ImageFault for all that the set, the request or the disk is at fault for.
   */
  async import(source: ImageSource, request: ImportRequest, announcedBytes = 0): Promise<ImportOutcome> {
    refuse(importFault(request))
    refuse(freeSpaceFault(await this.#blobs.freeBytes(), announcedBytes))
    if (this.#imports.size >= MAX_IMPORTS) {
      throw new ImageFault(
        'imports-busy',
        `${this.#imports.size} imports are running`,
        'try again when one of them has ended',
        503,
      )
    }
    this.#stop.signal.throwIfAborted()
    const running = this.#import(source, request)
    this.#imports.add(running)
    try {
      return await running
    } finally {
      this.#imports.delete(running)
    }
  }

  /** Reads every byte of an image again. What is not what was imported is withdrawn; what is whole again is given back. */
  verify(image: Image, by: string): Promise<VerificationOutcome> {
    const running = this.#inspecting.get(image.id)
    if (running !== undefined) return running
    const inspection = this.#verify(image, by).finally(() => this.#inspecting.delete(image.id))
    this.#inspecting.set(image.id, inspection)
    return inspection
  }

  /** A file was found to differ while it was to be sent: every image that holds it is verified at once. */
  suspect(sha256: string, why: string): void {
    if (this.#isClosed) return
    for (const image of this.#store.lists.images.holding(sha256)) {
      if (this.#inspecting.has(image.id) || image.state !== 'available') continue
      this.#log.error({ image: image.id, sha256, why }, 'an image file is not what was imported')
      this.verify(image, 'server').catch((error: unknown) =>
        this.#log.error({ err: error, image: image.id }, 'image not verified'),
      )
    }
  }

  /** Ends what runs: another server may have the directory after that. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#stop.abort(
      new ImageFault('stopping', 'the server is being stopped', 'import it again when it is back', 503),
    )
    await this.#hasher.close()
    await Promise.allSettled(this.#imports)
  }

  /** Removes retired images that nothing needs, then every file that no image holds. */
  async collect(
    isTrial: boolean,
    by: string,
  ): Promise<CollectionReply & { readonly files: number; readonly bytes: number }> {
    const { reply } = await this.#store.decide(readCollectionSnapshot, (snapshot) =>
      decideCollection(snapshot, isTrial, by),
    )
    const swept = isTrial ? { files: 0, bytes: 0 } : await this.#blobs.collect()
    this.#log.info({ images: reply.removed.length, ...swept, isTrial }, 'images collected')
    return { ...reply, ...swept }
  }

  #import(source: ImageSource, request: ImportRequest): Promise<ImportOutcome> {
    const wish = { source, maxBytes: this.#maxSetBytes, stop: this.#stop.signal }
    return importImage(this.#blobs, wish, async (image) => {
      const version = request.version ?? image.id
      const { reply, reason } = await this.#store.decide(
        (view) => readImportSnapshot(view, image.id, request.name, version),
        (snapshot) => decideImport(snapshot, image, request),
      )
      if (reply.kind === 'refused') throw faultOf(reply)
      this.#log.info({ image: image.id, name: request.name, version, reason }, 'image imported')
      const stored = this.#store.lists.images.byId(image.id)
      if (stored === undefined) throw new Error(`image ${image.id} was imported and is not there`)
      return { image: stored, isNew: reply.isNew }
    })
  }

  async #verify(image: Image, by: string): Promise<VerificationOutcome> {
    const findings: FileFinding[] = []
    for (const file of image.files) {
      const fault = await inspectFile(this.#hasher, this.#blobs.pathOf(file.sha256), file)
      // A reading that was cut off by our own end says nothing about the file.
      if (this.#isClosed) throw new Error('stopped while an image was verified')
      findings.push({ name: file.name, sha256: file.sha256, ...(fault === undefined ? {} : { fault }) })
    }
    const { reply } = await this.#store.decide(
      (view) => ({ nowMs: view.nowMs, image: view.images.byId(image.id) }),
      (snapshot) => decideVerification(snapshot, snapshot.image, findings, by),
    )
    const log = { image: image.id, verdict: reply.verdict }
    if (reply.verdict === 'whole') this.#log.info(log, 'image verified')
    else this.#log.error({ ...log, findings }, 'image withdrawn')
    return { verdict: reply.verdict, findings }
  }
}

function refuse(fault: Refusal | undefined): void {
  if (fault !== undefined) throw faultOf(fault)
}

function faultOf({ code, detail, cure, status }: Refusal): ImageFault {
  return new ImageFault(code, detail, cure, status === 404 ? 422 : status)
}
