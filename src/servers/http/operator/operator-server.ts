import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { ApiListen } from '../../../config/config.ts'
import { printable } from '../../../net/bytes.ts'
import { Conflict } from '../../../store/conflict.ts'
import { StoreUnavailable } from '../../../store/disk-trouble.ts'
import { listen } from '../listen.ts'
import { addBackupRoutes } from './backup-routes.ts'
import { refuseDeepBodies } from './body-depth.ts'
import { addBootRoutes } from './boot-routes.ts'
import { addClusterCallRoutes } from './cluster-call-routes.ts'
import { addClusterRoutes } from './cluster-routes.ts'
import { addClusterSettingRoutes } from './cluster-setting-routes.ts'
import { addDhcpRoute } from './dhcp-route.ts'
import { addDiagnosisRoutes } from './diagnosis-routes.ts'
import { addEventRoutes } from './event-routes.ts'
import { addExplainRoute } from './explain-route.ts'
import { addImageRoutes } from './image-routes.ts'
import { addMachineCallRoutes } from './machine-call-routes.ts'
import { addMachineFileRoutes } from './machine-file-routes.ts'
import { addMachineRoutes } from './machine-routes.ts'
import { refuseUnreadQueries } from './no-query.ts'
import type { OperatorContext } from './operator-context.ts'
import { addPacketsRoute } from './packets-route.ts'
import { ProblemError, sendProblem } from './problem.ts'
import { addServiceRoutes } from './service-routes.ts'
import { addSimulateRoute } from './simulate-route.ts'
import { unknownFieldProblem } from './unknown-field.ts'
import { wrongValueProblem } from './wrong-value.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** True for a route that changes nothing, whatever its method: a viewer may use it. */
    readonly isRead?: boolean
    /** True for a route whose answer holds what only an admin may have. */
    readonly isForAdmins?: boolean
  }
}

/** What Node and Fastify add to an error; the last two where a schema refused the request. */
type RequestError = Error & {
  code?: string
  statusCode?: number
  validation?: unknown
  validationContext?: string
}

const OPEN_ROUTES = new Set(['/healthz', '/readyz'])
const READS = new Set(['GET', 'HEAD'])

/** The operator side: bearer tokens on every route but the two health checks; never on the boot network by default. */
export async function startOperatorServer(
  context: OperatorContext,
  where: ApiListen,
): Promise<FastifyInstance> {
  const answerError = (error: RequestError, request: FastifyRequest, reply: FastifyReply) => {
    const problem = error instanceof ProblemError ? error : schemaProblem(error)
    if (problem !== undefined) return sendProblem(reply, problem.problem)
    if (error instanceof StoreUnavailable) {
      const detail = 'the disk did not take the change; nothing was changed'
      return sendProblem(reply, {
        status: 503,
        code: error.code,
        title: 'Not now',
        detail,
        cure: 'free space on the data disk',
      })
    }
    if (error instanceof Conflict) {
      return sendProblem(reply, {
        status: 409,
        code: error.code,
        title: 'Conflict',
        detail: error.message,
        cure: 'choose another value',
        field: error.field,
      })
    }
    const status = error.statusCode ?? 500
    const url = printable(request.url)
    if (isHangUp(error, request)) context.log.info({ url, why: error.message }, 'an operator hung up')
    else if (status >= 500) context.log.error({ err: error, url }, 'operator request failed')
    const code = status >= 500 ? 'internal-error' : 'bad-request'
    const detail = status >= 500 ? 'an internal error; the log has it' : error.message
    return sendProblem(reply, {
      status,
      code,
      title: status >= 500 ? 'Internal error' : 'Bad request',
      detail,
    })
  }
  const server = fastify({
    bodyLimit: 1024 * 1024,
    forceCloseConnections: true,
    // The longest name of an image with its version, and more.
    routerOptions: { maxParamLength: 255 },
    // What is wrong with a path before it has a route.
    frameworkErrors: answerError,
    logger: false,
    // A value is what was sent: made to fit, null would become an empty text, and take nothing away; a misspelt field
    // would be dropped, and the caller told that all is done.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, verbose: true } },
  })
  server.setErrorHandler(answerError)
  server.setNotFoundHandler((request, reply) =>
    sendProblem(reply, {
      status: 404,
      code: 'no-such-route',
      title: 'Not found',
      detail: `${request.method} ${request.url.slice(0, 200)}`,
    }),
  )
  server.addHook('onRequest', async (request) => {
    authorize(context, request)
    refuseRepeats(request)
  })

  refuseUnreadQueries(server)
  refuseDeepBodies(server)

  addHealthRoutes(server, context)
  addMachineRoutes(server, context)
  addMachineCallRoutes(server, context)
  addClusterRoutes(server, context)
  addClusterSettingRoutes(server, context)
  addClusterCallRoutes(server, context)
  addBackupRoutes(server, context)
  addBootRoutes(server, context)
  addDiagnosisRoutes(server, context)
  addImageRoutes(server, context)
  addMachineFileRoutes(server, context)
  addEventRoutes(server, context)
  addServiceRoutes(server, context)
  addSimulateRoute(server, context)
  addExplainRoute(server, context)
  addPacketsRoute(server, context)
  addDhcpRoute(server, context)
  await listen(server, 'the API', 'api.listen', where)
  return server
}

