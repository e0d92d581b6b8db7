import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import type { Decision } from '../../../policy/decision.ts'
import { asOperatorCall, type OperatorCall, repeatedCall } from '../../../policy/operator-call.ts'
import type { Refusal } from '../../../policy/refusal.ts'
import type { View } from '../../../store/store.ts'
import type { OperatorContext } from './operator-context.ts'
import { ProblemError, problemOf } from './problem.ts'

const KEY = /^[\x21-\x7e]{1,128}$/

/**
 * Carries out an operator's call as one unit: its events say whose token it was, and `Idempotency-Key` makes a repeat of
 * the same call get the same answer and change nothing.
 *
 * @param part which of several units of one call this is.
 * @param read what the decision needs; undefined: what the call is about is not there.
 * @returns the reply; undefined where `read` found nothing. A refusal is thrown as a problem document.
 */
export async function operatorUnit<Snapshot, Reply extends { readonly kind: string }>(
  { store }: OperatorContext,
  request: FastifyRequest,
  read: (view: View) => Snapshot | undefined,
  decide: (snapshot: Snapshot) => Decision<Reply | Refusal>,
  part = '',
): Promise<Exclude<Reply, Refusal> | undefined> {
  const call = callOf(store.lists.secrets.nameOf(tokenOf(request)), request, part)
  const { reply } = await store.decide<
    { remembered: ReturnType<View['calls']['answerTo']>; snapshot: Snapshot | undefined; nowMs: number },
    Reply | Refusal | undefined
  >(
    (view) => {
      const remembered = call.key === undefined ? undefined : view.calls.answerTo(call.key)
      return { remembered, snapshot: remembered === undefined ? read(view) : undefined, nowMs: view.nowMs }
    },
    ({ remembered, snapshot, nowMs }) => {
      if (remembered !== undefined) return repeatedCall<Reply>(remembered, call)
      if (snapshot === undefined) return { reply: undefined, reason: 'unknown', effects: [] }
      return asOperatorCall(decide(snapshot), call, nowMs)
    },
  )
  if (reply === undefined) return undefined
  if (isRefusal(reply)) throw problemOf(reply)
  return reply as Exclude<Reply, Refusal>
}

/** Whose token the request carries. */
export function operatorOf({ store }: OperatorContext, request: FastifyRequest): string {
  return store.lists.secrets.nameOf(tokenOf(request)) ?? 'unknown'
}

function isRefusal(reply: { readonly kind: string }): reply is Refusal {
  return reply.kind === 'refused'
}

function tokenOf(request: FastifyRequest): string {
  return /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? ''
}

function callOf(by: string | undefined, request: FastifyRequest, part: string): OperatorCall {
  const key = request.headers['idempotency-key']
  if (key !== undefined && (typeof key !== 'string' || !KEY.test(key))) {
    throw new ProblemError({
      status: 422,
      code: 'idempotency-key-malformed',
      title: 'Unprocessable',
      detail: 'Idempotency-Key holds something else, want 1 to 128 printable ASCII characters without spaces',
      cure: 'send a fresh UUID with each call',
      field: 'Idempotency-Key',
    })
  }
  const what = `${request.method} ${request.url}\n${JSON.stringify(request.body ?? null)}`
  return {
    by: by ?? 'unknown',
    requestSha256: createHash('sha256').update(what).digest('hex'),
    ...(key === undefined ? {} : { key: part === '' ? key : `${key} ${part}` }),
  }
}
