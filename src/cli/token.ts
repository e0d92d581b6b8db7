import { existsSync } from 'node:fs'
import path from 'node:path'
import type { Command } from 'commander'
import { CliFailure } from './failure.ts'

interface RenewOptions {
  readonly config?: string
  readonly json?: boolean
}

/** `pilotlight token renew`, on the server's own host while it does not run: the way back in when the token is lost. */
export function addTokenCommands(program: Command): void {
  program
    .command('token')
    .description("operators' tokens")
    .command('renew')
    .description('make every token void; at its next start the server writes a new data_dir/admin.token')
    .option('--config <file>', 'the configuration that names data_dir')
    .option('--json', 'print JSON')
    .action(renew)
}

async function renew({ config, json }: RenewOptions): Promise<void> {
  const { configFromElsewhere, PROGRAM_DIR } = await import('./program-dir.ts')
  const { voidTokens } = await import('../store/void-tokens.ts')
  const { dataDir } = configFromElsewhere(config)
  const file = path.join(dataDir, 'pilotlight.db')
  if (!existsSync(file)) {
    throw new CliFailure(`${file} is not there: its server writes the first token when it first starts`)
  }
  const voided = voidTokens(dataDir, path.join(PROGRAM_DIR, 'migrations'))
  if (json === true) console.log(JSON.stringify({ data_dir: dataDir, voided }, null, 2))
  else console.log(`void: ${voided}; start the server: it writes ${path.join(dataDir, 'admin.token')}`)
}
