import http from 'node:http'
import https from 'node:https'

/** One HTTP exchange of a simulated machine, from its own address. */
export interface Exchange {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'HEAD'
  readonly url: string
  /** The address that the request comes from; undefined: the system's choice. */
  readonly localAddress?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** PEM of the CA that https:// answers must be signed by. */
  readonly ca?: string
  readonly timeoutMs?: number
}

export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
}

/** Sends one request and reads the whole answer; an unreachable server, or silence past the time, rejects. */
export function exchange(wanted: Exchange): Promise<Answer> {
  const { url, method = 'GET', localAddress, headers = {}, body, ca, timeoutMs = 70_000 } = wanted
  const payload = body === undefined ? undefined : JSON.stringify(body)
  const client = url.startsWith('https:') ? https : http
  return new Promise((resolve, reject) => {
    const request = client.request(
      url,
      {
        method,
        agent: false,
        headers: { ...headers, ...(payload === undefined ? {} : { 'content-type': 'application/json' }) },
        signal: AbortSignal.timeout(timeoutMs),
        ...(localAddress === undefined ? {} : { localAddress }),
        ...(ca === undefined ? {} : { ca }),
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.once('error', reject)
        response.once('end', () => {
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks),
          })
        })
      },
    )
    request.once('error', reject)
    request.end(payload)
  })
}
