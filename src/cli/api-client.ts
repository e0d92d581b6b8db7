import { existsSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { Config } from '../config/config.ts'
import { EXIT } from './exit-codes.ts'
import { CliFailure } from './failure.ts'
import { readNamed } from './named-file.ts'
import { configOf } from './program-dir.ts'

/** How the client commands reach a server. */
export interface ApiAccess {
  readonly url: string
  readonly token: string
}

/** `PILOTLIGHT_URL` and `PILOTLIGHT_TOKEN`, else `~/.config/pilotlight/token`, else this machine's own server. */
export function accessOf(): ApiAccess {
  const { PILOTLIGHT_URL, PILOTLIGHT_TOKEN } = process.env
  checkUrl(PILOTLIGHT_URL)
  const config =
    PILOTLIGHT_URL !== undefined && PILOTLIGHT_TOKEN !== undefined ? undefined : configOf(undefined)
  const url = PILOTLIGHT_URL ?? urlOf(config)
  const files = [
    path.join(os.homedir(), '.config', 'pilotlight', 'token'),
    ...(config === undefined ? [] : [path.join(config.dataDir, 'admin.token')]),
  ]
  const file = files.find((candidate) => existsSync(candidate))
  const token = PILOTLIGHT_TOKEN ?? (file === undefined ? undefined : tokenIn(file))
  if (token === undefined) {
    throw new CliFailure(
      `no token: set PILOTLIGHT_TOKEN, or start the server here (pilotlight serve writes one); looked for ${files.join(' and ')}`,
      EXIT.usage,
    )
  }
  checkToken(token, PILOTLIGHT_TOKEN === undefined ? String(file) : 'PILOTLIGHT_TOKEN')
  return { url: url.replace(/\/$/, ''), token }
}

function checkUrl(url: string | undefined): void {
  if (url === undefined || (/^https?:\/\//.test(url) && URL.canParse(url))) return
  throw new CliFailure(
    `PILOTLIGHT_URL: got ${JSON.stringify(url)}, want http://HOST:PORT, such as http://127.0.0.1:8090`,
    EXIT.usage,
  )
}

function tokenIn(file: string): string {
  return readNamed(file, 'a token file').toString().trim()
}

/** What cannot stand in a header would look like a server that is down. */
function checkToken(token: string, where: string): void {
  if (/^[\x21-\x7e]+$/.test(token)) return
  const got = token === '' ? 'nothing' : 'other characters than printable ASCII'
  throw new CliFailure(`${where}: got ${got}, want a token as data_dir/admin.token holds it`, EXIT.usage)
}

/** One call of the operator's API. */
export async function call<Answer>(
  method: string,
  route: string,
  body?: unknown,
  access = accessOf(),
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  let response: Response
  try {
    response = await fetch(`${access.url}/api/v1${route}`, {
      method,
      headers: {
        ...headers,
        authorization: `Bearer ${access.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  } catch (cause) {
    const why = ((cause as Error).cause as Error | undefined)?.message ?? (cause as Error).message
    throw new CliFailure(
      `${access.url} is not reachable (${why}): is pilotlight serve running?`,
      EXIT.notReachable,
    )
  }
  return answerOf<Answer>(response.status, await response.text())
}

/** The body of an answer; a problem document becomes the message that the operator reads. */
export function answerOf<Answer>(status: number, text: string): Answer {
  // What is no JSON, a drawing, is given as it is.
  const answer = text === '' ? undefined : (parse(text) ?? text)
  if (status >= 200 && status < 300) return answer as Answer
  const { detail, code, cure } = (answer ?? {}) as { detail?: string; cure?: string; code?: string }
  if (detail === undefined) {
    throw new CliFailure(
      `got status ${status}, want an answer of Pilotlight's API (${status})\ncure: let PILOTLIGHT_URL name the address of api.listen, and not the boot side or another server`,
    )
  }
  throw new CliFailure(`${detail} (${code ?? status})${cure === undefined ? '' : `\ncure: ${cure}`}`)
}

/** Every item of a list, page after page. */
export async function callAll<Item>(route: string): Promise<Item[]> {
  const items: Item[] = []
  let after = ''
  for (;;) {
    const separator = route.includes('?') ? '&' : '?'
    const page = await call<{ items: Item[]; next: string | null }>(
      'GET',
      `${route}${separator}after=${encodeURIComponent(after)}&limit=500`,
    )
    items.push(...page.items)
    if (page.next === null) return items
    after = page.next
  }
}

function urlOf(config: Config | undefined): string {
  if (config === undefined || 'path' in config.api) {
    throw new CliFailure(
      'the API listens on a socket file: set PILOTLIGHT_URL to where it is reachable by HTTP',
      EXIT.usage,
    )
  }
  return `http://${config.api.host}:${config.api.port}`
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
