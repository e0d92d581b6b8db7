import type { FastifyInstance } from 'fastify'
import type { GatedStep } from '../../../model/first-boot.ts'
import type { Mac } from '../../../net/mac.ts'
import { decideGate } from '../../../policy/first-boot/decide-gate.ts'
import {
  decideClosed,
  decideUnknownBoot,
  type UnknownBootSnapshot,
} from '../../../policy/first-boot/decide-unknown-boot.ts'
import type { GateReply, GateRequest, GateSnapshot } from '../../../policy/first-boot/gate-snapshot.ts'
import { traceGate } from '../../../policy/first-boot/trace-first-boot.ts'
import { readGateSnapshot } from '../../../store/snapshots/gate.ts'
import { readUnknownBoot } from '../../../store/snapshots/unknown-boot.ts'
import { withChallenge } from '../unauthorized.ts'
import type { BootContext } from './boot-context.ts'
import { bearerOf, clockOf, macOf } from './requests.ts'

const GATED_STEPS: readonly string[] = [
  'chainfire-cluster-join',
  'flaredb-cluster-join',
  'iam-initial-setup',
] satisfies GatedStep[]
const MAX_WAIT_SECONDS = 60
/** Between two looks of one long poll when no bell rang: leaders and silences change without one. */
const LOOK_AGAIN_MS = 2_000

/** `GET /machines/{mac}/gates/{step}`: a long poll that answers as soon as the step may run. */
export function addGateRoute(server: FastifyInstance, context: BootContext): void {
  const { store, bell, log } = context

  server.get<{ Params: { mac: string; step: string }; Querystring: { wait?: string; data?: string } }>(
    '/machines/:mac/gates/:step',
    async (request, reply) => {
      const mac = macOf(request.params.mac)
      const bootId = store.bootIdOfReportToken(bearerOf(request) ?? '')
      if (mac === undefined || bootId === undefined)
        return withChallenge(reply).send({ error: 'unauthorized' })
      if (!GATED_STEPS.includes(request.params.step)) {
        return reply.code(404).send({
          error: `no gate ${request.params.step.slice(0, 64)}; there are: ${GATED_STEPS.join(', ')}`,
        })
      }
      const asked: GateRequest = {
        step: request.params.step as GatedStep,
        marker: String(request.query.data ?? '').slice(0, 255),
      }
      let clockMs = clockOf(request)
      const hungUp = new AbortController()
      request.raw.once('close', () => hungUp.abort())
      const deadline = performance.now() + waitSeconds(request.query.wait) * 1000

      for (;;) {
        const look = clockMs === undefined ? asked : { ...asked, clockMs }
        const decision = await decideOnce(context, mac, bootId, look)
        // It is the time at which the node asked: to a later look it would be slow.
        clockMs = undefined
        if (decision === undefined) return withChallenge(reply).send({ error: 'unauthorized' })
        const answer = decision.reply
        const leftMs = deadline - performance.now()
        if (answer.kind === 'shut' && leftMs > 0 && !hungUp.signal.aborted && !context.isStopping()) {
          await bell.wait(decision.clusterId, Math.min(leftMs, LOOK_AGAIN_MS), hungUp.signal)
          continue
        }
        log.info(
          { mac, boot: bootId, step: asked.step, reason: decision.reason, answer: answer.kind },
          'gate asked',
        )
        reply.header('cache-control', 'no-store')
        switch (answer.kind) {
          case 'open':
            return reply.send(openBody(answer))
          case 'shut':
            return reply
              .code(503)
              .header('retry-after', 2)
              .send({ reason: answer.reason, place: answer.place ?? null, detail: answer.detail })
          case 'stale':
            return reply.code(409).send({ reason: answer.reason })
        }
      }
    },
  )
}

function openBody(answer: Extract<GateReply, { kind: 'open' }>) {
  return {
    action: answer.action,
    slot_no: answer.slotNo,
    epoch: answer.epoch,
    member_id: answer.memberId,
    leader_url: answer.leaderUrl,
    voter: answer.voter,
    ...(answer.secret === undefined ? {} : { secret: answer.secret }),
  }
}

function waitSeconds(text: string | undefined): number {
  const seconds = /^\d{1,3}$/.test(text ?? '') ? Number(text) : 0
  return Math.min(seconds, MAX_WAIT_SECONDS)
}

/** Undefined: no such boot, or it is another machine's. */
async function decideOnce({ store }: BootContext, mac: Mac, bootId: string, asked: GateRequest) {
  let clusterId = ''
  const decision = await store.decide<
    readonly [GateSnapshot | undefined, UnknownBootSnapshot],
    GateReply | 'unknown'
  >(
    (view) => [readGateSnapshot(view, bootId, asked.step), readUnknownBoot(view, mac)],
    ([snapshot, unknown]) => {
      if (snapshot === undefined || !snapshot.machine.macs.includes(mac))
        return decideUnknownBoot(unknown, bootId)
      const closed = decideClosed(snapshot.cluster)
      if (closed !== undefined) return closed
      clusterId = snapshot.cluster.id
      return traceGate(snapshot, asked, decideGate(snapshot, asked))
    },
  )
  return decision.reply === 'unknown' ? undefined : { ...decision, reply: decision.reply, clusterId }
}
