import { printFacts, printTable } from './table.ts'

/** What a simulated or replayed message got. */
export interface Answer {
  readonly frame?: number
  readonly message: string | null
  readonly mac: string | null
  readonly decision: string
  readonly reason: string
  readonly reply: Reply | null
  readonly steps?: readonly { readonly rule: string; readonly finding: string }[]
}

interface Reply {
  readonly options: readonly { readonly code: number; readonly name: string; readonly value: string }[]
  readonly [field: string]: unknown
}

/** Prints one answer for a person: a headline, the ordered reasons, the reply as a field table. */
export function printAnswer(answer: Answer): void {
  const frame = answer.frame === undefined ? '' : `frame ${answer.frame}: `
  console.log(
    `${frame}${answer.message ?? 'no DHCP message'} from ${answer.mac ?? '-'}: ${answer.decision}, ${answer.reason}`,
  )
  if (answer.steps !== undefined) {
    console.log('')
    printTable(
      ['RULE', 'FINDING'],
      answer.steps.map(({ rule, finding }) => [rule, finding]),
    )
  }
  if (answer.reply !== null) printReply(answer.reply)
  console.log('')
}

function printReply({ options, hex: _, ...fields }: Reply): void {
  console.log('')
  printFacts(fields)
  printTable(
    ['OPTION', 'NAME', 'VALUE'],
    options.map(({ code, name, value }) => [String(code), name, value]),
  )
}
