import https from 'node:https'

const CALL_TIMEOUT_MS = 3_000
const MAX_BODY_BYTES = 256 * 1024

/** What a cluster service answered: its status and its body where that was JSON. */
export interface ServiceAnswer {
  readonly status: number
  readonly body: unknown
}

/**
 * One call of a cluster service over TLS with the cluster's own CA pinned: 3 s for all of it, no redirect is followed,
 * and a long body is cut off. The caller names an address of the cluster's own machines, never one out of an answer. The
 * `authorization` goes out after the handshake alone, so that nobody gets it who has no certificate of that CA.
 */
export function callService(
  method: 'GET' | 'DELETE',
  url: string,
  { ca, authorization }: { readonly ca: string; readonly authorization?: string | undefined },
): Promise<ServiceAnswer> {
  return new Promise((resolve, reject) => {
    const headers = authorization === undefined ? {} : { authorization }
    const signal = AbortSignal.timeout(CALL_TIMEOUT_MS)
    const request = https.request(url, { method, ca, headers, agent: false, signal }, (response) => {
      const chunks: Buffer[] = []
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > MAX_BODY_BYTES) response.destroy(new Error('the answer is too long'))
        chunks.push(chunk)
      })
      response.once('error', reject)
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, body: jsonOf(Buffer.concat(chunks).toString('utf8')) }),
      )
    })
    request.once('error', reject)
    request.end()
  })
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
