import { Readable } from 'node:stream'
import { accessOf, answerOf } from './api-client.ts'
import { type ApiAccess, apiRequest, notReachable, textOf } from './api-request.ts'

export interface Upload {
  readonly route: string
  readonly contentType: string
  readonly bytes: number
  readonly body: AsyncIterable<Uint8Array>
  readonly onProgress: (bytes: number) => void
}

/** Sends a long body as it is read. An answer that comes before the end, such as a refusal, ends the sending. */
export function upload<Answer>(wish: Upload, access: ApiAccess = accessOf()): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let isAnswered = false
    const request = apiRequest(access, 'POST', wish.route, {
      'content-type': wish.contentType,
      'content-length': wish.bytes,
      // A server that is to close the connection does so at once after a refusal, which is lost then: we still send.
      connection: 'keep-alive',
    })
    const body = Readable.from(counted(wish), { objectMode: false })
    request.on('response', async (response) => {
      isAnswered = true
      try {
        resolve(answerOf<Answer>(response.statusCode ?? 0, await textOf(response, access)))
      } catch (error) {
        reject(error)
      } finally {
        body.destroy()
        request.destroy()
      }
    })
    request.on('error', (error) => {
      if (!isAnswered) reject(notReachable(access, error))
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
