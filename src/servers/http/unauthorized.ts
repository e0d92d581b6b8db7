import type { FastifyReply } from 'fastify'

/** Makes an answer a 401. RFC 9110 §15.5.2: it MUST say which scheme is wanted. */
export function withChallenge(reply: FastifyReply): FastifyReply {
  return reply.code(401).header('www-authenticate', 'Bearer realm="pilotlight"')
}
