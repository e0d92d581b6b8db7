import { createHash } from 'node:crypto'
import http from 'node:http'
import https from 'node:https'

/** What came of a GET: enough to tell whether it is the right file, without keeping it. */
export interface FetchedHash {
  readonly status: number
  readonly bytes: number
  readonly sha256: string
  readonly contentLength: number
  /** As it stands in the header, with its quotes. */
  readonly etag: string
}

const TIMEOUT_MS = 60_000

/** Fetches by HTTP and hashes what comes, piece by piece. Rejects when the connection breaks or nothing comes. */
export function fetchHashed(
  url: string,
  options: {
    readonly localAddress?: string
    readonly range?: { readonly first: number; readonly last: number }
  } = {},
): Promise<FetchedHash> {
  const { localAddress, range } = options
  const client = url.startsWith('https:') ? https : http
  return new Promise((resolve, reject) => {
    const request = client.get(
      url,
      {
        agent: false,
        timeout: TIMEOUT_MS,
        headers: range === undefined ? {} : { range: `bytes=${range.first}-${range.last}` },
        ...(localAddress === undefined ? {} : { localAddress }),
      },
      (response) => {
        const hash = createHash('sha256')
        let bytes = 0
        response.on('data', (chunk: Buffer) => {
          hash.update(chunk)
          bytes += chunk.length
        })
        response.once('error', reject)
        response.once('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            bytes,
            sha256: hash.digest('hex'),
            contentLength: Number(response.headers['content-length'] ?? Number.NaN),
            etag: response.headers.etag ?? '',
          }),
        )
      },
    )
    request.once('timeout', () => request.destroy(new Error(`no byte within ${TIMEOUT_MS / 1000} s`)))
    request.once('error', reject)
  })
}
