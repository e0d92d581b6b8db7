import type { Command } from 'commander'
import { call, callAll } from './api-client.ts'
import type { BootAnswer } from './boot-answer.ts'
import { printBoot } from './print-boots.ts'
import { printTable } from './table.ts'

interface EventAnswer {
  readonly seq: number
  readonly at: string
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
}

interface LeaseAnswer {
  readonly subnet: string
  readonly mac: string
  readonly address: string
  readonly state: string
  readonly expires_at: string
}

/** What happened and what is: `pilotlight event`, `lease`, `boot`. */
export function addRecordCommands(program: Command): void {
  program
    .command('event')
    .description('what happened, in order')
    .command('list')
    .option('--after <seq>', 'only later ones', '0')
    .option('--limit <count>', 'at most so many', '200')
    .option('--json', 'print JSON')
    .action(async (options) => {
      const { items, dropped_to: droppedTo } = await call<{ items: EventAnswer[]; dropped_to?: number }>(
        'GET',
        `/events?after=${encodeURIComponent(options.after)}&limit=${encodeURIComponent(options.limit)}`,
      )
      if (droppedTo !== undefined && Number(options.after) > 0)
        console.error(
          `events up to ${droppedTo} are no longer all kept: what you have not read of them is gone`,
        )
      if (options.json === true) return console.log(JSON.stringify(items, null, 2))
      printTable(
        ['SEQ', 'AT', 'TYPE', 'FACTS'],
        items.map((event) => [
          String(event.seq),
          event.at,
          event.type,
          Object.entries(event.data)
            .map(([name, value]) => `${name}=${value}`)
            .join(' '),
        ]),
      )
    })

  program
    .command('lease')
    .description('addresses')
    .command('list')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const rows = await callAll<LeaseAnswer>('/leases')
      if (json === true) return console.log(JSON.stringify(rows, null, 2))
      printTable(
        ['SUBNET', 'MAC', 'ADDRESS', 'STATE', 'ENDS'],
        rows.map((row) => [row.subnet, row.mac, row.address, row.state, row.expires_at]),
      )
    })

  program
    .command('boot')
    .description('boot attempts')
    .command('show <id>')
    .option('--json', 'print JSON')
    .action(async (id: string, { json }: { json?: boolean }) => {
      const answer = await call<BootAnswer>('GET', `/boots/${encodeURIComponent(id)}`)
      if (json === true) console.log(JSON.stringify(answer, null, 2))
      else printBoot(answer)
    })
}
