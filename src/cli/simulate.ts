import { type Command, Option } from 'commander'
import { optionEntryNamed } from '../dhcp/option-dictionary.ts'
import { optionValue, wantedFor } from '../dhcp/option-value.ts'
import { fromHex, toHex } from '../net/bytes.ts'
import { call } from './api-client.ts'
import type { BootAnswer } from './boot-answer.ts'
import { packetsIn } from './capture.ts'
import { EXIT } from './exit-codes.ts'
import { CliFailure } from './failure.ts'
import { type Answer, printAnswer } from './print-answer.ts'
import { printPicture } from './print-boots.ts'
import { type DiagnosisAnswer, printDiagnosis } from './print-diagnosis.ts'
import { printTable } from './table.ts'

interface SimulateFlags {
  readonly hex?: string
  readonly pcap?: string
  readonly arch?: string
  readonly mac?: string
  readonly message?: string
  readonly option: readonly string[]
  readonly relay?: string
  readonly address?: string
  readonly port?: string
  readonly interface?: string
  readonly json?: boolean
}

interface Explanation {
  readonly machine: string
  readonly state: string
  readonly diagnosis: DiagnosisAnswer
  readonly sections: readonly {
    readonly section: string
    readonly summary: string
    readonly steps: readonly { readonly rule: string; readonly finding: string }[]
  }[]
}

/** 4011 is where PXE firmware asks a boot server. */
const PXE_PORT = '4011'
const PORTS = ['67', PXE_PORT]
const MESSAGES = ['discover', 'request', 'inform', 'decline', 'release']

/** `pilotlight simulate` and `pilotlight explain`: what would be answered now, and why; without any effect. */
export function addSimulateCommands(program: Command): void {
  program
    .command('simulate')
    .description('what a DHCP message would be answered now, and why; changes nothing')
    .option('--hex <payload>', 'a UDP payload in hex')
    .option('--pcap <file>', 'every client packet of a capture')
    .option('--arch <number>', 'a client of this architecture (option 93); without it: no firmware')
    .option('--mac <mac>', 'its MAC')
    .addOption(new Option('--message <type>', 'its message; default: discover').choices(MESSAGES))
    .option(
      '--option <code=hex>',
      'an option of its message, by number in hex, or by name (repeat)',
      collect,
      [],
    )
    .option('--relay <address>', 'it is behind this relay')
    .option('--address <address>', 'the address that it has (ciaddr)')
    .addOption(new Option('--port <number>', 'the port that it is sent to; default: 67').choices(PORTS))
    .option('--interface <name>', 'the link that it arrives on; default: the first')
    .option('--json', 'print JSON: one object, or one a line for a capture')
    .addHelpText(
      'after',
      '\nExamples:\n  pilotlight simulate --arch 7 --mac 52:54:00:99:00:01\n  pilotlight simulate --pcap boot.pcap --json\n  pilotlight simulate --arch 0 --mac 52:54:00:99:00:01 --option 77=69505845',
    )
    .action(simulate)

  program
    .command('explain <machine>')
    .description('what a machine would be answered now, where it stands, and why it does not move on')
    .option('--json', 'print JSON')
    .action(async (ref: string, { json }: { json?: boolean }) => {
      const answer = await call<Explanation>('GET', `/machines/${encodeURIComponent(ref)}/explain`)
      if (json === true) return console.log(JSON.stringify(answer, null, 2))
      console.log(`${answer.machine}, ${answer.state}`)
      for (const { section, summary, steps } of answer.sections) {
        console.log(`\n${section}: ${summary}`)
        printTable(
          ['RULE', 'FINDING'],
          steps.map(({ rule, finding }) => [rule, finding]),
        )
      }
      console.log('')
      printDiagnosis(answer.diagnosis)
      if (answer.diagnosis.boot_id === null) return
      const attempt = await call<BootAnswer>('GET', `/boots/${encodeURIComponent(answer.diagnosis.boot_id)}`)
      printPicture(attempt)
    })
}

