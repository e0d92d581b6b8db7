import { Command, Option } from 'commander'
import { addBackupCommands } from './backup.ts'
import { addClusterCommands } from './cluster.ts'
import { addFleetCommands } from './cluster-calls.ts'
import { addDhcpCommands } from './dhcp.ts'
import { addExamples } from './examples.ts'
import { addImageCommands } from './image.ts'
import { addMachineCommands } from './machine.ts'
import { addRecordCommands } from './records.ts'
import { addSimulateCommands } from './simulate.ts'
import { addTokenCommands } from './token.ts'
import { wholeNumber } from './whole-number.ts'

/** Every command, with its options, help and examples; what a command does is loaded when it is called. */
export function makeProgram(): Command {
  const program = new Command('pilotlight')
    .description('Bare-metal provisioning: from the first DHCPDISCOVER to "cluster ready"')
    .configureHelp({ sortSubcommands: false })
    .showHelpAfterError('(add --help for what is wanted)')
    .exitOverride()

  program
    .command('serve')
    .description('run the server (without a configuration: loopback only, DHCP off)')
    .option('--config <file>', 'the configuration; default /etc/pilotlight/pilotlight.yaml when it is there')
    .option('--json', 'log one JSON object a line, whatever log.format says')
    .action(async (options) => (await import('./serve.ts')).serve(options))

  program
    .command('init')
    .description('look at this machine and write a commented configuration')
    .option('--config <file>', 'where to write it', '/etc/pilotlight/pilotlight.yaml')
    .option('--interface <name>', 'the provisioning link; default: the likeliest one')
    .option('--stdout', 'print it instead')
    .option('--force', 'overwrite a file that is there')
    .addOption(new Option('--json', 'print JSON').conflicts('stdout'))
    .action(async (options) => (await import('./init.ts')).init(options))

  program
    .command('doctor')
    .description('check configuration, loaders, ports, disk and kernel settings')
    .option('--config <file>', 'the configuration to check')
    .option('--json', 'print JSON')
    .action(async (options) => (await import('./doctor.ts')).doctor(options))

  program
    .command('demo')
    .description('boot a private rack of three machines to "cluster ready", and clean up')
    .option('--simulated', 'simulated machines over loopback: no QEMU, no root')
    .option('--keep', 'leave server and machines running until Ctrl-C')
    .option('--json', 'print one JSON document')
    .action(async (options) => (await import('./demo.ts')).demo(options))

  program
    .command('boot-test')
    .description(
      'boot an image on several firmwares in a private rack, and say whether it becomes ready (for CI)',
    )
    .requiredOption('--image <dir>', 'demo, or a directory with netboot.ipxe, kernel and initrd')
    .option(
      '--firmware <list>',
      'bios, bios-pxe, uefi, uefi-http: the machines take them in turn',
      'bios,uefi',
    )
    .option('--machines <count>', 'how many machines, 1 to 9; default: one a firmware')
    .option('--timeout <time>', 'when to give up', '10m')
    .option('--memory <mib>', 'RAM of each machine', wholeNumber, 512)
    .option('--health-ca <file>', 'PEM of the CA that signed the certificates of the image’s services')
    .option('--junit <file>', 'write a JUnit report')
    .option(
      '--artifacts <dir>',
      'where serial logs and captures of what failed are kept',
      'boot-test-artifacts',
    )
    .option(
      '--simulated',
      'simulated machines over loopback: no QEMU, no root; the image is fetched, not run',
    )
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      '\nExit codes: 0 ready, 1 failed, 2 usage, 4 timed out.\nExample:\n  pilotlight boot-test --image ./result --firmware bios,uefi,uefi-http --machines 3 --junit boot.xml',
    )
    .action(async (options) => (await import('./boot-test.ts')).bootTest(options))

  const assets = program.command('assets').description('the loaders that machines get first')
  assets
    .command('install')
    .description("take iPXE binaries from Debian's ipxe package, or from a directory")
    .option('--from <dir>', 'a directory with iPXE binaries')
    .option('--to <dir>', 'where loaders are kept; default: assets_dir of the configuration')
    .option('--config <file>', 'the configuration that names assets_dir')
    .option('--json', 'print JSON')
    .action(async (options) => (await import('./assets.ts')).installAssets(options))

  program
    .command('units <dir>')
    .description('write the systemd units of the nine services and of first boot')
    .option('--programs <dir>', "where the services' programs lie on the machine")
    .option('--scripts <dir>', 'where the first-boot scripts lie on the machine')
    .option('--health-checks <file>', 'also write what cluster-health-check.sh expects of each service')
    .option('--json', 'print JSON')
    .action(async (directory, options) => (await import('./units.ts')).writeUnits(directory, options))

  addMachineCommands(program)
  addClusterCommands(program)
  addFleetCommands(program)
  addImageCommands(program)
  addSimulateCommands(program)
  addDhcpCommands(program)
  addRecordCommands(program)
  addBackupCommands(program)
  addTokenCommands(program)
  addExamples(program)
  return program
}
