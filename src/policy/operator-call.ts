import type { Decision } from './decision.ts'
import type { Effect } from './effect.ts'
import { type Refusal, refusal } from './refusal.ts'

/** Who calls, and by which key the same call is known again. */
export interface OperatorCall {
  /** Name of the API token: what the audit says. */
  readonly by: string
  readonly key?: string
  /** Hash of method, route and body: a key that comes back with another call is refused. */
  readonly requestSha256: string
}

/** The answer that a call with this key got before. */
export interface RememberedAnswer {
  readonly requestSha256: string
  readonly answer: string
}

/**
 * Makes a decision an operator's: every event of it says who, and with an idempotency key the answer is remembered in the
 * same unit, so that the call repeated after a lost answer gets the same answer and changes nothing. A refusal is not
 * remembered: its cure may have been carried out since.
 */
export function asOperatorCall<Reply extends { readonly kind: string }>(
  decision: Decision<Reply>,
  call: OperatorCall,
  nowMs: number,
): Decision<Reply> {
  const effects = decision.effects.map(
    (effect): Effect =>
      effect.kind === 'append-event'
        ? { ...effect, event: { ...effect.event, data: { ...effect.event.data, by: call.by } } }
        : effect,
  )
  if (call.key !== undefined && decision.reply.kind !== 'refused') {
    const answer = JSON.stringify(decision.reply)
    effects.push({
      kind: 'remember-answer',
      key: call.key,
      requestSha256: call.requestSha256,
      answer,
      atMs: nowMs,
    })
  }
  return { ...decision, effects }
}

/** A call whose key was used: the answer of then, or a refusal where it was another call. */
export function repeatedCall<Reply extends { readonly kind: string }>(
  remembered: RememberedAnswer,
  call: OperatorCall,
): Decision<Reply | Refusal> {
  if (remembered.requestSha256 !== call.requestSha256) {
    const reused = refusal(
      422,
      'idempotency-key-reused',
      'this Idempotency-Key came with another call before',
      'use a new key for each call',
      'Idempotency-Key',
    )
    return { reply: reused, reason: reused.code, effects: [] }
  }
  return { reply: JSON.parse(remembered.answer) as Reply, reason: 'repeated', effects: [] }
}