async function simulate(flags: SimulateFlags): Promise<void> {
  const ways = [flags.hex, flags.pcap, flags.mac].filter((one) => one !== undefined)
  if (ways.length !== 1) {
    throw new CliFailure(
      'say what to simulate: one of --hex, --pcap, or --mac with or without --arch',
      EXIT.usage,
    )
  }
  const stray = flags.mac === undefined ? strayFlag(flags) : undefined
  if (stray !== undefined) {
    throw new CliFailure(`${stray} describes a client that is only imagined: it goes with --mac`, EXIT.usage)
  }
  if (flags.port !== undefined && flags.pcap !== undefined) {
    throw new CliFailure('--port goes with --hex or --mac: a capture says where each packet went', EXIT.usage)
  }
  const bodies = bodiesOf(flags)
  if (bodies.length === 0) console.error(`${flags.pcap} holds no packet to port 67 or 4011`)
  for (const body of bodies) {
    const { frame, ...rest } = body
    const answer = {
      ...(frame === undefined ? {} : { frame }),
      ...(await call<Answer>('POST', '/simulate', rest)),
    }
    if (flags.json === true) console.log(JSON.stringify(answer))
    else printAnswer(answer)
  }
}

/** A flag that says something of a client which a packet says by itself. */
function strayFlag({ arch, message, option, relay, address }: SimulateFlags): string | undefined {
  if (option.length > 0) return '--option'
  return Object.entries({
    '--arch': arch,
    '--message': message,
    '--relay': relay,
    '--address': address,
  }).find(([, value]) => value !== undefined)?.[0]
}

function bodiesOf(flags: SimulateFlags): readonly ({ frame?: number } & Record<string, unknown>)[] {
  const way = {
    ...(flags.interface === undefined ? {} : { interface: flags.interface }),
    ...(flags.port === PXE_PORT ? { socket: 'pxe' } : {}),
  }
  if (flags.pcap !== undefined) {
    return packetsIn(flags.pcap).map(({ frame, bytes, arrival }) => ({
      ...way,
      frame,
      hex: toHex(bytes),
      socket: arrival.socket,
      source: arrival.sourceAddress,
      source_port: arrival.sourcePort,
    }))
  }
  if (flags.hex !== undefined) {
    if (fromHex(flags.hex) === undefined)
      throw new CliFailure('--hex is not in pairs of hex digits; want a UDP payload', EXIT.usage)
    return [{ ...way, hex: flags.hex }]
  }
  return [
    {
      ...way,
      mac: flags.mac,
      ...(flags.message === undefined ? {} : { message: flags.message }),
      options: Object.fromEntries(flags.option.map(optionOf)),
      ...(flags.arch === undefined ? {} : { architecture: architectureOf(flags.arch) }),
      ...(flags.relay === undefined ? {} : { relay: flags.relay }),
      ...(flags.address === undefined ? {} : { client_address: flags.address }),
    },
  ]
}

function architectureOf(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65535) return Number(text)
  throw new CliFailure(
    `--arch is ${JSON.stringify(text)}, want a number of option 93: 0 BIOS, 7 x64 UEFI`,
    EXIT.usage,
  )
}

/** `93=0007` by number in hex; `requested-address=10.77.0.9` by name in the option's own words. */
function optionOf(text: string): readonly [string, string] {
  const at = text.indexOf('=')
  const key = text.slice(0, at)
  const value = text.slice(at + 1)
  const entry = optionEntryNamed(key)
  if (at < 1 || (entry === undefined && !/^\d{1,3}$/.test(key)))
    throw new CliFailure(`--option ${text}: want NUMBER=HEX or NAME=VALUE`, EXIT.usage)
  if (entry === undefined) return [key, value]
  const bytes = optionValue(entry.type, value)
  if (bytes === undefined) throw new CliFailure(`--option ${text}: want ${wantedFor(entry.type)}`, EXIT.usage)
  return [String(entry.code), toHex(bytes)]
}

function collect(value: string, earlier: readonly string[]): readonly string[] {
  return [...earlier, value]
}
