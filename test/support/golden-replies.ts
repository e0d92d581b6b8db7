import { readFileSync } from 'node:fs'
import { fromHex } from '../../src/net/bytes.ts'
import type { Arrival } from '../../src/policy/dhcp/question.ts'
import { arrivalOf } from './dhcp-builders.ts'

/** A run of bytes of a reply: what it is, and the rule that fixes it. */
export interface GoldenField {
  /** A header field's name, or an option's number. */
  readonly name: string
  readonly bytes: Uint8Array
  readonly why: string
}

/** What a vector draws in one world. */
export interface Golden {
  /** `V3 in proxy mode`. */
  readonly title: string
  /** `V3`. */
  readonly vector: string
  /** `in proxy mode`; empty: the usual world. */
  readonly world: string
  readonly arrival: Arrival
  /** `192.0.2.1:67 > 255.255.255.255:68`; undefined: no reply. */
  readonly route: string | undefined
  readonly fields: readonly GoldenField[]
  /** Why there is no reply. */
  readonly silence: string | undefined
}

/** The golden replies of test/fixtures/dhcp, in the order of the file. */
export function readGoldenReplies(): readonly Golden[] {
  const text = readFileSync(new URL('../fixtures/dhcp/golden-replies.txt', import.meta.url), 'utf8')
  const blocks = text.split('\n\n').map((block) => block.split('\n'))
  return blocks.map((lines) => lines.filter((line) => !/^(#|$)/.test(line))).flatMap(goldenOf)
}

function goldenOf([heading, requestLine = '', ...rest]: readonly string[]): readonly Golden[] {
  if (heading === undefined) return []
  const [, vector, world = ''] = /^= (\w+) ?(.*)$/.exec(heading) ?? []
  const [, from, to] = /^request (\S+) > (\S+)$/.exec(requestLine) ?? []
  if (vector === undefined || from === undefined || to === undefined) throw new Error(`no block: ${heading}`)
  const replyLine = rest.find((line) => line.startsWith('reply '))
  const rows = rest.filter((line) => line !== replyLine).map((line) => line.split(' | '))
  const silence = rows.find(([name]) => name === 'silence')?.[1]
  return [
    {
      title: heading.slice(2),
      vector,
      world,
      arrival: arrivalOf(from, to),
      route: replyLine?.slice('reply '.length),
      fields: silence === undefined ? rows.map((row) => fieldOf(heading, row)) : [],
      silence,
    },
  ]
}

function fieldOf(heading: string, [name, hex = '', why]: readonly string[]): GoldenField {
  const runs = hex.split(' ').map((run) => {
    const zeros = /^00\*(\d+)$/.exec(run)?.[1]
    return zeros === undefined ? run : '00'.repeat(Number(zeros))
  })
  const bytes = fromHex(runs.join(''))
  // A run of bytes that nobody can explain is a recording, not an expectation.
  if (name === undefined || bytes === undefined || why === undefined) {
    throw new Error(`${heading}: ${name} | ${hex} | ${why}, want field | hex | why`)
  }
  return { name, bytes, why }
}
