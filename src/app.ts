import path from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { Config } from './config/config.ts'
import type { Ipv4 } from './net/ipv4.ts'
import { decideRestored } from './policy/cluster/decide-restored.ts'
import { freeSpaceFault } from './policy/free-space.ts'
import { ClusterBell } from './servers/cluster-bell.ts'
import { ClusterProber } from './servers/cluster-prober.ts'
import { ClusterTicker } from './servers/cluster-ticker.ts'
import { adoptLeases } from './servers/dhcp/adopt-leases.ts'
import { DhcpLinks } from './servers/dhcp/dhcp-links.ts'
import { handedSockets } from './servers/dhcp/systemd-sockets.ts'
import { StallWatch } from './servers/diagnosis/stall-watch.ts'
import { EventTrimmer } from './servers/event-trimmer.ts'
import { LoaderManifest } from './servers/files/loader-manifest.ts'
import { startBootServer } from './servers/http/boot/boot-server.ts'
import { type BootSettings, bootUrlFor } from './servers/http/boot/boot-settings.ts'
import { FileDelivery } from './servers/http/file-delivery.ts'
import { startOperatorServer } from './servers/http/operator/operator-server.ts'
import { ImageLibrary } from './servers/images/image-library.ts'
import { lowerPoolPriority } from './servers/pool-priority.ts'
import { loaderTftpServer } from './servers/tftp/loader-tftp-server.ts'
import { SelfTest, type SelfTestLink } from './sim/self-test.ts'
import { readRestored } from './store/snapshots/restored.ts'
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
  await freezeRestored(store, log)
  await adoptLeases(store, config.subnets)
  const loaders = LoaderManifest.read(config.assetsDir)
  for (const problem of loaders.problems) log.warn({ problem }, 'loaders are not as they should be')

  const images = new ImageLibrary({
    store,
    directory: path.join(config.dataDir, 'images'),
    maxSetBytes: config.images.maxSetMib * 1024 * 1024,
    log,
  })
  const bell = new ClusterBell()
  const prober = new ClusterProber(store, log)
  const ticker = new ClusterTicker(store, log)
  store.onCommit((effects) => {
    bell.ringFor(effects)
    // Who is only on the way in answers nothing new yet.
    if (effects.some((effect) => effect.kind === 'put-member' && effect.member.state !== 'joining'))
      prober.soon()
  })
  const eventTrimmer = new EventTrimmer({ store, log, retention: config.events })
  const stallWatch = new StallWatch({ store, log, limits: config.stall, dataDir: config.dataDir })
  let isStopping = false
  const stops: (() => Promise<void>)[] = []
  const settings: BootSettings = {
    serverAddress: config.serverAddress,
    port: config.boot.port,
    subnets: config.subnets,
    dhcpMode: config.dhcp.mode,
    tokenBind: config.boot.tokenBind ?? 'subnet',
    serverId: store.serverId,
    imageLimits: config.images.limits,
    furtherAddresses: (config.furtherLinks ?? []).map(({ address }) => address),
    ...(config.boot.imageBaseUrl === undefined ? {} : { imageBaseUrl: config.boot.imageBaseUrl }),
  }
  const delivery = new FileDelivery(config.boot.delivery, (broken, { sha256 }) =>
    images.suspect(sha256, broken.message),
  )
  const dhcp = new DhcpLinks(config, store, loaders.names, log, handedSockets(process.env, process.pid))
  const addresses = dhcp.places.map(({ address }) => address)
  const tftp = config.tftp.enabled
    ? addresses.map((address) => loaderTftpServer(config, address, dhcp, store, loaders, log))
    : []
  const selfTest = new SelfTest({
    store,
    loaders,
    log,
    links: addresses.map((address) => linkOf(settings, address)),
    tftpPort: config.tftp.enabled ? config.tftp.port : undefined,
    firstBootDir: path.join(programDir, 'boot-assets', 'first-boot'),
    readStored: (file, first, length) =>
      delivery.readAt(
        { path: images.pathOf(file.sha256), bytes: file.bytes, sha256: file.sha256 },
        first,
        length,
      ),
  })
  let boot: FastifyInstance | undefined
  let clock: NodeJS.Timeout | undefined
  try {
    // What holds threads and files before it is started is stopped also when another part cannot start.
    for (const server of tftp) stops.push(() => server.stop(TRANSFER_GRACE_MS))
    stops.push(async () => {
      if (boot !== undefined) await closeWithin(boot, TRANSFER_GRACE_MS)
      await images.close()
      await delivery.close()
    })
    await images.open()
    await lowerPoolPriority()
    boot = await startBootServer(
      { store, settings, bell, loaders, images, delivery, log, isStopping: () => isStopping },
      path.join(programDir, 'boot-assets'),
    )
    const operator = await startOperatorServer(
      {
        store,
        loaders,
        subnets: config.subnets,
        serverAddress: config.serverAddress,
        places: dhcp.places,
        linkStates: () => dhcp.states,
        packetsOf: (macs) => dhcp.recorder.packetsOf(macs),
        addresses: config.dhcp.mode === 'authoritative' ? 'ours' : 'foreign',
        prober,
        images,
        imageLimits: config.images.limits,
        log,
        selfTest: () => selfTest.report,
        problems: () => [...loaders.problems, ...spaceProblems(store)],
        counters: () => ({
          dhcp: dhcp.counters,
          tftp: summed(tftp.map(({ counters }) => counters)),
          files: delivery.counters(),
        }),
        stallWatch,
        isStopping: () => isStopping,
      },
      config.api,
    )
    stops.push(() => operator.close())
    for (const server of tftp) await server.start()
    stops.push(() => dhcp.stop())
    await dhcp.start()
    stallWatch.start()
    stops.push(() => stallWatch.stop())
    prober.start()
    stops.push(() => prober.stop())
    selfTest.start()
    stops.push(() => selfTest.stop())
    ticker.start()
    stops.push(() => ticker.stop())
    eventTrimmer.start()
    stops.push(() => eventTrimmer.stop())
  } catch (error) {
    await stopAll()
    throw error
  }
  clock = setInterval(() => void store.noteTime(), TIME_NOTED_EVERY_MS)
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

