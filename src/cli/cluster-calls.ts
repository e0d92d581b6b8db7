import type { Command } from 'commander'
import { accessOf, call } from './api-client.ts'
import { secondsOf } from './duration.ts'
import { printGone } from './print-gone.ts'

interface CallAnswer {
  readonly notes: readonly string[]
}

interface Printed {
  readonly json?: boolean
  readonly key?: string
}

/** What an operator says of a cluster's founding, slots and members: `cluster founding move`, `refound`, `slot free` … */
export function addClusterCallCommands(cluster: Command): void {
  cluster
    .command('founding')
    .description('who founds a cluster')
    .command('move <cluster>')
    .description(
      'let another machine found it, before it is founded; or FlareDB, when its first machine died',
    )
    .requiredOption('--to <machine>', 'the machine that founds it now')
    .option('--service <service>', 'flaredb: only FlareDB')
    .option(
      '--holder-is-off',
      'the machine that founded so far is switched off, though it was heard just now',
    )
    .option(
      '--discard-state <cluster>',
      'with --service: give up what state FlareDB may have; type the name of the cluster',
    )
    .option('--for <time>', 'how long the new one is armed', '30m')
    .option('--key <text>', 'idempotency key: the same call with it again gets the same answer')
    .option('--json', 'print JSON')
    .action(async (name: string, options) =>
      tell(name, 'founding/move', options, {
        to: options.to,
        holder_is_off: options.holderIsOff === true,
        for_seconds: secondsOf(options.for),
        ...(options.service === undefined ? {} : { service: options.service }),
        ...(options.discardState === undefined ? {} : { discard_state: options.discardState }),
      }),
    )

  cluster
    .command('refound <cluster>')
    .description('found it anew when all its state is lost')
    .requiredOption('--machine <machine>', 'the machine that founds it')
    .option('--discard-state <cluster>', 'give up what state there may be; type the name of the cluster')
    .option('--for <time>', 'how long the machine is armed', '30m')
    .option('--key <text>', 'idempotency key: the same call with it again gets the same answer')
    .option('--json', 'print JSON')
    .action(async (name: string, options) =>
      tell(name, 'refound', options, {
        machine: options.machine,
        for_seconds: secondsOf(options.for),
        ...(options.discardState === undefined ? {} : { discard_state: options.discardState }),
      }),
    )

  cluster
    .command('unfreeze <cluster>')
    .description('say what is true of a frozen cluster')
    .requiredOption('--as <state>', 'open: nobody founded it yet; founded: it lives')
    .option('--key <text>', 'idempotency key: the same call with it again gets the same answer')
    .option('--json', 'print JSON')
    .action(async (name: string, options) => tell(name, 'unfreeze', options, { as: options.as }))

  cluster
    .command('slot')
    .description('join slots')
    .command('free <cluster> <step>')
    .description('free a suspect slot whose cause is known')
    .option('--key <text>', 'idempotency key: the same call with it again gets the same answer')
    .option('--json', 'print JSON')
    .action(async (name: string, step: string, options) =>
      tell(name, `slots/${encodeURIComponent(step)}/free`, options),
    )

  cluster
    .command('member')
    .description('members of the Raft groups')
    .command('forget <cluster> <member>')
    .description('say that a member (node01.3) was removed by hand')
    .option('--force', 'though its list cannot be asked')
    .option('--key <text>', 'idempotency key: the same call with it again gets the same answer')
    .option('--json', 'print JSON')
    .action(async (name: string, member: string, options) =>
      tell(name, `members/${encodeURIComponent(member)}/forget`, options, { force: options.force === true }),
    )

  cluster
    .command('hold <cluster>')
    .description('stop its machines before their next step, or before one step')
    .option('--step <step>', 'let them go as far as this step')
    .option('--key <text>', 'idempotency key: the same call with it again gets the same answer')
    .option('--json', 'print JSON')
    .action(async (name: string, options) => tell(name, 'hold', options, stepOf(options)))

  cluster
    .command('release <cluster>')
    .description('take a hold away')
    .option('--key <text>', 'idempotency key: the same call with it again gets the same answer')
    .option('--json', 'print JSON')
    .action(async (name: string, options) => tell(name, 'release', options))

  cluster
    .command('delete <cluster>')
    .description('close it for ever; no machine may be left')
    .option('--json', 'print JSON')
    .action(async (name: string, options) => {
      await call('DELETE', `/clusters/${encodeURIComponent(name)}`)
      printGone(name, options)
    })
}

/** `pilotlight fleet hold|release`: every machine there is. */
export function addFleetCommands(program: Command): void {
  const fleet = program.command('fleet').description('every machine there is')
  for (const [verb, what] of [
    ['hold', 'stop all machines before their next step'],
    ['release', 'take that hold away'],
  ] as const) {
    const command = fleet.command(verb).description(what).option('--json', 'print JSON')
    if (verb === 'hold') command.option('--step <step>', 'let them go as far as this step')
    command.action(async (options: Printed & { readonly step?: string }) => {
      const answer = await call<{ held: boolean; step: string | null }>(
        'POST',
        `/fleet/${verb}`,
        stepOf(options),
      )
      if (options.json === true) return console.log(JSON.stringify(answer, null, 2))
      const where = answer.step === null ? '' : ` before ${answer.step}`
      console.log(answer.held ? `the fleet is held${where}` : 'the fleet goes on')
    })
  }
}

async function tell(name: string, what: string, options: Printed, body: object = {}): Promise<void> {
  const route = `/clusters/${encodeURIComponent(name)}/${what}`
  const headers = options.key === undefined ? {} : { 'idempotency-key': options.key }
  const answer = await call<CallAnswer>('POST', route, body, accessOf(), headers)
  if (options.json === true) console.log(JSON.stringify(answer, null, 2))
  else for (const note of answer.notes) console.log(note)
}

function stepOf({ step }: { readonly step?: string }): { readonly step?: string } {
  return step === undefined ? {} : { step }
}
