import { Command } from 'commander'
import { EXIT } from './cli/exit-codes.ts'
import { failWith } from './cli/failure.ts'

const program = new Command('pilotlight')
  .description('Bare-metal provisioning: from the first DHCPDISCOVER to "cluster ready"')
  .configureHelp({ sortSubcommands: false })
  .showHelpAfterError('(add --help for what is wanted)')
  .exitOverride()

program
  .command('serve')
  .description('run the server (without a configuration: loopback only, DHCP off)')
  .option('--config <file>', 'the configuration; default /etc/pilotlight/pilotlight.yaml when it is there')
  .action(async (options) => (await import('./cli/serve.ts')).serve(options))

program
  .command('init')
  .description('look at this machine and write a commented configuration')
  .option('--config <file>', 'where to write it', '/etc/pilotlight/pilotlight.yaml')
  .option('--interface <name>', 'the provisioning link; default: the likeliest one')
  .option('--stdout', 'print it instead')
  .option('--force', 'overwrite a file that is there')
  .action(async (options) => (await import('./cli/init.ts')).init(options))

program
  .command('doctor')
  .description('check configuration, loaders, ports, disk and kernel settings')
  .option('--config <file>', 'the configuration to check')
  .option('--json', 'print JSON')
  .action(async (options) => (await import('./cli/doctor.ts')).doctor(options))

program
  .command('demo')
  .description('boot a private rack of three machines to "cluster ready", and clean up')
  .option('--simulated', 'simulated machines over loopback: no QEMU, no root')
  .option('--keep', 'leave server and machines running until Ctrl-C')
  .option('--json', 'print one JSON document')
  .action(async (options) => (await import('./cli/demo.ts')).demo(options))

const assets = program.command('assets').description('the loaders that machines get first')
assets
  .command('install')
  .description("take iPXE binaries from Debian's ipxe package, or from a directory")
  .option('--from <dir>', 'a directory with iPXE binaries')
  .option('--to <dir>', 'where loaders are kept; default: assets_dir of the configuration')
  .option('--config <file>', 'the configuration that names assets_dir')
  .option('--json', 'print JSON')
  .action(async (options) => (await import('./cli/assets.ts')).installAssets(options))

const { addMachineCommands } = await import('./cli/machine.ts')
addMachineCommands(program)
const { addClusterCommands } = await import('./cli/cluster.ts')
addClusterCommands(program)
const { addImageCommands } = await import('./cli/image.ts')
addImageCommands(program)
const { addRecordCommands } = await import('./cli/records.ts')
addRecordCommands(program)

try {
  await program.parseAsync()
} catch (error) {
  const { code, exitCode } = error as { code?: string; exitCode?: number }
  if (code?.startsWith('commander.') === true) process.exitCode = exitCode === 0 ? EXIT.done : EXIT.usage
  else failWith(error)
}
