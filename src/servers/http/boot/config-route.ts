import { createHash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { decideRedeem } from '../../../policy/first-boot/decide-redeem.ts'
import type { RedeemRequest } from '../../../policy/first-boot/redeem-snapshot.ts'
import { traceRedeem } from '../../../policy/first-boot/trace-first-boot.ts'
import { readRedeemSnapshot } from '../../../store/snapshots/redeem.ts'
import { withChallenge } from '../unauthorized.ts'
import type { BootContext } from './boot-context.ts'
import { bootUrlFor } from './boot-settings.ts'
import { addressOf, bearerOf, clockOf, macOf } from './requests.ts'

const UNIFORM_REFUSAL = { error: 'unauthorized' }

/** `GET /machines/{mac}/cluster-config.json`: redeemed once. Every refusal is the same 401; the event says which. */
export function addConfigRoute(server: FastifyInstance, context: BootContext): void {
  const { store, settings, log } = context

  server.get<{ Params: { mac: string } }>('/machines/:mac/cluster-config.json', async (request, reply) => {
    reply.header('cache-control', 'no-store')
    const mac = macOf(request.params.mac)
    const address = addressOf(request)
    const token = bearerOf(request)
    const nonce = request.headers['pilotlight-nonce']
    if (mac === undefined || address === undefined || token === undefined) {
      return withChallenge(reply).send(UNIFORM_REFUSAL)
    }
    if (typeof nonce !== 'string' || !/^[0-9a-f]{32}$/i.test(nonce)) {
      return reply.code(400).send({ error: 'Pilotlight-Nonce: want 16 random bytes as 32 hex digits' })
    }
    const clockMs = clockOf(request)
    const wanted: RedeemRequest = {
      mac,
      address,
      nonce: nonce.toLowerCase(),
      spends: request.method === 'GET' && request.headers.range === undefined,
      ...(clockMs === undefined ? {} : { clockMs }),
    }
    const tokenSha256 = createHash('sha256').update(token).digest('hex')
    const decision = await store.decide(
      (view) => {
        const snapshot = readRedeemSnapshot(
          view,
          bootUrlFor(settings, address),
          wanted,
          tokenSha256,
          settings,
        )
        const { machine } = snapshot
        return { snapshot, latest: machine === undefined ? undefined : view.attempts.latestOf(machine.id) }
      },
      ({ snapshot, latest }) => traceRedeem(snapshot, latest, wanted, decideRedeem(snapshot, wanted)),
    )
    log.info({ mac, address, reason: decision.reason }, 'configuration asked for')
    switch (decision.reply.kind) {
      case 'config':
        return reply.type('application/json').send(decision.reply.text)
      case 'not-now':
        return reply
          .code(503)
          .header('retry-after', decision.reply.retryAfterSeconds)
          .send({ reason: decision.reason })
      case 'refused':
        return withChallenge(reply).send(UNIFORM_REFUSAL)
    }
  })
}
