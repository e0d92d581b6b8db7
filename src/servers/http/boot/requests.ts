import type { FastifyRequest } from 'fastify'
import { type Ipv4, parseIpv4 } from '../../../net/ipv4.ts'
import { type Mac, parseMac } from '../../../net/mac.ts'

/** The MAC in the path, `02-00-00-00-00-01` with or without `.ipxe`; undefined: the route answers 404. */
export function macOf(text: string): Mac | undefined {
  return parseMac(text.replace(/\.ipxe$/, ''))
}

/** The address that asks. Never from a header: anybody can write one. */
export function addressOf(request: FastifyRequest): Ipv4 | undefined {
  return parseIpv4((request.socket.remoteAddress ?? '').replace(/^::ffff:/, ''))
}

/** The bearer token of a request, or undefined; longer than any of ours is none of ours. */
export function bearerOf(request: FastifyRequest): string | undefined {
  const match = /^Bearer ([A-Za-z0-9._~+/-]{1,512}=*)$/i.exec(request.headers.authorization ?? '')
  return match?.[1]
}

/** The node's clock as it states it, `Pilotlight-Clock`, in ms; undefined when absent or no plausible number. */
export function clockOf(request: FastifyRequest): number | undefined {
  const text = request.headers['pilotlight-clock']
  if (typeof text !== 'string' || !/^\d{1,15}$/.test(text)) return undefined
  return Number(text)
}
