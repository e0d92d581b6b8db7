import type { Command } from 'commander'
import { call, callAll } from './api-client.ts'
import { addClusterCallCommands } from './cluster-calls.ts'
import { addClusterHealthCommands } from './cluster-health.ts'
import { addClusterSettingCommands, settingsBody, withSettings } from './cluster-settings.ts'
import { secondsOf } from './duration.ts'
import { EXIT } from './exit-codes.ts'
import { CliFailure } from './failure.ts'
import { clusterDiagnosisOf, printClusterDiagnosis } from './print-diagnosis.ts'
import { printFacts, printTable } from './table.ts'
import { wholeNumber } from './whole-number.ts'

interface ClusterAnswer {
  readonly name: string
  readonly ready: boolean
  readonly ready_control_plane: number
  readonly expected_control_plane: number
  readonly founding: { readonly state: string; readonly epoch: number }
}

/** `pilotlight cluster …`. */
export function addClusterCommands(program: Command): void {
  const cluster = program.command('cluster').description('clusters and their founding')
  addClusterCallCommands(cluster)

  addClusterSettingCommands(cluster)

  withSettings(
    cluster
      .command('create <name>')
      .description('create a cluster; its first armed control-plane machine founds it')
      .requiredOption(
        '--control-plane <count>',
        'how many control-plane machines make it ready',
        wholeNumber,
      ),
  )
    .option('--ephemeral', 'its machines keep no data over a reboot')
    .option('--json', 'print JSON')
    .action(async (name: string, options) => {
      const body = {
        name,
        state_kind: options.ephemeral === true ? 'ephemeral' : 'persistent',
        ...settingsBody(options),
      }
      show(await call('POST', '/clusters', body), options)
    })

  cluster
    .command('list')
    .description('all clusters')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const rows = await callAll<ClusterAnswer>('/clusters')
      if (json === true) return console.log(JSON.stringify(rows, null, 2))
      printTable(
        ['NAME', 'READY', 'FOUNDING', 'EPOCH'],
        rows.map((row) => [
          row.name,
          `${row.ready_control_plane} of ${row.expected_control_plane}`,
          row.founding.state,
          String(row.founding.epoch),
        ]),
      )
    })

  cluster
    .command('show <name>')
    .description('a cluster with its machines, members and join slots')
    .option('--json', 'print JSON')
    .action(async (name: string, options) => {
      const shown = await call<Record<string, unknown>>('GET', `/clusters/${encodeURIComponent(name)}`)
      const diagnosis = await clusterDiagnosisOf(name)
      show(options.json === true ? { ...shown, diagnosis } : shown, options)
      if (options.json !== true) printClusterDiagnosis(diagnosis)
    })

  cluster
    .command('arm <name>')
    .description('arm every machine of a cluster')
    .option('--for <time>', 'how long: 30m, 8h', '30m')
    .option('--json', 'print JSON')
    .action(async (name: string, options) => {
      const answer = await call<{
        armed: string[]
        refused: { name: string; detail: string; cure: string }[]
      }>('POST', `/clusters/${encodeURIComponent(name)}/arm`, { for_seconds: secondsOf(options.for) })
      if (options.json === true) console.log(JSON.stringify(answer, null, 2))
      else {
        for (const armed of answer.armed) console.log(`${armed}: armed for ${options.for}`)
        for (const { name: who, detail, cure } of answer.refused)
          console.log(`${who}: not armed: ${detail}; ${cure}`)
      }
      if (answer.refused.length > 0) process.exitCode = EXIT.failed
    })

  cluster
    .command('wait <name>')
    .description('wait until the cluster is ready (exit code 4 when the time is up)')
    .option('--timeout <time>', 'how long to wait', '30m')
    .option('--json', 'print JSON')
    .action(async (name: string, options) => {
      const deadline = Date.now() + secondsOf(options.timeout) * 1000
      for (;;) {
        const answer = await call<ClusterAnswer>('GET', `/clusters/${encodeURIComponent(name)}`)
        if (answer.ready && options.json === true) return console.log(JSON.stringify(answer, null, 2))
        if (answer.ready)
          return console.log(
            `cluster ${name}: ready, ${answer.ready_control_plane} of ${answer.expected_control_plane}`,
          )
        if (Date.now() >= deadline) {
          throw new CliFailure(
            `cluster ${name}: ${answer.ready_control_plane} of ${answer.expected_control_plane} ready after ${options.timeout}`,
            EXIT.timedOut,
          )
        }
        await new Promise((resolve) => setTimeout(resolve, 2000))
      }
    })

  addClusterHealthCommands(cluster)
}

function show(answer: Record<string, unknown>, { json }: { readonly json?: boolean }): void {
  if (json === true) console.log(JSON.stringify(answer, null, 2))
  else printFacts(answer)
}
