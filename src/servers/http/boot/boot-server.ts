import path from 'node:path'
import fastifyStatic from '@fastify/static'
import fastify, { type FastifyInstance } from 'fastify'
import { StoreUnavailable } from '../../../store/decide.ts'
import { addBeaconRoute } from './beacon-route.ts'
import type { BootContext } from './boot-context.ts'
import { addConfigRoute } from './config-route.ts'
import { addFileRoutes } from './file-routes.ts'
import { addGateRoute } from './gate-route.ts'
import { addReportRoute } from './report-route.ts'
import { addScriptRoutes } from './script-route.ts'

const MAX_BODY_BYTES = 256 * 1024
/** Longer than a gate's long poll, so that a node's connection outlives it. */
const KEEP_ALIVE_MS = 120_000
const BACKLOG = 4096

/** The boot side: what machines ask, on the provisioning address. No operator route lives here. */
export async function startBootServer(context: BootContext, bootAssetsDir: string): Promise<FastifyInstance> {
  const server = fastify({
    bodyLimit: MAX_BODY_BYTES,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: 30_000,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 255 },
    logger: false,
  })
  server.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    if (error instanceof StoreUnavailable) {
      return reply.code(503).header('retry-after', 5).type('text/plain').send('not now\n')
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
  const { serverAddress, port } = context.settings
  await server.listen({ host: serverAddress, port, backlog: BACKLOG })
  return server
}
