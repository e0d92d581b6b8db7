import { demand } from './fuzzing.ts'
import { type HttpResponse, headerOf } from './http-responses.ts'
import type { HttpFuzzWorld } from './http-world.ts'
import type { RawRequest } from './raw-request.ts'

/** Where 503 is an answer, with Retry-After: a gate that is shut, a time that has not come, no room. */
const MAY_SAY_NOT_NOW = /^\/(?:machines\/|images\/|assets\/|boot\/)/

/** What an answer must be, whatever was asked. */
export function checkResponse(facts: HttpFuzzWorld, request: RawRequest, response: HttpResponse): void {
  const { status, headers, body } = response
  const type = headerOf(response, 'content-type') ?? ''
  const path = request.target.split('?')[0] ?? ''
  if (status >= 500) {
    const isNotReady = request.side === 'api' && path === '/readyz'
    const isNotNow =
      request.side === 'boot' && MAY_SAY_NOT_NOW.test(path) && headerOf(response, 'retry-after') !== undefined
    demand(status === 503 && (isNotReady || isNotNow), `${status}: ${body.subarray(0, 300)}`)
  }
  demand(status >= 200 || status === 100, `an early ${status}`)
  demand(headerOf(response, 'location') === undefined, 'a redirect')
  demand(!/html/i.test(type), `HTML: ${type}`)
  demand(!headers.some(([name]) => name === 'x-injected'), 'a header that was in the request')
  demand(headerOf(response, 'set-cookie') === undefined, 'a cookie')
  demand(
    headerOf(response, 'content-encoding') === undefined,
    'compressed, which iPXE takes for the file itself',
  )
  // What is no HTTP the HTTP server refuses itself, before any route.
  if (request.side === 'boot' && status < 400)
    demand(headerOf(response, 'transfer-encoding') === undefined, 'chunked on the boot side')
  checkSecrets(facts, request, response)
  if (/json/.test(type) && request.method !== 'HEAD' && status !== 204) checkJson(request, response, type)
  const tag = /^"([0-9a-f]{64})"$/.exec(headerOf(response, 'etag') ?? '')?.[1]
  const file = tag === undefined ? facts.scripts.get(path) : facts.files.get(tag)
  const isBody = (status === 200 || status === 206) && request.method !== 'HEAD'
  if (file !== undefined && isBody) checkFile(request, response, file)
  if (isBody && facts.filePaths.includes(path)) demand(file !== undefined, 'a file without its tag')
  const isOfFile = status === 416 ? isLengthOfFile(facts, response) : file !== undefined
  if (status === 206 || status === 416)
    demand(isOfFile || path.startsWith('/first-boot'), `${status} of what is no file`)
}

/** A range that cannot be served is answered by the length of the file, without the tag that caches keep it by. */
function isLengthOfFile({ files, scripts }: HttpFuzzWorld, response: HttpResponse): boolean {
  const bytes = /^bytes \*\/(\d+)$/.exec(headerOf(response, 'content-range') ?? '')?.[1]
  return [...files.values(), ...scripts.values()].some((file) => String(file.length) === bytes)
}

/** No answer holds what was never to be told, nor what the request said who it was by. */
function checkSecrets(facts: HttpFuzzWorld, request: RawRequest, response: HttpResponse): void {
  const isConfig = response.status === 200 && request.target.includes('cluster-config.json')
  const text =
    response.headers.map(([name, value]) => `${name}: ${value}`).join('\n') + response.body.toString('latin1')
  for (const secret of facts.secrets) {
    // The configuration has the report token in it, and is given to who has the boot token.
    if (isConfig && secret === facts.reportToken) continue
    demand(!text.includes(secret), `an answer holds a secret: ${secret.slice(0, 8)}…`)
  }
  for (const [name, value] of request.headers) {
    const said = value.replace(/^(?:bearer|basic)\s+/i, '').trim()
    if (name === 'Authorization' && said.length >= 20)
      demand(!text.includes(said), 'an answer repeats the Authorization')
  }
}

function checkJson({ side, method }: RawRequest, { status, body }: HttpResponse, type: string): void {
  let value: unknown
  try {
    value = JSON.parse(body.toString())
  } catch {
    demand(false, `no JSON: ${body.subarray(0, 200)}`)
  }
  // What is no HTTP at all is answered by the HTTP server itself, before any route.
  const isOfServer = typeof value === 'object' && value !== null && 'statusCode' in value
  if (side === 'boot' || status < 400 || isOfServer) return
  const isReadiness = status === 503
  demand(
    type.startsWith('application/problem+json') || isReadiness,
    `${method}: an error that is no problem document: ${body}`,
  )
  const { code, title, detail } = (value ?? {}) as Record<string, unknown>
  const isWhole = [code, title, detail].every((part) => typeof part === 'string' && part.length > 0)
  demand(isWhole || isReadiness, `a problem without words: ${body}`)
}

/** The bytes of a file, each where it stands, and the range that was asked for. */
function checkFile(request: RawRequest, response: HttpResponse, file: Buffer): void {
  const { status, body } = response
  const ranges = request.headers.filter(([name]) => name.toLowerCase() === 'range').map(([, value]) => value)
  if (status === 200) {
    demand(body.equals(file), `200 with ${body.length} bytes, the file has ${file.length}`)
    return
  }
  demand(ranges.length > 0 || !request.isSound, '206 without a Range')
  const range = headerOf(response, 'content-range')
  if (range !== undefined) {
    checkPart(range, body, file)
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(ranges[0] ?? '') ?? []
    if (first === undefined || !request.isSound || ranges.length !== 1) return
    const end = last === '' || Number(last) >= file.length ? file.length - 1 : Number(last)
    demand(range === `bytes ${first}-${end}/${file.length}`, `${ranges[0]} answered by ${range}`)
    return
  }
  const boundary = /^multipart\/byteranges; boundary=([\w-]+)$/.exec(
    headerOf(response, 'content-type') ?? '',
  )?.[1]
  demand(boundary !== undefined, '206 without Content-Range and of one part')
  const text = body.toString('latin1')
  const parts = text.split(`\r\n--${boundary}`)
  demand(parts[0] === '' && parts.at(-1) === '--\r\n', 'parts without beginning or end')
  demand(parts.length - 2 >= 2 && parts.length - 2 <= 16, `${parts.length - 2} parts`)
  for (const part of parts.slice(1, -1)) {
    const [, partRange, content] =
      /^\r\nContent-Type: [^\r]+\r\nContent-Range: (bytes [^\r]+)\r\n\r\n(.*)$/s.exec(part) ?? []
    demand(partRange !== undefined && content !== undefined, 'a part without a head')
    checkPart(partRange, Buffer.from(content, 'latin1'), file)
  }
}

function checkPart(range: string, bytes: Buffer, file: Buffer): void {
  const [, first, last, size] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(range) ?? []
  demand(Number(size) === file.length, `Content-Range: ${range}, the file has ${file.length}`)
  demand(
    bytes.equals(file.subarray(Number(first), Number(last) + 1)),
    `other bytes than ${range} of the file`,
  )
}
