import type { BootAttempt } from '../../model/boot-attempt.ts'
import type { Report } from '../../model/first-boot.ts'
import type { Decision } from '../decision.ts'
import type { GateReply, GateRequest, GateSnapshot } from './gate-snapshot.ts'
import type { RedeemReply, RedeemRequest, RedeemSnapshot } from './redeem-snapshot.ts'
import type { ReportReply, ReportSnapshot } from './report-snapshot.ts'

/**
 * The decision about a configuration with a note of its outcome. A token that is not known says nothing of its boot, so
 * the note goes to the machine's latest attempt: that is where an operator looks.
 */
export function traceRedeem(
  snapshot: RedeemSnapshot,
  latestAttempt: BootAttempt | undefined,
  request: RedeemRequest,
  decision: Decision<RedeemReply>,
): Decision<RedeemReply> {
  const attempt = snapshot.attempt ?? latestAttempt
  if (attempt === undefined || !request.spends) return decision
  const note = {
    kind: 'redeem',
    key: decision.reply.kind === 'config' ? 'given' : decision.reason,
    atMs: snapshot.nowMs,
    facts: { address: request.address },
  } as const
  return {
    ...decision,
    effects: [...decision.effects, { kind: 'note-trace', bootId: attempt.bootId, note }],
  }
}

/** The gate's decision with a note of how long it stayed shut, and for which reason. */
export function traceGate(
  snapshot: GateSnapshot,
  request: GateRequest,
  decision: Decision<GateReply>,
): Decision<GateReply> {
  const { reply } = decision
  if (reply.kind === 'stale') return decision
  const reason = reply.kind === 'open' ? `opened:${reply.action}` : reply.reason
  const note = {
    kind: 'gate',
    key: `${request.step}:${reason}`,
    atMs: snapshot.nowMs,
    facts:
      reply.kind === 'open'
        ? { slot_no: reply.slotNo, epoch: reply.epoch }
        : { detail: reply.detail, ...(reply.place === undefined ? {} : { place: reply.place }) },
  } as const
  return {
    ...decision,
    effects: [...decision.effects, { kind: 'note-trace', bootId: snapshot.attempt.bootId, note }],
  }
}

/** The report's decision with a note of the facts in it: how often the node spoke of a step, and what it said last. */
export function traceReport(
  snapshot: ReportSnapshot,
  report: Report,
  decision: Decision<ReportReply>,
): Decision<ReportReply> {
  if (decision.reply !== 'recorded') return decision
  const note = {
    kind: 'report',
    key: report.step,
    atMs: snapshot.nowMs,
    facts: { ...report.facts, state: report.state },
  } as const
  return {
    ...decision,
    effects: [...decision.effects, { kind: 'note-trace', bootId: snapshot.attempt.bootId, note }],
  }
}
