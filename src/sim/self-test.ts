import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { Logger } from 'pino'
import type { ImageFile } from '../model/image.ts'
import type { Effect } from '../policy/effect.ts'
import type { LoaderManifest } from '../servers/files/loader-manifest.ts'
import type { SelfTestCheck, SelfTestReport } from '../servers/http/operator/operator-context.ts'
import type { Store } from '../store/store.ts'
import { fetchHashed } from './fetch-hashed.ts'
import { downloadByTftp } from './tftp-download.ts'

/** One of the server's links, by what machines on it are told. */
export interface SelfTestLink {
  /** What machines reach the server at; the test asks from the same address. */
  readonly address: string
  /** `http://10.77.0.1:8080`. */
  readonly bootUrl: string
  /** Where scripts send machines for image files. */
  readonly imageBaseUrl: string
}

export interface SelfTestOptions {
  readonly store: Store
  readonly loaders: LoaderManifest
  readonly log: Logger
  readonly links: readonly SelfTestLink[]
  /** Undefined: TFTP is off. */
  readonly tftpPort: number | undefined
  /** The node-side scripts, as they are on the disk. */
  readonly firstBootDir: string
  /** Reads a run of a stored file after it was hashed whole, off the main thread; rejects when it is not as imported. */
  readStored(file: ImageFile, first: number, length: number): Promise<Uint8Array>
}

/** Larger files are hashed on the disk by a thread, and fetched in three samples; smaller ones are fetched whole. */
const WHOLE_UP_TO_BYTES = 64 * 1024 * 1024
const SAMPLE_BYTES = 1024 * 1024
const AFTER_CHANGE_MS = 200

const CHANGES: ReadonlySet<Effect['kind']> = new Set<Effect['kind']>([
  'put-image',
  'set-image-state',
  'delete-image',
])

/**
 * Fetches every loader, script and image file that machines are told of, through the address that they are told, by
 * real TFTP and HTTP, and compares the hashes: once the server listens, and again after each change of the images.
 */
export class SelfTest {
  readonly #options: SelfTestOptions
  #report: SelfTestReport = { isDone: false, checks: [] }
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #isStopped = false

  constructor(options: SelfTestOptions) {
    this.#options = options
  }

  get report(): SelfTestReport {
    return this.#report
  }

