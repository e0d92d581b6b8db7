import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import pino from 'pino'
import { type Cidr, cidrContains, type Ipv4 } from '../../src/net/ipv4.ts'
import { decideFileSent, type FileSentSnapshot } from '../../src/policy/boot/decide-file-sent.ts'
import { traceFileAsked, traceFileMissing, traceFileSent } from '../../src/policy/boot/trace-files.ts'
import { LoaderManifest } from '../../src/servers/files/loader-manifest.ts'
import { BlockCache } from '../../src/servers/tftp/block-cache.ts'
import { type EndedTransfer, RequestDesk } from '../../src/servers/tftp/request-desk.ts'
import type { Peer, Session, TransferOrder } from '../../src/servers/tftp/session.ts'
import { SinglePortTransfers } from '../../src/servers/tftp/single-port.ts'
import { DEFAULT_TFTP_LIMITS, type TftpLimits } from '../../src/servers/tftp/tftp-limits.ts'
import { runningTransfer, sessionOn, type TransferHost } from '../../src/servers/tftp/transfer-host.ts'
import { aMachine, anAttempt, cidr, NOW } from '../support/builders.ts'
import { ManualClock } from './manual-clock.ts'

export const SERVED: Cidr = cidr('10.77.0.0/24')
/** What lies in the manifest's directory and beside it, and stands in no manifest. */
export const SECRET = 'this is no loader'

/** A transfer that runs, and what goes out for it. */
export interface OpenTransfer {
  readonly order: TransferOrder
  /** Undefined in single-port mode: what comes there goes to the desk. */
  readonly session?: Session
}

/** A packet on its way out. */
export interface SentPacket {
  readonly bytes: Uint8Array
  readonly to: Peer
  /** Undefined: a refusal. */
  readonly transfer?: OpenTransfer
}

/** Loaders on a disk, with text among them and things beside them that nobody may have. */
export function fuzzLoaders(): { readonly manifest: LoaderManifest; remove(): void } {
  const above = mkdtempSync(path.join(os.tmpdir(), 'pilotlight-fuzz-'))
  const directory = path.join(above, 'loaders')
  mkdirSync(directory)
  const text = Buffer.from('#!ipxe\r\necho one\necho two\r\r\n\n')
  const files = {
    'snponly.efi': 74_213,
    'undionly.kpxe': 5120,
    'one.bin': 1,
    'big.bin': 600_000,
    'autoexec.ipxe': text,
  }
  const entries = Object.entries(files).map(([name, what], seed) => {
    const bytes = typeof what === 'number' ? pattern(what, seed) : what
    writeFileSync(path.join(directory, name), bytes)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    return { name, source_name: name, bytes: bytes.length, sha256 }
  })
  writeFileSync(
    path.join(directory, 'manifest.json'),
    JSON.stringify({ version: 1, source: 'fuzz', files: entries }),
  )
  for (const place of [above, directory]) writeFileSync(path.join(place, 'secret.txt'), SECRET)
  const manifest = LoaderManifest.read(directory)
  return { manifest, remove: () => rmSync(above, { recursive: true }) }
}

/** Bytes of which no two neighbouring blocks are alike. */
function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; at += 1) bytes[at] = (Math.imul(at + seed, 0x9e3779b1) >>> 24) ^ (at >>> 8)
  return bytes
}

/** The whole of TFTP but its sockets: what would leave is kept, and time stands still until it is moved. */
export class TftpFuzzWorld {
  readonly name: string
  readonly limits: TftpLimits
  readonly mostBlockBytes: number | undefined
  readonly clock = new ManualClock()
  readonly desk: RequestDesk
  readonly open = new Set<OpenTransfer>()
  /** Names that were looked up. */
  readonly lookedUp: string[] = []
  /** Notes in the boot attempt of the machine that asks. */
  readonly notes: object[] = []
  /** How many transfers ended, by how. */
  readonly ends = new Map<string, number>()
  #sent: SentPacket[] = []

