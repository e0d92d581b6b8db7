import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { EXIT } from './exit-codes.ts'
import { CliFailure } from './failure.ts'
import { printFacts } from './table.ts'

interface RestoreOptions {
  readonly config?: string
  readonly takeOver?: boolean
  readonly json?: boolean
}

/** `pilotlight backup FILE`, and `pilotlight restore FILE` on the server's own host while it does not run. */
export function addBackupCommands(program: Command): void {
  program
    .command('backup <file>')
    .description('copy the database of a running server into a file, and check it')
    .option('--force', 'overwrite a file that is there')
    .option('--json', 'print JSON')
    .action(async (file: string, options: { force?: boolean; json?: boolean }) => {
      if (existsSync(file) && options.force !== true) {
        throw new CliFailure(`${file} is there already: name another, or --force`, EXIT.usage)
      }
      const { backUp } = await import('./back-up.ts')
      show(await backUp(file), options.json)
    })

  program
    .command('restore [file]')
    .description('put a backup in the place of the database; at the next start its clusters are frozen')
    .option('--config <file>', 'the configuration that names data_dir')
    .option('--mark', 'the whole data directory came back by other means: only mark it as restored')
    .option('--take-over', 'this host takes over from another that ran the server')
    .option('--json', 'print JSON')
    .action(async (file: string | undefined, options: RestoreOptions & { mark?: boolean }) => {
      if ((file === undefined) === (options.mark !== true)) {
        throw new CliFailure('want a file to restore, or --mark and no file', EXIT.usage)
      }
      show((await import('./back-up.ts')).restore(file, options), options.json)
      if (options.json !== true) {
        console.log(
          'start the server: its clusters are frozen until their leader is seen, or until you say what is true:\n  pilotlight cluster unfreeze NAME --as open|founded',
        )
      }
    })
}

function show(facts: Readonly<Record<string, unknown>>, asJson: boolean | undefined): void {
  if (asJson === true) console.log(JSON.stringify(facts, null, 2))
  else printFacts(facts)
}