  start(): void {
    this.#options.store.onCommit((effects) => {
      if (effects.some(({ kind }) => CHANGES.has(kind))) this.#soon(AFTER_CHANGE_MS)
    })
    this.#soon(0)
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    await this.#running
  }

  /** Several changes are one test; one that is running is followed by another. */
  #soon(ms: number): void {
    if (this.#isStopped || this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (this.#running !== undefined) return this.#soon(AFTER_CHANGE_MS)
      this.#running = this.#run().finally(() => {
        this.#running = undefined
      })
    }, ms)
  }

  async #run(): Promise<void> {
    const { log } = this.#options
    const startedAtMs = performance.now()
    const checks: SelfTestCheck[] = []
    const { links } = this.#options
    const probes = links.flatMap((link) =>
      [...this.#loaderProbes(link), ...this.#scriptProbes(link), ...this.#imageProbes(link)].map((probe) =>
        links.length === 1 ? probe : { ...probe, name: `${probe.name}, at ${link.address}` },
      ),
    )
    for (const probe of probes) {
      // One after the other, so that the test takes nothing from machines that boot.
      if (this.#isStopped) return
      checks.push(await carryOut(probe))
    }
    this.#report = { isDone: true, checks }
    const failed = checks.filter(({ ok }) => !ok)
    for (const check of failed) log.error({ ...check }, 'self-test failed')
    const ms = Math.round(performance.now() - startedAtMs)
    log.info({ checks: checks.length, failed: failed.length, ms }, 'self-test done')
  }

  #loaderProbes({ address, bootUrl }: SelfTestLink): readonly Probe[] {
    const { loaders, tftpPort } = this.#options
    const cure = 'pilotlight assets install'
    return [...loaders.names].flatMap((name) => {
      const loader = loaders.find(name)
      if (loader === undefined) return []
      const { sha256, bytes } = loader
      const byHttp: Probe = {
        name: `loader ${name} by HTTP`,
        cure,
        run: () => fetchWhole(`${bootUrl}/assets/${name}`, address, sha256, bytes.length),
      }
      if (tftpPort === undefined) return [byHttp]
      const byTftp: Probe = {
        name: `loader ${name} by TFTP`,
        cure,
        run: async () => {
          const wish = { server: address, port: tftpPort, file: name, localAddress: address, window: 4 }
          const got = await downloadByTftp(wish)
          return compare(hashOf(got), sha256, got.length)
        },
      }
      return [byTftp, byHttp]
    })
  }

  #scriptProbes({ address, bootUrl }: SelfTestLink): readonly Probe[] {
    const { firstBootDir } = this.#options
    const cure = 'install Pilotlight again'
    const files = readdirSync(firstBootDir, { withFileTypes: true }).filter((entry) => entry.isFile())
    return [
      {
        name: 'boot script',
        cure: 'is another program on the boot port?',
        run: async () => {
          const { status, bytes } = await fetchHashed(`${bootUrl}/boot.ipxe`, { localAddress: address })
          return status === 200 ? { detail: `${bytes} bytes` } : { fault: `HTTP ${status}` }
        },
      },
      ...files.map(({ name }) => ({
        name: `first-boot script ${name}`,
        cure,
        run: () => {
          const bytes = readFileSync(path.join(firstBootDir, name))
          return fetchWhole(`${bootUrl}/first-boot/${name}`, address, hashOf(bytes), bytes.length)
        },
      })),
    ]
  }

  #imageProbes({ address, bootUrl, imageBaseUrl }: SelfTestLink): readonly Probe[] {
    const { store } = this.#options
    const images = store.lists.images.list('', 10_000).filter(({ state }) => state === 'available')
    return images.flatMap((image) =>
      image.files.map((file) => ({
        name: `image ${image.name} ${image.version}: ${file.name}`,
        cure:
          imageBaseUrl === `${bootUrl}/images`
            ? `pilotlight image verify ${image.id}, and import it again if that fails`
            : `boot.image_base_url is ${imageBaseUrl}: is that server up, and its copy whole? This one's own: pilotlight image verify ${image.id}`,
        run: () => this.#probeImageFile(address, `${imageBaseUrl}/${image.id}/${file.name}`, file),
      })),
    )
  }

  async #probeImageFile(address: string, url: string, file: ImageFile): Promise<Outcome> {
    const { readStored } = this.#options
    // Whatever is fetched below: the stored file is hashed whole here, off the main thread.
    await readStored(file, 0, 1)
    if (file.bytes <= WHOLE_UP_TO_BYTES) return fetchWhole(url, address, file.sha256, file.bytes)
    const last = file.bytes - SAMPLE_BYTES
    for (const first of [0, Math.floor(last / 2), last]) {
      const range = { first, last: first + SAMPLE_BYTES - 1 }
      const got = await fetchHashed(url, { localAddress: address, range })
      if (got.status !== 206) return { fault: `HTTP ${got.status} for a range` }
      const wanted = hashOf(await readStored(file, first, SAMPLE_BYTES))
      if (got.sha256 !== wanted) return { fault: `other bytes from ${first} on` }
    }
    return { detail: `${file.bytes} bytes, hashed on the disk, 3 samples fetched` }
  }
}

/** A fault, or what was seen. */
type Outcome = { readonly fault: string } | { readonly detail: string }

interface Probe {
  readonly name: string
  readonly cure: string
  run(): Promise<Outcome>
}

async function carryOut({ name, cure, run }: Probe): Promise<SelfTestCheck> {
  const outcome = await run().catch((error: Error) => ({ fault: error.message }))
  return 'fault' in outcome
    ? { name, ok: false, detail: outcome.fault, cure }
    : { name, ok: true, detail: outcome.detail, cure: '' }
}

async function fetchWhole(
  url: string,
  localAddress: string,
  sha256: string,
  bytes: number,
): Promise<Outcome> {
  const got = await fetchHashed(url, { localAddress })
  if (got.status !== 200) return { fault: `${url}: HTTP ${got.status}` }
  if (got.contentLength !== bytes)
    return { fault: `${url}: Content-Length ${got.contentLength}, want ${bytes}` }
  return compare(got.sha256, sha256, got.bytes)
}

function compare(got: string, wanted: string, bytes: number): Outcome {
  if (got === wanted) return { detail: `${bytes} bytes, sha256 ${got.slice(0, 12)}…` }
  return { fault: `sha256 ${got.slice(0, 12)}…, want ${wanted.slice(0, 12)}…` }
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
