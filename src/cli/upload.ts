import http from 'node:http'
import https from 'node:https'
import { Readable } from 'node:stream'
import { type ApiAccess, accessOf, answerOf } from './api-client.ts'
import { EXIT } from './exit-codes.ts'
import { CliFailure } from './failure.ts'

export interface Upload {
  readonly route: string
  readonly contentType: string
  readonly bytes: number
  readonly body: AsyncIterable<Uint8Array>
  readonly onProgress: (bytes: number) => void
}

/** Sends a long body as it is read. An answer that comes before the end, such as a refusal, ends the sending. */
export function upload<Answer>(wish: Upload, access: ApiAccess = accessOf()): Promise<Answer> {
  const url = new URL(`${access.url}/api/v1${wish.route}`)
  return new Promise((resolve, reject) => {
    let isAnswered = false
    const request = (url.protocol === 'https:' ? https : http).request(url, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${access.token}`,
        'content-type': wish.contentType,
        'content-length': wish.bytes,
      },
    })
    const body = Readable.from(counted(wish), { objectMode: false })
    request.on('response', async (response) => {
      isAnswered = true
      try {
        const chunks: Buffer[] = []
        for await (const chunk of response) chunks.push(chunk)
        resolve(answerOf<Answer>(response.statusCode ?? 0, Buffer.concat(chunks).toString('utf8')))
      } catch (error) {
        reject(error)
      } finally {
        body.destroy()
        request.destroy()
      }
    })
    request.on('error', (error) => {
      if (isAnswered) return
      const why = `${access.url} is not reachable (${error.message}): is pilotlight serve running?`
      reject(new CliFailure(why, EXIT.notReachable))
    })
    body.on('error', (error) => {
      request.destroy()
      reject(error)
    })
    body.pipe(request)
  })
}

async function* counted({ body, onProgress }: Upload): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    onProgress(chunk.length)
    yield chunk
  }
}
