import dgram from 'node:dgram'
import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import type { Config } from '../config/config.ts'
import { ConfigError } from '../config/messages.ts'
import { MIN_FREE_BYTES } from '../policy/free-space.ts'
import { LoaderManifest } from '../servers/files/loader-manifest.ts'
import { bad, type Check, ok } from './doctor-check.ts'
import { databaseChecks } from './doctor-database.ts'
import { dhcpChecks } from './doctor-dhcp.ts'
import { serviceHostCheck } from './doctor-services.ts'
import { EXIT } from './exit-codes.ts'
import { configOf } from './program-dir.ts'
import { askReadiness } from './running-server.ts'
import { printTable } from './table.ts'

/** `pilotlight doctor`: looks at what a boot needs before the first machine is switched on. */
export async function doctor(options: { readonly config?: string; readonly json?: boolean }): Promise<void> {
  const checks = await examine(options.config)
  if (options.json === true) console.log(JSON.stringify({ checks }, null, 2))
  else {
    printTable(
      ['CHECK', 'OK', 'DETAIL', 'CURE'],
      checks.map((check) => [check.name, check.ok ? 'yes' : 'NO', check.detail, check.cure]),
    )
  }
  if (checks.some((check) => !check.ok)) process.exitCode = EXIT.failed
}

async function examine(file: string | undefined): Promise<readonly Check[]> {
  let config: Config
  try {
    config = configOf(file)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.complaints.map((complaint) => ({
      name: 'configuration',
      ok: false,
      detail: `${complaint.where}: ${complaint.key}: got ${complaint.got}`,
      cure: `want ${complaint.want}${complaint.cure === undefined ? '' : `; ${complaint.cure}`}`,
    }))
  }
  return [
    configurationCheck(config),
    ...loaderChecks(config),
    dataCheck(config),
    ...databaseChecks(config.dataDir),
    serviceHostCheck(config.boot.port),
    ...(await dhcpChecks(config)),
    ...(await servingChecks(config)),
  ]
}

/** A server that runs is asked what its self-test saw; without one its ports are tried. */
async function servingChecks(config: Config): Promise<readonly Check[]> {
  const readiness = await askReadiness(config)
  if (readiness === undefined) return portChecks(config)
  const { problems, self_test: selfTest } = readiness
  const checks = selfTest?.checks ?? []
  const failed = checks.filter((check) => !check.ok)
  const summary =
    selfTest?.done === true
      ? ok('self-test', `${checks.length} fetched as a machine does, ${failed.length} not as they should be`)
      : bad('self-test', 'it has not ended yet', 'look again in a moment')
  // What the self-test found, and what of the loaders, stands in lines of its own.
  const known = [...failed.map(({ name }) => `${name}: `), ...LoaderManifest.read(config.assetsDir).problems]
  const others = problems.filter((problem) => !known.some((start) => problem.startsWith(start)))
  return [
    ok('server', `it is serving, ${readiness.ready ? 'and ready' : 'and not ready'}`),
    failed.length === 0 ? summary : { ...summary, ok: false, cure: 'see below' },
    ...failed,
    ...others
      .filter((problem) => !problem.startsWith('the self-test'))
      .map((problem) => {
        const [what = problem, cure = 'see the runbook'] = problem.split('; ')
        // The server reads its loaders when it starts; what is wrong with them still stands under their own name.
        const isOfLoaders = what.startsWith('no loaders: ') || what.startsWith('loader ')
        return bad('server', what, isOfLoaders ? 'it read them when it started: start it again' : cure)
      }),
  ]
}

function configurationCheck(config: Config): Check {
  if (config.file !== undefined) return ok('configuration', `${config.file}, DHCP ${config.dhcp.mode}`)
  return bad('configuration', 'none: loopback only, DHCP off', 'pilotlight init')
}

function loaderChecks(config: Config): readonly Check[] {
  const loaders = LoaderManifest.read(config.assetsDir)
  const problems = loaders.problems.map((problem) =>
    bad('loaders', problem.split('; ')[0] ?? problem, 'pilotlight assets install'),
  )
  if (problems.length > 0) return problems
  return [ok('loaders', `${loaders.names.size} in ${config.assetsDir}, all as the manifest says`)]
}

function dataCheck({ dataDir }: Config): Check {
  let directory = dataDir
  while (!existsSync(directory) && directory !== path.dirname(directory)) directory = path.dirname(directory)
  if (!statSync(directory).isDirectory())
    return bad('data directory', `${directory} is a file`, 'set data_dir to a directory')
  try {
    accessSync(directory, constants.W_OK)
  } catch {
    return bad(
      'data directory',
      `${dataDir} cannot be written`,
      'set data_dir, or run as the user who owns it',
    )
  }
  const { bavail, bsize } = statfsSync(directory)
  const free = bavail * bsize
  const detail = `${dataDir}, ${Math.round(free / 1024 / 1024)} MiB free`
  return free >= MIN_FREE_BYTES
    ? ok('data directory', detail)
    : bad('data directory', detail, 'free at least 200 MiB')
}

async function portChecks(config: Config): Promise<readonly Check[]> {
  const { serverAddress: host, dhcp, tftp, boot, api } = config
  const checks: Check[] = []
  if (dhcp.mode !== 'off') {
    checks.push(
      await portCheck('DHCP', 'udp', host, dhcp.port),
      await portCheck('PXE', 'udp', host, dhcp.proxyPort),
    )
  }
  if (tftp.enabled) checks.push(await portCheck('TFTP', 'udp', host, tftp.port))
  checks.push(await portCheck('boot HTTP', 'tcp', host, boot.port))
  if (!('path' in api)) checks.push(await portCheck('API', 'tcp', api.host, api.port))
  return checks
}

async function portCheck(what: string, protocol: 'udp' | 'tcp', host: string, port: number): Promise<Check> {
  const name = `${what} port`
  const error = await (protocol === 'udp' ? tryUdp(host, port) : tryTcp(host, port))
  if (error === undefined) return ok(name, `${host}:${port}/${protocol} is free`)
  const cures: Readonly<Record<string, string>> = {
    EADDRINUSE: 'is pilotlight serving already? else stop what uses it, or choose another port',
    EACCES: 'run as root, or with CAP_NET_BIND_SERVICE',
    EADDRNOTAVAIL: 'server_address is not on this machine',
  }
  return bad(name, `${host}:${port}/${protocol}: ${error}`, cures[error] ?? 'see the error')
}

function tryUdp(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = dgram.createSocket('udp4')
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close()
      resolve(error.code ?? error.message)
    })
    socket.bind(port, host, () => socket.close(() => resolve(undefined)))
  })
}

function tryTcp(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = net.createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    server.listen(port, host, () => server.close(() => resolve(undefined)))
  })
}
