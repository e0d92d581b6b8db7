import type { Command } from 'commander'
import { call, callAll } from './api-client.ts'
import { secondsOf } from './duration.ts'
import { printFacts, printTable } from './table.ts'

interface MachineAnswer {
  readonly name: string
  readonly macs: readonly string[]
  readonly role: string
  readonly state: string
  readonly address: string | null
  readonly image_id: string | null
  readonly armed_until: string | null
}

interface BootAnswer {
  readonly boot_id: string
  readonly stage: string
  readonly status: string
  readonly end: string | null
  readonly started_at: string
  readonly stages: readonly { stage: string; after_ms: number; bytes: number; retries: number }[]
}

interface EditOptions {
  readonly mac?: readonly string[]
  readonly role?: string
  readonly cluster?: string
  readonly image?: string
  readonly loader?: string
  readonly address?: string
  readonly bootMode?: string
  readonly json?: boolean
}

/** `pilotlight machine …`. */
export function addMachineCommands(program: Command): void {
  const machine = program.command('machine').description('the boxes that are provisioned')

  withFields(
    machine
      .command('add <name>')
      .description('register a machine')
      .requiredOption('--mac <mac...>', 'its MACs, the boot port first'),
  )
    .addHelpText(
      'after',
      '\nExample:\n  pilotlight machine add node01 --mac 52:54:00:99:00:01 --role control-plane --cluster demo --image 0123456789abcdef',
    )
    .action(async (name: string, options: EditOptions) =>
      show(await call('POST', '/machines', { name, ...bodyOf(options) }), options),
    )

  withFields(
    machine
      .command('edit <machine>')
      .description('change what is stated of a machine')
      .option('--mac <mac...>', 'its MACs'),
  ).action(async (ref: string, options: EditOptions) =>
    show(await call('PATCH', route(ref), bodyOf(options)), options),
  )

  machine
    .command('list')
    .description('all machines')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const rows = await callAll<MachineAnswer>('/machines')
      if (json === true) return console.log(JSON.stringify(rows, null, 2))
      printTable(
        ['NAME', 'MAC', 'ROLE', 'STATE', 'ADDRESS', 'ARMED UNTIL'],
        rows.map((row) => [
          row.name,
          row.macs[0] ?? '-',
          row.role,
          row.state,
          row.address ?? '-',
          row.armed_until ?? '-',
        ]),
      )
    })

  machine
    .command('show <machine>')
    .description('one machine, by name, MAC or id')
    .option('--json', 'print JSON')
    .action(async (ref: string, options) => show(await call('GET', route(ref)), options))

  machine
    .command('arm <machine>')
    .description('allow it to be provisioned, once, within a time')
    .option('--for <time>', 'how long: 30m, 8h', '30m')
    .option('--json', 'print JSON')
    .action(async (ref: string, options) =>
      show(await call('POST', `${route(ref)}/arm`, { for_seconds: secondsOf(options.for) }), options),
    )

  for (const [verb, what] of [
    ['hold', 'stop it before its next step'],
    ['release', 'take a hold away'],
  ] as const) {
    machine
      .command(`${verb} <machine>`)
      .description(what)
      .option('--json', 'print JSON')
      .action(async (ref: string, options) => show(await call('POST', `${route(ref)}/${verb}`), options))
  }

  machine
    .command('delete <machine>')
    .description('forget a machine')
    .action(async (ref: string) => {
      await call('DELETE', route(ref))
      console.log(`${ref} is gone`)
    })

  machine
    .command('boots <machine>')
    .description('its boot attempts, the latest first')
    .option('--json', 'print JSON')
    .action(async (ref: string, { json }: { json?: boolean }) => {
      const { items } = await call<{ items: BootAnswer[] }>('GET', `${route(ref)}/boots`)
      if (json === true) return console.log(JSON.stringify(items, null, 2))
      for (const boot of items) {
        console.log(`${boot.started_at}  ${boot.boot_id}  ${boot.end ?? boot.status} at ${boot.stage}`)
        const rows = boot.stages.map((stage) => [
          `  ${stage.stage}`,
          `${(stage.after_ms / 1000).toFixed(1)} s`,
          `${stage.bytes} B`,
          `${stage.retries} resent`,
        ])
        printTable(['  STAGE', 'AFTER', 'SENT', 'RETRIES'], rows)
      }
    })
}

function withFields(command: Command): Command {
  return command
    .option('--role <role>', 'control-plane or worker')
    .option('--cluster <name>', 'the cluster it belongs to')
    .option('--image <id>', 'the image it boots')
    .option('--loader <name>', 'a loader it gets first, whatever it says it is')
    .option('--address <address>', 'the address reserved for it')
    .option('--boot-mode <mode>', 'netboot, install or local')
    .option('--json', 'print JSON')
}

function bodyOf({ mac, bootMode, json: _json, ...fields }: EditOptions) {
  return {
    ...fields,
    ...(mac === undefined ? {} : { macs: mac }),
    ...(bootMode === undefined ? {} : { boot_mode: bootMode }),
  }
}

function route(ref: string): string {
  return `/machines/${encodeURIComponent(ref)}`
}

function show(answer: Record<string, unknown>, { json }: { readonly json?: boolean }): void {
  if (json === true) console.log(JSON.stringify(answer, null, 2))
  else printFacts(answer)
}
