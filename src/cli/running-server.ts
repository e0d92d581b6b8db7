import http from 'node:http'
import type { Config } from '../config/config.ts'

/** What a server that runs with this configuration says of itself at `/readyz`. */
export interface Readiness {
  readonly ready: boolean
  readonly problems: readonly string[]
  readonly self_test?: {
    readonly done: boolean
    readonly checks: readonly {
      readonly name: string
      readonly ok: boolean
      readonly detail: string
      readonly cure: string
    }[]
  }
}

const TIMEOUT_MS = 5_000

/** Asks the server at the configured API address; undefined when none of ours answers there. */
export function askReadiness({ api }: Config): Promise<Readiness | undefined> {
  const target = 'path' in api ? { socketPath: api.path } : { host: api.host, port: api.port }
  return new Promise((resolve) => {
    const request = http.get(
      { ...target, path: '/readyz', agent: false, timeout: TIMEOUT_MS },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.once('error', () => resolve(undefined))
        response.once('end', () => resolve(readinessOf(Buffer.concat(chunks).toString())))
      },
    )
    request.once('timeout', () => request.destroy())
    request.once('error', () => resolve(undefined))
  })
}

function readinessOf(text: string): Readiness | undefined {
  try {
    const body = JSON.parse(text) as Partial<Readiness>
    return typeof body.ready === 'boolean' && Array.isArray(body.problems) ? (body as Readiness) : undefined
  } catch {
    return undefined
  }
}
