import { readFileSync } from 'node:fs'
import { fromHex } from '../../src/net/bytes.ts'
import type { DhcpRequest } from '../../src/policy/dhcp/question.ts'
import { arrivalOf, requestFrom } from './dhcp-builders.ts'

/** One message of a real client. */
export interface Capture {
  /** Where it comes from: `uefi-x64-httpboot 2`. */
  readonly name: string
  readonly bytes: Uint8Array
  readonly request: DhcpRequest
}

const HEADING = /^= (\S+ \d+) ([\d.]+:\d+) > ([\d.]+:\d+)$/

/** What real firmware, loaders and operating systems sent on a link 10.99.0.0/24 with the server at 10.99.0.1. */
export function readCaptures(): readonly Capture[] {
  const text = readFileSync(new URL('../fixtures/dhcp/captures.txt', import.meta.url), 'utf8')
  const blocks = text.split('\n\n').map((block) => block.split('\n').filter((line) => !line.startsWith('#')))
  return blocks.filter((lines) => lines.length > 0).map(captureOf)
}

function captureOf([heading = '', ...hex]: readonly string[]): Capture {
  const [, name, from, to] = HEADING.exec(heading) ?? []
  const bytes = fromHex(hex.join(''))
  if (name === undefined || bytes === undefined) throw new Error(`no capture: ${heading}`)
  return { name, bytes, request: requestFrom(bytes, arrivalOf(from!, to!)) }
}
