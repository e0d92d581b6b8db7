import path from 'node:path'
import type { Command } from 'commander'
import { replayCapture } from '../servers/dhcp/replay-capture.ts'
import { LoaderManifest } from '../servers/files/loader-manifest.ts'
import { packetsIn } from './capture.ts'
import { type Answer, printAnswer } from './print-answer.ts'
import { configFromElsewhere, PROGRAM_DIR } from './program-dir.ts'

interface ReplayFlags {
  readonly config?: string
  readonly json?: boolean
  readonly registerAll?: boolean
}

/** `pilotlight dhcp …`: what needs no running server. */
export function addDhcpCommands(program: Command): void {
  program
    .command('dhcp')
    .description('the DHCP engine, without a running server')
    .command('replay <capture>')
    .description('run every client packet of a pcap file through the decisions, with a store of its own')
    .option('--config <file>', 'the configuration to decide by; may be another machine’s')
    .option('--register-all', 'register every MAC of the capture first (else unknown_machines decides)')
    .option('--json', 'print one JSON object a client packet')
    .addHelpText(
      'after',
      '\nExample:\n  pilotlight dhcp replay capture.pcap --config pilotlight.yaml --register-all',
    )
    .action((capture: string, flags: ReplayFlags) => replay(capture, flags))
}

async function replay(capture: string, flags: ReplayFlags): Promise<void> {
  const packets = packetsIn(capture)
  const config = configFromElsewhere(flags.config)
  const { names: loaders } = LoaderManifest.read(config.assetsDir)
  if (loaders.size === 0) {
    console.error(`no loaders in ${config.assetsDir}: answered as if all were there`)
  }
  const options = {
    config,
    migrationsDir: path.join(PROGRAM_DIR, 'migrations'),
    registersAll: flags.registerAll === true,
    ...(loaders.size === 0 ? {} : { loaders }),
  }
  await replayCapture(packets, options, (answer) => {
    if (flags.json === true) console.log(JSON.stringify(answer))
    else printAnswer(answer as Answer)
  })
  if (packets.length === 0) console.error(`${capture} holds no packet to port 67 or 4011`)
}
