import type { FastifyInstance } from 'fastify'
import { ProblemError } from './problem.ts'

/** What is free-form, `extra_config`, is merged, written and read by functions that call themselves for each level. */
const MOST_LEVELS = 64

/** Refuses a body that is nested so deep that whoever walks through it would run out of stack. */
export function refuseDeepBodies(server: FastifyInstance): void {
  server.addHook('preValidation', async ({ body }) => {
    if (!isDeeper(body, MOST_LEVELS)) return
    throw new ProblemError({
      status: 400,
      code: 'body-too-deep',
      title: 'Bad request',
      detail: `the body is nested deeper than ${MOST_LEVELS} levels, want at most so many`,
      cure: 'nest it less; nothing was changed',
    })
  })
}

/** Of what JSON gives: an upload's body is a stream. */
function isDeeper(value: unknown, levels: number): boolean {
  if (!isPlain(value)) return false
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1))
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype
}