/** True when the connection went before the request was there whole. */
function isHangUp({ code }: RequestError, { raw }: FastifyRequest): boolean {
  return code === 'ECONNRESET' && raw.destroyed && !raw.complete
}

/** What a schema refused; an unknown field first, since a value beside it may be meant for another one. */
function schemaProblem({ validation, validationContext }: RequestError): ProblemError | undefined {
  return (
    unknownFieldProblem(validation, validationContext) ?? wrongValueProblem(validation, validationContext)
  )
}

function authorize({ store }: OperatorContext, request: FastifyRequest): void {
  if (OPEN_ROUTES.has(request.routeOptions.url ?? '')) return
  const token = /^Bearer ([A-Za-z0-9_-]{20,128})$/i.exec(request.headers.authorization ?? '')?.[1]
  const role = token === undefined ? undefined : store.lists.secrets.roleOf(token)
  if (role === undefined) {
    throw new ProblemError({
      status: 401,
      code: 'unauthorized',
      title: 'Unauthorized',
      detail: 'no good bearer token was sent',
      cure: 'set PILOTLIGHT_TOKEN; the first token is in data_dir/admin.token (lost: pilotlight token renew, on its host)',
    })
  }
  if (role !== 'admin' && request.routeOptions.config.isForAdmins === true) {
    throw new ProblemError({
      status: 403,
      code: 'forbidden',
      title: 'Forbidden',
      detail: `this is for admins, and the token's role is ${role}`,
    })
  }
  const isRead = READS.has(request.method) || request.routeOptions.config.isRead === true
  if (role === 'viewer' && !isRead) {
    throw new ProblemError({
      status: 403,
      code: 'forbidden',
      title: 'Forbidden',
      detail: 'a viewer changes nothing',
    })
  }
}

/** Routes read each parameter as one text; which of two was meant nobody knows. */
function refuseRepeats({ query }: FastifyRequest): void {
  const repeated = Object.entries(query ?? {}).find(([, value]) => Array.isArray(value))
  if (repeated === undefined) return
  const field = repeated[0].slice(0, 60)
  throw new ProblemError({
    status: 400,
    code: 'query-repeated',
    title: 'Bad request',
    detail: `${JSON.stringify(field)} stands in the query more than once`,
    cure: 'send it once',
    field,
  })
}

function addHealthRoutes(server: FastifyInstance, context: OperatorContext): void {
  server.get('/healthz', async () => ({ status: 'ok' }))
  server.get('/readyz', async (_request, reply) => {
    const { isDone, checks } = context.selfTest()
    const failed = checks.filter(({ ok }) => !ok)
    const problems = [
      ...context.problems(),
      ...(isDone ? [] : ['the self-test has not ended yet']),
      ...failed.map(({ name, detail, cure }) => `${name}: ${detail}; ${cure}`),
    ]
    const ready = problems.length === 0
    return reply.code(ready ? 200 : 503).send({ ready, problems, self_test: { done: isDone, checks } })
  })
  server.get('/api/v1/counters', async () => context.counters())
}
