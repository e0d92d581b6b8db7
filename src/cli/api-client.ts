import { existsSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { ApiListen } from '../config/config.ts'
import { type ApiAccess, answered, apiRequest, textOf } from './api-request.ts'
import { EXIT } from './exit-codes.ts'
import { CliFailure } from './failure.ts'
import { readNamed } from './named-file.ts'
import { configOf } from './program-dir.ts'

/** `PILOTLIGHT_URL` and `PILOTLIGHT_TOKEN`, else `~/.config/pilotlight/token`, else this machine's own server. */
export function accessOf(): ApiAccess {
  const { PILOTLIGHT_URL, PILOTLIGHT_TOKEN } = process.env
  checkUrl(PILOTLIGHT_URL)
  const config =
    PILOTLIGHT_URL !== undefined && PILOTLIGHT_TOKEN !== undefined ? undefined : configOf(undefined)
  const url = PILOTLIGHT_URL ?? urlOf((config ?? configOf(undefined)).api)
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
  if (url === undefined || /^unix:\/./.test(url)) return
  if (/^https?:\/\//.test(url) && URL.canParse(url)) return
  throw new CliFailure(
    `PILOTLIGHT_URL: got ${JSON.stringify(url)}, want http://HOST:PORT or unix:/FILE, such as http://127.0.0.1:8090`,
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
  const text = body === undefined ? undefined : JSON.stringify(body)
  const request = apiRequest(access, method, route, {
    ...headers,
    ...(text === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
  })
  const answer = await answered(request, access, text)
  return answerOf<Answer>(answer.statusCode ?? 0, await textOf(answer, access))
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

/** The URL of an API that listens there. */
export function urlOf(api: ApiListen): string {
  return 'path' in api ? `unix:${api.path}` : `http://${api.host}:${api.port}`
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
