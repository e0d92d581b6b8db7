import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import path from 'node:path'
import fastifyStatic from '@fastify/static'
import fastify, { type FastifyInstance } from 'fastify'
import { StoreUnavailable } from '../../../store/disk-trouble.ts'
import { BrokenFile } from '../../files/verified-files.ts'
import { listen } from '../listen.ts'
import { addBeaconRoute } from './beacon-route.ts'
import type { BootContext } from './boot-context.ts'
import { addConfigRoute } from './config-route.ts'
import { addFileRoutes } from './file-routes.ts'
import { addGateRoute } from './gate-route.ts'
import { addMachineFilesRoute } from './machine-files-route.ts'
import { addReportRoute } from './report-route.ts'
import { addScriptRoutes } from './script-route.ts'

const MAX_BODY_BYTES = 256 * 1024
const PATIENCE = {
  /** Longer than a gate's long poll, so that a node's connection outlives it. */
  keepAliveTimeout: 120_000,
  /** For a request to arrive whole. */
  requestTimeout: 30_000,
}
const BACKLOG = 4096
const TRANSFER_GRACE_MS = 10_000

/** The boot side: what machines ask, on the provisioning address. No operator route lives here. */
export async function startBootServer(context: BootContext, bootAssetsDir: string): Promise<FastifyInstance> {
  const server = fastify({
    bodyLimit: MAX_BODY_BYTES,
    ...PATIENCE,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 255 },
    logger: false,
  })
  server.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    if (error instanceof StoreUnavailable) {
      return reply.code(503).header('retry-after', 5).type('text/plain').send('not now\n')
    }
    if (error instanceof BrokenFile) {
      // No Retry-After: iPXE would wait for ever for a file that only a person can put right.
      return reply.code(500).type('text/plain').send('the file on the server is not what was imported\n')
    }
    const status = error.statusCode ?? 500
    if (status >= 500) context.log.error({ err: error }, 'boot request failed')
    return reply
      .code(status)
      .type('text/plain')
      .send(status >= 500 ? 'internal error\n' : `${error.message}\n`)
  })
  server.setNotFoundHandler((_request, reply) => reply.code(404).type('text/plain').send('not found\n'))

  addScriptRoutes(server, context)
  addFileRoutes(server, context)
  addMachineFilesRoute(server, context)
  addConfigRoute(server, context)
  addReportRoute(server, context)
  addGateRoute(server, context)
  addBeaconRoute(server, context)
  await server.register(fastifyStatic, {
    root: path.join(bootAssetsDir, 'first-boot'),
    prefix: '/first-boot/',
    index: false,
    list: false,
    dotfiles: 'deny',
  })
  const { serverAddress, port, furtherAddresses = [] } = context.settings
  if (furtherAddresses.length > 0) await listenAlso(server, furtherAddresses, port)
  await listen(server, 'boot HTTP', 'boot.port', { host: serverAddress, port, backlog: BACKLOG })
  return server
}

/** Serves the same routes at further addresses, for the machines of further links; closed with the server. */
async function listenAlso(server: FastifyInstance, hosts: readonly string[], port: number): Promise<void> {
  const listeners: Server[] = []
  server.addHook('preClose', async () => {
    await Promise.all(listeners.map(closeInTime))
  })
  await server.ready()
  for (const host of hosts) {
    const listener = createServer(PATIENCE, (request, reply) => server.routing(request, reply))
    const listening = once(listener, 'listening')
    listener.listen({ host, port, backlog: BACKLOG })
    await listening
    listeners.push(listener)
  }
}

/** Lets what is on its way finish, for a while. */
async function closeInTime(listener: Server): Promise<void> {
  const gone = once(listener, 'close')
  listener.close()
  listener.closeIdleConnections()
  const cut = setTimeout(() => listener.closeAllConnections(), TRANSFER_GRACE_MS)
  await gone
  clearTimeout(cut)
}
