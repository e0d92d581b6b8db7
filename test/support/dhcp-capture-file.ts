import { execFileSync } from 'node:child_process'

/** One DHCP message of a capture, as tshark reads it. */
export interface CapturedDhcp {
  readonly from: string
  readonly to: string
  /** Number of option 53. */
  readonly type: number
  readonly ciaddr: string
  readonly yiaddr: string
  readonly siaddr: string
  readonly giaddr: string
  readonly file: string
  /** Codes of the options, in order. */
  readonly options: readonly number[]
  /** What tshark finds wrong with it; empty: nothing. */
  readonly warning: string
}

const FIELDS = [
  ...['ip.src', 'udp.srcport', 'ip.dst', 'udp.dstport', 'dhcp.option.dhcp', 'dhcp.ip.client', 'dhcp.ip.your'],
  ...[
    'dhcp.ip.server',
    'dhcp.ip.relay',
    'dhcp.file',
    'dhcp.option.type',
    '_ws.expert.message',
    '_ws.malformed',
  ],
]

/** The DHCP messages of a capture file, those to and from port 4011 included. */
export function readCapture(file: string): readonly CapturedDhcp[] {
  const asFields = FIELDS.flatMap((field) => ['-e', field])
  const asDhcp = ['-d', 'udp.port==4011,dhcp', '-Y', 'dhcp', '-T', 'fields', '-E', 'separator=;']
  // A capture that is still being written may end in half a packet, which tshark reports and skips.
  const text = execFileSync('tshark', ['-r', file, '-n', ...asDhcp, ...asFields], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(messageOf)
}

function messageOf(line: string): CapturedDhcp {
  const [
    source,
    sourcePort,
    target,
    targetPort,
    type,
    ciaddr,
    yiaddr,
    siaddr,
    giaddr,
    name,
    codes,
    ...wrong
  ] = line.split(';')
  return {
    from: `${source}:${sourcePort}`,
    to: `${target}:${targetPort}`,
    type: Number(type),
    ciaddr: ciaddr ?? '',
    yiaddr: yiaddr ?? '',
    siaddr: siaddr ?? '',
    giaddr: giaddr ?? '',
    file: name ?? '',
    options: (codes ?? '').split(',').map(Number),
    warning: wrong.join(' ').trim(),
  }
}
