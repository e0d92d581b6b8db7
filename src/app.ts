import path from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { Config } from './config/config.ts'
import { cidrContains, type Ipv4 } from './net/ipv4.ts'
import { decideFileSent } from './policy/boot/decide-file-sent.ts'
import { decideDhcp } from './policy/dhcp/decide-dhcp.ts'
import { type DhcpRequest, questionOf } from './policy/dhcp/question.ts'
import { ClusterBell } from './servers/cluster-bell.ts'
import { ClusterProber } from './servers/cluster-prober.ts'
import { DhcpServer } from './servers/dhcp/dhcp-server.ts'
import { LoaderManifest } from './servers/files/loader-manifest.ts'
import { startBootServer } from './servers/http/boot/boot-server.ts'
import { type BootSettings, bootUrlFor } from './servers/http/boot/boot-settings.ts'
import { startOperatorServer } from './servers/http/operator/operator-server.ts'
import type { SessionResult } from './servers/tftp/session.ts'
import { TftpServer } from './servers/tftp/tftp-server.ts'
import { readDhcpSnapshot } from './store/snapshots/dhcp.ts'
import { readFileSentSnapshot } from './store/snapshots/file-sent.ts'
import { Store } from './store/store.ts'

const TIME_NOTED_EVERY_MS = 30_000
const TRANSFER_GRACE_MS = 10_000

export interface AppOptions {
  readonly config: Config
  readonly log: Logger
  /** Directory of the program: `migrations/` and `boot-assets/` lie in it. */
  readonly programDir: string
}

export interface App {
  /** Base URL of the operator side, or `unix:` and its socket file. */
  readonly apiUrl: string
  /** Resolves when the server must not go on: nobody knows any more what is on the disk. */
  readonly failed: Promise<Error>
  stop(): Promise<void>
}

/** Builds everything in order and starts it; `stop` takes it down in reverse, running transfers last. */
export async function startApp({ config, log, programDir }: AppOptions): Promise<App> {
  let fail: (error: Error) => void = () => undefined
  const failed = new Promise<Error>((resolve) => {
    fail = resolve
  })
  const store = Store.open({
    dataDir: config.dataDir,
    migrationsDir: path.join(programDir, 'migrations'),
    onFatal: (error) => fail(error),
  })
  if (store.migrationCopy !== undefined)
    log.info({ copy: store.migrationCopy }, 'database copied before its migration')
  const loaders = LoaderManifest.read(config.assetsDir)
  for (const problem of loaders.problems) log.warn({ problem }, 'loaders are not as they should be')

  const bell = new ClusterBell()
  const prober = new ClusterProber(store, log)
  store.onCommit((effects) => {
    bell.ringFor(effects)
    if (effects.some((effect) => effect.kind === 'put-member')) prober.soon()
  })
  let isStopping = false
  const stops: (() => Promise<void>)[] = []
  const settings: BootSettings = {
    serverAddress: config.serverAddress,
    port: config.boot.port,
    subnets: config.subnets,
    serverId: store.serverId,
    ...(config.boot.imageBaseUrl === undefined ? {} : { imageBaseUrl: config.boot.imageBaseUrl }),
  }
  const dhcp = config.dhcp.mode === 'off' ? undefined : dhcpServer(config, settings, store, loaders, log)
  const tftp = config.tftp.enabled ? tftpServer(config, store, loaders, log) : undefined
  try {
    const boot = await startBootServer(
      { store, settings, bell, loaders, log, isStopping: () => isStopping },
      path.join(programDir, 'boot-assets'),
    )
    stops.push(() => closeWithin(boot, TRANSFER_GRACE_MS))
    const operator = await startOperatorServer(
      {
        store,
        loaders,
        subnets: config.subnets,
        serverAddress: config.serverAddress,
        imagesDir: path.join(config.dataDir, 'images'),
        log,
        problems: () => loaders.problems,
        counters: () => ({
          dhcp: Object.fromEntries(dhcp?.counters ?? []),
          tftp: Object.fromEntries(tftp?.counters ?? []),
        }),
        isStopping: () => isStopping,
      },
      config.api,
    )
    stops.push(() => operator.close())
    if (tftp !== undefined) {
      await tftp.start()
      stops.push(() => tftp.stop(TRANSFER_GRACE_MS))
    }
    if (dhcp !== undefined) {
      await dhcp.start()
      stops.push(() => dhcp.stop())
    }
    prober.start()
    stops.push(() => prober.stop())
  } catch (error) {
    await stopAll()
    throw error
  }
  const clock = setInterval(() => store.noteTime(), TIME_NOTED_EVERY_MS)
  const apiUrl =
    'path' in config.api ? `unix:${config.api.path}` : `http://${config.api.host}:${config.api.port}`
  log.info(
    { api: apiUrl, boot: bootUrlFor(settings, undefined), dhcp: config.dhcp.mode, tftp: config.tftp.enabled },
    'Pilotlight is serving',
  )
  return { apiUrl, failed, stop: stopAll }

  async function stopAll(): Promise<void> {
    if (isStopping) return
    isStopping = true
    clearInterval(clock)
    bell.ringAll()
    // What takes new work in stops first, all together; what is on its way is finished within its bound.
    await Promise.all(
      stops
        .reverse()
        .map((stop) => stop().catch((error: unknown) => log.error({ err: error }, 'stopping failed'))),
    )
    store.close()
    log.info({}, 'Pilotlight has stopped')
  }
}

