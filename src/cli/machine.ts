import type { Command } from 'commander'
import { call, callAll } from './api-client.ts'
import { dhcpOptionsOf } from './dhcp-option.ts'
import { secondsOf } from './duration.ts'
import { addMachineFileCommands } from './machine-file.ts'
import { addPacketsCommand } from './machine-packets.ts'
import { printBoots } from './print-boots.ts'
import { diagnosisOf, printDiagnosis } from './print-diagnosis.ts'
import { printGone } from './print-gone.ts'
import { printFacts, printTable } from './table.ts'
import { wholeNumber } from './whole-number.ts'

interface MachineAnswer {
  readonly name: string
  readonly macs: readonly string[]
  readonly role: string
  readonly state: string
  readonly address: string | null
  readonly image_id: string | null
  readonly armed_until: string | null
}

interface EditOptions {
  readonly mac?: readonly string[]
  readonly role?: string
  readonly cluster?: string
  readonly image?: string
  readonly loader?: string
  readonly dhcpOption?: readonly string[]
  readonly dhcpOptions?: boolean
  readonly address?: string
  readonly bootMode?: string
  readonly ramMib?: number
  readonly kernelArgument?: readonly string[]
  /** False for --no-kernel-arguments. */
  readonly kernelArguments?: boolean
  readonly json?: boolean
}

/** `pilotlight machine …`. */
export function addMachineCommands(program: Command): void {
  const machine = program.command('machine').description('the boxes that are provisioned')
  addMachineFileCommands(machine)

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
    .action(async (ref: string, options) => {
      const shown = await call<Record<string, unknown>>('GET', route(ref))
      const diagnosis = await diagnosisOf(ref)
      show(options.json === true ? { ...shown, diagnosis } : shown, options)
      if (options.json !== true) printDiagnosis(diagnosis)
    })

  machine
    .command('arm <machine>')
    .description('allow it to be provisioned, once, within a time')
    .option('--for <time>', 'how long: 30m, 8h', '30m')
    .option('--json', 'print JSON')
    .action(async (ref: string, options) =>
      show(await call('POST', `${route(ref)}/arm`, { for_seconds: secondsOf(options.for) }), options),
    )

  machine
    .command('reprovision <machine>')
    .description('wipe a member: it leaves its groups first, and joins anew at its next boot')
    .option('--for <time>', 'how long it is armed', '30m')
    .option('--force', 'though too few healthy voters stay')
    .option('--json', 'print JSON')
    .action(async (ref: string, options) => {
      const body = { for_seconds: secondsOf(options.for), force: options.force === true }
      show(await call('POST', `${route(ref)}/reprovision`, body), options)
    })

  machine
    .command('decommission <machine>')
    .description('it leaves for good: held, and out of its groups; then delete it')
    .option('--force', 'though too few healthy voters stay')
    .option('--json', 'print JSON')
    .action(async (ref: string, options) =>
      show(await call('POST', `${route(ref)}/decommission`, { force: options.force === true }), options),
    )

  machine
    .command('hold <machine>')
    .description('stop it before its next step, or before one step')
    .option('--step <step>', 'let it go as far as this step')
    .option('--json', 'print JSON')
    .action(async (ref: string, { step, ...options }: { step?: string; json?: boolean }) =>
      show(await call('POST', `${route(ref)}/hold`, step === undefined ? {} : { step }), options),
    )

  machine
    .command('release <machine>')
    .description('take a hold away')
    .option('--json', 'print JSON')
    .action(async (ref: string, options) => show(await call('POST', `${route(ref)}/release`), options))

  machine
    .command('delete <machine>')
    .description('forget a machine')
    .option('--json', 'print JSON')
    .action(async (ref: string, options) => {
      await call('DELETE', route(ref))
      printGone(ref, options)
    })

  addPacketsCommand(machine)

  machine
    .command('boots <machine>')
    .description('its latest boot attempt to scale, and the earlier ones')
    .option('--boot <id>', 'show this one')
    .option('--json', 'print JSON')
    .action(async (ref: string, options) => printBoots(ref, options))
}

function withFields(command: Command): Command {
  return command
    .option('--role <role>', 'control-plane, worker or all-in-one')
    .option('--cluster <name>', 'the cluster it belongs to')
    .option('--image <image>', 'the image it boots: id, name:version, or name for what is promoted')
    .option('--ram-mib <count>', 'its memory in MiB', wholeNumber)
    .option('--kernel-argument <word...>', 'kernel parameters of its own; instead of those it has')
    .option('--no-kernel-arguments', 'take its own kernel parameters away')
    .option('--loader <name>', 'a loader it gets first, whatever it says it is')
    .option('--dhcp-option <name=value...>', 'DHCP options of its own: mtu=9000, or 224:text=hello')
    .option('--no-dhcp-options', 'take its own DHCP options away')
    .option('--address <address>', 'the address reserved for it')
    .option('--boot-mode <mode>', 'netboot, install or local')
    .option('--json', 'print JSON')
}

function bodyOf({
  mac,
  bootMode,
  ramMib,
  kernelArgument,
  kernelArguments,
  dhcpOption,
  dhcpOptions,
  json: _json,
  ...fields
}: EditOptions) {
  const words = kernelArguments === false ? [] : kernelArgument
  return {
    ...fields,
    ...(mac === undefined ? {} : { macs: mac }),
    ...(ramMib === undefined ? {} : { ram_mib: ramMib }),
    ...(words === undefined ? {} : { kernel_arguments: words }),
    ...(bootMode === undefined ? {} : { boot_mode: bootMode }),
    ...(dhcpOption === undefined ? {} : { dhcp_options: dhcpOptionsOf(dhcpOption) }),
    ...(dhcpOptions === false ? { dhcp_options: null } : {}),
  }
}

function route(ref: string): string {
  return `/machines/${encodeURIComponent(ref)}`
}

function show(answer: Record<string, unknown>, { json }: { readonly json?: boolean }): void {
  const { warnings = [] } = answer as { warnings?: readonly string[] }
  for (const warning of warnings) console.error(`warning: ${warning}`)
  if (json === true) console.log(JSON.stringify(answer, null, 2))
  else printFacts(answer)
}
