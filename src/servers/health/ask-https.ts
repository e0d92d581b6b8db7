import https from 'node:https'
import type { TLSSocket } from 'node:tls'
import type { EndpointAnswer } from '../../policy/cluster/judge-health.ts'

const MAX_BODY_BYTES = 64 * 1024

/** How to ask: the CA that must have signed the answer (undefined: the system's own), and for how long. */
export interface Asking {
  readonly ca: string | undefined
  /** Value of the `Authorization` header; it goes out after the handshake alone. */
  readonly authorization?: string | undefined
  readonly timeoutMs: number
}

/** One GET. No redirect is followed, a long body is cut off, and every way of failing has its word. */
export function askHttps(url: string, { ca, authorization, timeoutMs }: Asking): Promise<EndpointAnswer> {
  return new Promise((resolve) => {
    let isShaken = false
    const fail = (error: NodeJS.ErrnoException) => resolve(failureOf(error, isShaken, timeoutMs))
    const request = https.get(
      url,
      {
        agent: false,
        signal: AbortSignal.timeout(timeoutMs),
        headers: authorization === undefined ? {} : { authorization },
        ...(ca === undefined ? {} : { ca }),
      },
      (response) => {
        const chunks: Buffer[] = []
        let bytes = 0
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes > MAX_BODY_BYTES) response.destroy(new Error('the answer is too long'))
          else chunks.push(chunk)
        })
        response.once('error', fail)
        response.once('end', () =>
          resolve({
            kind: 'http',
            status: response.statusCode ?? 0,
            body: Buffer.concat(chunks).toString('utf8'),
          }),
        )
      },
    )
    request.once('socket', (socket) => {
      ;(socket as TLSSocket).once('secureConnect', () => {
        isShaken = true
      })
    })
    request.once('error', fail)
  })
}

/** The word for a connection that failed. */
export function failureOf(
  error: NodeJS.ErrnoException,
  isShaken: boolean,
  timeoutMs: number,
): EndpointAnswer {
  const { code = '', name, message } = error
  const failed = (word: Extract<EndpointAnswer, { kind: 'failed' }>['word'], detail: string) =>
    ({ kind: 'failed', word, detail }) as const
  if (name === 'TimeoutError' || name === 'AbortError')
    return failed(
      'timeout',
      `no answer within ${timeoutMs / 1000} s${isShaken ? ' after the TLS handshake' : ''}`,
    )
  if (code === 'ECONNREFUSED') return failed('refused', 'nothing listens there')
  if (/CERT|SIGNATURE|ISSUER/.test(code)) return failed('bad-certificate', message.slice(0, 160))
  if (code.startsWith('ERR_SSL') || code === 'EPROTO') return failed('no-tls', 'it does not speak TLS')
  if (code.startsWith('HPE_') || (isShaken && /ECONNRESET|EPIPE/.test(code)))
    return failed('not-http', 'it speaks TLS and no HTTP')
  return failed('unreachable', `${code} ${message}`.trim().slice(0, 160))
}