function dhcpServer(
  config: Config,
  settings: BootSettings,
  store: Store,
  loaders: LoaderManifest,
  log: Logger,
): DhcpServer {
  const names = loaders.names
  return new DhcpServer({
    address: config.serverAddress,
    port: config.dhcp.port,
    proxyPort: config.dhcp.proxyPort,
    log,
    answer: (request: DhcpRequest) => {
      const question = questionOf(request, config.subnets, config.serverAddress)
      const dhcpSettings = {
        mode: config.dhcp.mode,
        unknownMachines: config.unknownMachines,
        serverAddress: config.serverAddress,
        bootUrl: bootUrlFor(settings, question.subnet?.cidr.network),
        loaders: names,
        proxyUefi: config.dhcp.proxyUefi,
      }
      return store.decide(
        (view) => readDhcpSnapshot(view, dhcpSettings, question, request),
        (snapshot) => decideDhcp(snapshot, request),
      )
    },
  })
}

function tftpServer(config: Config, store: Store, loaders: LoaderManifest, log: Logger): TftpServer {
  return new TftpServer({
    address: config.serverAddress,
    port: config.tftp.port,
    log,
    find: (name) => loaders.find(name),
    admits: (address: Ipv4) => config.subnets.some((subnet) => cidrContains(subnet.cidr, address)),
    onEnd: (result) => noteTransfer(store, result, log),
  })
}

/** Writes down in the machine's boot attempt what TFTP sent; a probe is no transfer. */
function noteTransfer(store: Store, result: SessionResult, log: Logger): void {
  if (result.end.kind === 'probe') return
  const isWhole = result.end.kind === 'sent' || result.end.kind === 'sent-unconfirmed'
  const file = {
    what: 'loader',
    name: result.file.name,
    bytes: result.bytes,
    resends: result.resends,
    isWhole,
  } as const
  store
    .decide(
      (view) => readFileSentSnapshot(view, result.client),
      (snapshot) => decideFileSent(snapshot, file),
    )
    .catch((error: unknown) => log.warn({ err: error }, 'TFTP transfer not recorded'))
}

/** Closes an HTTP server; connections that still move after the grace are cut. */
async function closeWithin(server: FastifyInstance, graceMs: number): Promise<void> {
  const cut = setTimeout(() => server.server.closeAllConnections(), graceMs)
  await server.close()
  clearTimeout(cut)
}
