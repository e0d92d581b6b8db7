import http, { type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import https from 'node:https'
import { EXIT } from './exit-codes.ts'
import { CliFailure } from './failure.ts'

/** How the client commands reach a server. */
export interface ApiAccess {
  /** `http://HOST:PORT`, or `unix:` and its socket file. */
  readonly url: string
  readonly token: string
}

const SOCKET = 'unix:'

/** Begins a request of the operator's API; the caller sends its body and ends it. */
export function apiRequest(
  { url, token }: ApiAccess,
  method: string,
  route: string,
  headers: OutgoingHttpHeaders = {},
): ClientRequest {
  const path = `/api/v1${route}`
  const options = { method, agent: false, headers: { ...headers, authorization: `Bearer ${token}` } }
  if (url.startsWith(SOCKET)) return http.request({ ...options, socketPath: url.slice(SOCKET.length), path })
  return (url.startsWith('https:') ? https : http).request(`${url}${path}`, options)
}

/** Ends a request with its body, if it has one, and waits for the head of the answer. */
export function answered(request: ClientRequest, access: ApiAccess, body?: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve)
    request.on('error', (error) => reject(notReachable(access, error)))
    request.end(body)
  })
}

/** The body of an answer, piece by piece. */
export async function* chunksOf(answer: IncomingMessage, { url }: ApiAccess): AsyncGenerator<Buffer> {
  try {
    yield* answer
  } catch (error) {
    throw new CliFailure(`${url}: the answer broke off (${whyOf(error)}): run it again`, EXIT.notReachable)
  }
}

export async function textOf(answer: IncomingMessage, access: ApiAccess): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of chunksOf(answer, access)) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

export function notReachable({ url }: ApiAccess, error: unknown): CliFailure {
  const isForbidden = (error as NodeJS.ErrnoException).code === 'EACCES' && url.startsWith(SOCKET)
  const question = isForbidden ? 'may this user write to it?' : 'is pilotlight serve running?'
  return new CliFailure(`${url} is not reachable (${whyOf(error)}): ${question}`, EXIT.notReachable)
}

/** A host with several addresses fails with an error for each, and no message of its own. */
function whyOf(error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException
  return message || (code ?? String(error))
}