  constructor(name: string, loaders: LoaderManifest, limits: Partial<TftpLimits>, mostBlockBytes?: number) {
    this.name = name
    this.limits = { ...DEFAULT_TFTP_LIMITS, cacheBytes: 2_000_000, ...limits }
    this.mostBlockBytes = mostBlockBytes
    const singlePort = this.limits.singlePort ? this.#throughOnePort() : undefined
    this.desk = new RequestDesk({
      limits: this.limits,
      clock: this.clock,
      host: singlePort === undefined ? this.#withOwnPorts() : this.#watching(singlePort),
      ...(singlePort === undefined ? {} : { singlePort }),
      refuse: (bytes, to) => this.#sent.push({ bytes, to }),
      options: {
        log: pino({ level: 'silent' }),
        find: (wanted) => {
          this.lookedUp.push(wanted)
          return loaders.find(wanted)
        },
        admits: (address) => (cidrContains(SERVED, address) ? 'yes' : 'no'),
        mostBlockBytes: () => mostBlockBytes,
        onBegin: (_, file) =>
          this.#note(
            traceFileAsked(SNAPSHOT, { what: 'loader', name: file.name }, 'tftp', file.bytes.length),
          ),
        onMissing: (_, missing) => this.#note(traceFileMissing(SNAPSHOT, missing)),
        onEnd: (ended) => this.#noteEnd(ended),
      },
    })
  }

  /** What left since it was asked for the last time. */
  takeSent(): readonly SentPacket[] {
    const sent = this.#sent
    this.#sent = []
    return sent
  }

  /** The transfer that a peer has. */
  transferOf(peer: Peer): OpenTransfer | undefined {
    return [...this.open].findLast(
      ({ order: { to } }) => to.port === peer.port && to.address === peer.address,
    )
  }

  #withOwnPorts(): TransferHost {
    const blocks = new BlockCache(this.limits.cacheBytes)
    return {
      begin: (order) => {
        const wire = {
          send: (bytes: Uint8Array, to: Peer) => this.#sent.push({ bytes, to, transfer: open }),
          close: () => undefined,
        }
        const { session, ended } = sessionOn(order, wire, blocks, this.clock)
        const open: OpenTransfer = { order, session }
        this.#watch(open, ended)
        session.start()
        return runningTransfer(session, ended)
      },
      close: async () => undefined,
    }
  }

  #throughOnePort(): SinglePortTransfers {
    const send = (bytes: Uint8Array, port: number, address: Ipv4) => {
      const to = { address, port }
      const transfer = this.transferOf(to)
      this.#sent.push({ bytes, to, ...(transfer === undefined ? {} : { transfer }) })
    }
    return new SinglePortTransfers({ send } as never, this.limits.cacheBytes, this.clock)
  }

  #watching(host: SinglePortTransfers): TransferHost {
    return {
      begin: (order) => {
        const open: OpenTransfer = { order }
        this.open.add(open)
        const running = host.begin(order)
        this.#watch(open, running.ended)
        return running
      },
      close: () => host.close(),
    }
  }

  #watch(open: OpenTransfer, ended: Promise<unknown>): void {
    this.open.add(open)
    void ended.then(() => {
      this.open.delete(open)
    })
  }

  #note({ effects }: { readonly effects: readonly object[] }): void {
    this.notes.push(...effects)
  }

  #noteEnd(ended: EndedTransfer): void {
    this.ends.set(ended.end.kind, (this.ends.get(ended.end.kind) ?? 0) + 1)
    const isWhole = ended.end.kind === 'sent' || ended.end.kind === 'sent-unconfirmed'
    const { bytes, resends, fileName: name, fileBytes, durationMs } = ended
    const file = { what: 'loader', name, bytes, resends, isWhole } as const
    const transfer = { protocol: 'tftp', end: ended.end.kind, fileBytes, durationMs } as const
    this.#note(traceFileSent(SNAPSHOT, file, transfer, decideFileSent(SNAPSHOT, file)))
  }
}

const SNAPSHOT: FileSentSnapshot = {
  nowMs: NOW,
  machine: aMachine(),
  latestAttempt: anAttempt({ stage: 'offered' }),
}
