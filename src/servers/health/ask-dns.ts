import { Resolver } from 'node:dns/promises'
import tls from 'node:tls'
import type { EndpointAnswer } from '../../policy/cluster/judge-health.ts'
import { type Asking, failureOf } from './ask-https.ts'

const MAX_ANSWER_BYTES = 4096

/** One A query over UDP, as `dig @address name` asks it; asked once more when it was lost, with twice the patience. */
export async function askDns(
  address: string,
  port: number,
  name: string,
  { timeoutMs }: Asking,
): Promise<EndpointAnswer> {
  const resolver = new Resolver({ timeout: Math.floor(timeoutMs / 3), tries: 2 })
  resolver.setServers([`${address}:${port}`])
  try {
    return { kind: 'dns', addresses: await resolver.resolve4(name) }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? ''
    if (code === 'ETIMEOUT') {
      return { kind: 'failed', word: 'timeout', detail: `no answer within ${timeoutMs / 1000} s` }
    }
    if (code === 'ECONNREFUSED') return { kind: 'failed', word: 'refused', detail: 'nothing listens there' }
    // NXDOMAIN, no data, SERVFAIL: it is a DNS server, and does not know the name.
    if (/^E(?:NOTFOUND|NODATA|SERVFAIL|REFUSED|FORMERR|BADRESP)$/.test(code))
      return { kind: 'dns', addresses: [] }
    return { kind: 'failed', word: 'unreachable', detail: code }
  }
}

/** The same query over TLS (RFC 7858): two bytes of length before each message. */
export function askDnsOverTls(
  address: string,
  port: number,
  name: string,
  { ca, timeoutMs }: Asking,
): Promise<EndpointAnswer> {
  return new Promise((resolve) => {
    let isShaken = false
    let received = Buffer.alloc(0)
    const socket = tls.connect({ host: address, port, ...(ca === undefined ? {} : { ca }) })
    const timer = setTimeout(() => {
      socket.destroy(Object.assign(new Error('timeout'), { name: 'TimeoutError' }))
    }, timeoutMs)
    const end = (answer: EndpointAnswer) => {
      clearTimeout(timer)
      resolve(answer)
      socket.destroy()
    }
    socket.once('secureConnect', () => {
      isShaken = true
      socket.write(lengthAndQuery(name))
    })
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      const addresses = readAddresses(received)
      if (addresses !== undefined) end({ kind: 'dns', addresses })
      else if (received.length > MAX_ANSWER_BYTES) end(noDns())
    })
    socket.once('error', (error: NodeJS.ErrnoException) => end(failureOf(error, isShaken, timeoutMs)))
    socket.once('close', () => end(noDns()))
  })
}

function noDns(): EndpointAnswer {
  return { kind: 'failed', word: 'unreachable', detail: 'it speaks TLS and no DNS' }
}

const QUERY_ID = 0x504c

/** RFC 1035 §4.1: a header with one question, recursion desired, type A, class IN. */
function lengthAndQuery(name: string): Buffer {
  const labels = name
    .split('.')
    .map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, 'latin1'))
  const body = Buffer.concat([Buffer.alloc(12), ...labels, Buffer.from([0, 0, 1, 0, 1])])
  body.writeUInt16BE(QUERY_ID, 0)
  body.writeUInt16BE(0x0100, 2)
  body.writeUInt16BE(1, 4)
  const length = Buffer.alloc(2)
  length.writeUInt16BE(body.length)
  return Buffer.concat([length, body])
}

/** The A records of an answer; undefined while it is not whole, or when it is no answer to our question. */
function readAddresses(received: Buffer): readonly string[] | undefined {
  if (received.length < 14 || received.length < received.readUInt16BE(0) + 2) return undefined
  const message = received.subarray(2, 2 + received.readUInt16BE(0))
  if (message.readUInt16BE(0) !== QUERY_ID || (message.readUInt16BE(2) & 0x8000) === 0) return undefined
  if ((message.readUInt16BE(2) & 0x000f) !== 0) return []
  const addresses: string[] = []
  let at = afterName(message, 12) + 4
  for (let left = message.readUInt16BE(6); left > 0; left -= 1) {
    const record = afterName(message, at)
    if (record + 10 > message.length) break
    const length = message.readUInt16BE(record + 8)
    const data = message.subarray(record + 10, record + 10 + length)
    if (message.readUInt16BE(record) === 1 && data.length === 4) addresses.push([...data].join('.'))
    at = record + 10 + length
  }
  return addresses
}

/** Past a name: labels to the root, or to a pointer, which ends it (RFC 1035 §4.1.4). */
function afterName(message: Buffer, start: number): number {
  let at = start
  while (at < message.length) {
    const length = message[at] ?? 0
    if (length === 0) return at + 1
    if (length >= 0xc0) return at + 2
    at += length + 1
  }
  return at
}
