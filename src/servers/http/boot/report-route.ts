import type { FastifyInstance } from 'fastify'
import type { Report } from '../../../model/first-boot.ts'
import type { Mac } from '../../../net/mac.ts'
import type { Decision } from '../../../policy/decision.ts'
import { decideInstalled, type InstalledReply } from '../../../policy/first-boot/decide-installed.ts'
import { decideReport } from '../../../policy/first-boot/decide-report.ts'
import {
  decideClosed,
  decideUnknownBoot,
  type UnknownBootSnapshot,
} from '../../../policy/first-boot/decide-unknown-boot.ts'
import type { ReportSnapshot } from '../../../policy/first-boot/report-snapshot.ts'
import { traceReport } from '../../../policy/first-boot/trace-first-boot.ts'
import { readReportSnapshot } from '../../../store/snapshots/report.ts'
import { readUnknownBoot } from '../../../store/snapshots/unknown-boot.ts'
import { withChallenge } from '../unauthorized.ts'
import type { BootContext } from './boot-context.ts'
import { readReportBody } from './report-body.ts'
import { bearerOf, clockOf, macOf } from './requests.ts'

const RETRY_AFTER_SECONDS = 10

/** `POST /machines/{mac}/reports`: each report is a unit of its own, in the order in which they stand. */
export function addReportRoute(server: FastifyInstance, context: BootContext): void {
  const { store, log } = context

  server.post<{ Params: { mac: string } }>('/machines/:mac/reports', async (request, reply) => {
    const mac = macOf(request.params.mac)
    const bootId = store.bootIdOfReportToken(bearerOf(request) ?? '')
    if (mac === undefined || bootId === undefined) return withChallenge(reply).send({ error: 'unauthorized' })
    const body = readReportBody(request.body)
    if (body === undefined) {
      return reply
        .code(422)
        .send({ error: 'want {"boot_id": "…", "reports": [1 to 256 reports]}', field: 'reports' })
    }
    if (body.bootId !== bootId) return withChallenge(reply).send({ error: 'unauthorized' })

    const clockMs = clockOf(request)
    let recorded = 0
    for (const entry of body.reports) {
      if (!entry.ok) return reply.code(422).send({ error: entry.detail, field: entry.field, recorded })
      const { report } = entry
      const decision = await decideOne(context, mac, bootId, report, clockMs)
      if (decision === undefined) return withChallenge(reply).send({ error: 'unauthorized' })
      const { reason } = decision
      if (report === 'installed') {
        log.info({ mac, boot: bootId, reason }, 'report: installed')
      } else {
        const { step, state, sequence } = report
        log.info({ mac, boot: bootId, step, state, sequence, reason }, 'step report')
      }
      if (decision.reply === 'not-now')
        return reply.code(503).header('retry-after', RETRY_AFTER_SECONDS).send({ reason, recorded })
      if (decision.reply === 'stale') return reply.code(409).send({ reason: decision.reason, recorded })
      if (decision.reply === 'recorded') recorded += 1
    }
    return reply.send({ recorded })
  })
}

/** Undefined: no such boot, or it is another machine's. */
async function decideOne(
  { store }: BootContext,
  mac: Mac,
  bootId: string,
  report: Report | 'installed',
  clockMs: number | undefined,
): Promise<Decision<InstalledReply> | undefined> {
  const decision = await store.decide<
    readonly [ReportSnapshot | undefined, UnknownBootSnapshot],
    InstalledReply | 'unknown'
  >(
    (view) => [readReportSnapshot(view, bootId), readUnknownBoot(view, mac)],
    ([snapshot, unknown]) => {
      if (snapshot === undefined || !snapshot.machine.macs.includes(mac))
        return decideUnknownBoot(unknown, bootId)
      const closed = decideClosed(snapshot.cluster)
      if (closed !== undefined) return closed
      return report === 'installed'
        ? decideInstalled(snapshot, clockMs)
        : traceReport(snapshot, report, decideReport(snapshot, report, clockMs))
    },
  )
  return decision.reply === 'unknown' ? undefined : { ...decision, reply: decision.reply }
}
