import type { Logger } from 'pino'
import type { Config } from '../../config/config.ts'
import { cidrContains, type Ipv4 } from '../../net/ipv4.ts'
import { decideFileSent, type FileSentSnapshot } from '../../policy/boot/decide-file-sent.ts'
import { traceFileAsked, traceFileMissing, traceFileSent } from '../../policy/boot/trace-files.ts'
import type { Decision } from '../../policy/decision.ts'
import { readFileSentSnapshot } from '../../store/snapshots/file-sent.ts'
import type { Store } from '../../store/store.ts'
import type { DhcpLinks } from '../dhcp/dhcp-links.ts'
import type { LoaderManifest } from '../files/loader-manifest.ts'
import type { EndedTransfer } from './request-desk.ts'
import { DEFAULT_TFTP_LIMITS, type TftpLimits } from './tftp-limits.ts'
import { TftpServer } from './tftp-server.ts'

/** TFTP on one address of the server: loaders by their names, for machines of its subnets, told to their boot attempts. */
export function loaderTftpServer(
  config: Config,
  own: Ipv4,
  dhcp: DhcpLinks,
  store: Store,
  loaders: LoaderManifest,
  log: Logger,
): TftpServer {
  return new TftpServer({
    address: own,
    port: config.tftp.port,
    log,
    find: (name) => loaders.find(name),
    mostBlockBytes: (client) => dhcp.blockCaps.of(client),
    admits: (address: Ipv4) => {
      // The server's own address asks when it tests itself.
      if (address === own) return 'many-behind-it'
      const subnet = config.subnets.find((candidate) => cidrContains(candidate.cidr, address))
      if (subnet === undefined) return 'no'
      return subnet.sharedAddresses === true ? 'many-behind-it' : 'yes'
    },
    onEnd: (ended) => noteTransfer(store, ended, log),
    onBegin: (client, file) =>
      note(store, client, log, (snapshot) =>
        traceFileAsked(snapshot, { what: 'loader', name: file.name }, 'tftp', file.bytes.length),
      ),
    onMissing: (client, name) => note(store, client, log, (snapshot) => traceFileMissing(snapshot, name)),
    limits: shareOf(config, 1 + (config.furtherLinks ?? []).length),
  })
}

/** What TFTP on one of several links may take: threads and cache are for all of them together. */
function shareOf({ tftp }: Config, links: number): Partial<TftpLimits> {
  const { workers, cacheBytes } = { ...DEFAULT_TFTP_LIMITS, ...tftp.limits }
  return { ...tftp.limits, workers: Math.ceil(workers / links), cacheBytes: Math.floor(cacheBytes / links) }
}

/** Writes down in the machine's boot attempt what TFTP sent; a probe is no transfer. */
function noteTransfer(store: Store, ended: EndedTransfer, log: Logger): void {
  if (ended.end.kind === 'probe') return
  const isWhole = ended.end.kind === 'sent' || ended.end.kind === 'sent-unconfirmed'
  const file = {
    what: 'loader',
    name: ended.fileName,
    bytes: ended.bytes,
    resends: ended.resends,
    isWhole,
  } as const
  const transfer = {
    protocol: 'tftp',
    end: ended.end.kind,
    fileBytes: ended.fileBytes,
    durationMs: ended.durationMs,
  } as const
  store
    .decide(
      (view) => readFileSentSnapshot(view, ended.client),
      (snapshot) => traceFileSent(snapshot, file, transfer, decideFileSent(snapshot, file)),
    )
    .catch((error: unknown) => log.warn({ err: error }, 'TFTP transfer not recorded'))
}

/** Writes a note into the boot attempt of the machine at an address; a failure to do so must not fail the transfer. */
function note(
  store: Store,
  client: Ipv4,
  log: Logger,
  decide: (snapshot: FileSentSnapshot) => Decision<undefined>,
): void {
  store
    .decide((view) => readFileSentSnapshot(view, client), decide)
    .catch((error: unknown) => log.warn({ err: error }, 'TFTP request not recorded'))
}
