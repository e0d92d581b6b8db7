import type { FastifyReply } from 'fastify'
import type { Refusal } from '../../../policy/refusal.ts'
import { withChallenge } from '../unauthorized.ts'

/** What a problem document says beside its status (RFC 9457). */
export interface Problem {
  readonly status: number
  readonly code: string
  readonly title: string
  readonly detail: string
  readonly cure?: string
  readonly field?: string
}

/** An error that a handler throws and the operator's server turns into a problem document. */
export class ProblemError extends Error {
  readonly problem: Problem
  constructor(problem: Problem) {
    super(problem.detail)
    this.problem = problem
  }
}

export function notFound(what: string, ref: string): ProblemError {
  return new ProblemError({
    status: 404,
    code: `${what}-unknown`,
    title: 'Not found',
    detail: `there is no ${what} ${JSON.stringify(ref.slice(0, 100))}`,
    // Boots are listed by their machine alone.
    cure: what === 'boot' ? 'pilotlight machine boots NAME' : `pilotlight ${what} list`,
  })
}

/** A value of a field that cannot be read. */
export function malformed(field: string, got: string, want: string): ProblemError {
  return new ProblemError({
    status: 422,
    code: `${field}-malformed`,
    title: 'Unprocessable',
    detail: `${field} holds ${JSON.stringify(got.slice(0, 60))}, want ${want}`,
    field,
  })
}

export function problemOf(refusal: Refusal): ProblemError {
  return new ProblemError({
    status: refusal.status,
    code: refusal.code,
    title: refusal.status === 409 ? 'Conflict' : 'Unprocessable',
    detail: refusal.detail,
    cure: refusal.cure,
    ...(refusal.field === undefined ? {} : { field: refusal.field }),
  })
}

export function sendProblem(reply: FastifyReply, problem: Problem) {
  return (problem.status === 401 ? withChallenge(reply) : reply.code(problem.status))
    .type('application/problem+json')
    .send({ type: `urn:pilotlight:problem:${problem.code}`, ...problem })
}