/** F15: what was put back from a backup freezes before any socket opens. */
async function freezeRestored(store: Store, log: Logger): Promise<void> {
  const { reply: frozen } = await store.decide(readRestored, decideRestored)
  if (frozen === undefined) return
  log.warn(
    { clusters: frozen, next: 'pilotlight cluster list; docs/runbook.md, After a restore' },
    'the database is older than the one that was served last: its clusters are frozen and every arm is void',
  )
}

/** A data disk that is nearly full takes no new work: see `MIN_FREE_BYTES`. */
function spaceProblems(store: Store): readonly string[] {
  const fault = freeSpaceFault(store.freeBytes())
  return fault === undefined
    ? []
    : [`${fault.detail}: no image is imported and no machine is armed; ${fault.cure}`]
}

/** Counts of several servers, name by name. */
function summed(counters: readonly ReadonlyMap<string, number>[]): Readonly<Record<string, number>> {
  const sums: Record<string, number> = {}
  for (const [name, count] of counters.flatMap((one) => [...one])) sums[name] = (sums[name] ?? 0) + count
  return sums
}

/** What machines of a link are told, and the address that they are told it by. */
function linkOf(settings: BootSettings, address: Ipv4): SelfTestLink {
  const bootUrl = `http://${address}:${settings.port}`
  return { address, bootUrl, imageBaseUrl: settings.imageBaseUrl ?? `${bootUrl}/images` }
}

/** Closes an HTTP server; connections that still move after the grace are cut. */
async function closeWithin(server: FastifyInstance, graceMs: number): Promise<void> {
  const cut = setTimeout(() => server.server.closeAllConnections(), graceMs)
  await server.close()
  clearTimeout(cut)
}
