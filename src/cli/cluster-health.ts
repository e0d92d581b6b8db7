import { writeFileSync } from 'node:fs'
import { type Command, Option } from 'commander'
import { graphSvg } from '../model/graph-svg.ts'
import { graphDot, serviceGraph } from '../model/service-graph.ts'
import { call } from './api-client.ts'
import { EXIT } from './exit-codes.ts'
import { CliFailure } from './failure.ts'
import { writeNamed } from './named-file.ts'
import { printTable } from './table.ts'

interface CheckAnswer {
  readonly cluster: string
  readonly healthy: boolean
  readonly endpoints: readonly {
    readonly machine: string
    readonly service: string
    readonly endpoint: string
    readonly result: string
    readonly detail: string
    readonly ms: number
    readonly speaks?: { readonly https: string; readonly dns_over_tls: string }
  }[]
  readonly quorum: readonly {
    readonly service: string
    readonly voters: number
    readonly healthy: number
    readonly needed: number
    readonly leaders: readonly string[]
    readonly ok: boolean
  }[]
  readonly outages: readonly {
    readonly service: string
    readonly extent: string
    readonly machines: readonly string[]
    readonly impact: readonly { readonly severity: string; readonly what: string }[]
    readonly mitigation: readonly string[]
  }[]
  readonly not_started: readonly string[]
}

const MARKS: Readonly<Record<string, string>> = { failure: '✗', degraded: '!', unaffected: '✓' }

/** `pilotlight cluster check`, `graph` and `iam-password`. */
export function addClusterHealthCommands(cluster: Command): void {
  cluster
    .command('check <name>')
    .description(
      'ask every service of every machine for its health, from the server (exit code 1: something is ill)',
    )
    .option('--json', 'print JSON')
    .action(async (name: string, { json }: { json?: boolean }) => {
      const answer = await call<CheckAnswer>('GET', `/clusters/${encodeURIComponent(name)}/check`)
      if (json === true) console.log(JSON.stringify(answer, null, 2))
      else printCheck(answer)
      if (!answer.healthy) process.exitCode = EXIT.failed
    })

  cluster
    .command('graph [name]')
    .description('what waits for what among the services; with a cluster: marked by its health (SVG)')
    .option('--format <format>', 'json, dot or svg', 'json')
    .addOption(new Option('--json', 'the format json').conflicts('format'))
    .option('--output <file>', 'write it to a file')
    .action(async (name: string | undefined, { format, output }: { format: string; output?: string }) => {
      const text = await graphText(name, format)
      if (output === undefined) process.stdout.write(text)
      else writeNamed(output, () => writeFileSync(output, text))
    })

  cluster
    .command('iam-password <name>')
    .description("hand out the password of IAM's first administrator: once, then the server forgets it")
    .option('--json', 'print JSON')
    .action(async (name: string, { json }: { json?: boolean }) => {
      const route = `/clusters/${encodeURIComponent(name)}/iam-password`
      const answer = await call<{ admin_user: string; admin_password: string }>('POST', route)
      if (json === true) console.log(JSON.stringify(answer, null, 2))
      else console.log(`${answer.admin_user} ${answer.admin_password}`)
    })
}

async function graphText(name: string | undefined, format: string): Promise<string> {
  const graph = serviceGraph()
  switch (format) {
    case 'json':
      return `${JSON.stringify(graph, null, 2)}\n`
    case 'dot':
      return graphDot(graph)
    case 'svg': {
      if (name === undefined) return graphSvg(graph)
      return call<string>('GET', `/services/graph?format=svg&cluster=${encodeURIComponent(name)}`)
    }
    default:
      throw new CliFailure(`--format is ${format}, want json, dot or svg`, EXIT.usage)
  }
}

function printCheck(answer: CheckAnswer): void {
  printTable(
    ['MACHINE', 'SERVICE', 'RESULT', 'ENDPOINT', 'MS', 'DETAIL'],
    answer.endpoints.map((row) => [
      row.machine,
      row.service,
      row.result,
      row.endpoint,
      String(row.ms),
      row.speaks === undefined
        ? row.detail
        : `${row.detail} https: ${row.speaks.https}, DNS over TLS: ${row.speaks.dns_over_tls}`.trim(),
    ]),
  )
  for (const { service, voters, healthy, needed, leaders, ok } of answer.quorum) {
    const led = leaders.length === 0 ? 'nobody leads' : `${leaders.join(', ')} leads`
    console.log(
      `${service}: ${ok ? 'quorum' : 'NO QUORUM'}, ${healthy} of ${voters} voters healthy (${needed} needed), ${led}`,
    )
  }
  for (const { service, extent, machines, impact, mitigation } of answer.outages) {
    console.log(
      `\n${service} is ill on ${machines.join(', ')}${extent === 'all' ? ', and nowhere healthy' : ''}:`,
    )
    for (const { severity, what } of impact) console.log(`  ${MARKS[severity] ?? ' '} ${what}`)
    console.log(`  what softens it: ${mitigation.join(', ')}`)
  }
  if (answer.not_started.length > 0) console.log(`\nnot started yet: ${answer.not_started.join(', ')}`)
  console.log(`\ncluster ${answer.cluster}: ${answer.healthy ? 'healthy' : 'NOT HEALTHY'}`)
}
