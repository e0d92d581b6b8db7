import { parseIpv4Range } from '../../src/net/ipv4.ts'
import { DhcpServer } from '../../src/servers/dhcp/dhcp-server.ts'
import { DhcpWorld, ip, machineOf, settingsOf, subnetOf } from './dhcp-builders.ts'

/**
 * The real server over the in-memory world, as a program of its own so that it can live in a network namespace. Says
 * one line a decision; ends when its standard input does.
 */
const world = new DhcpWorld()
world.settings = settingsOf({ serverAddress: ip('10.88.0.1'), bootUrl: 'http://10.88.0.1:8080' })
world.subnets = [
  subnetOf('10.88.0.0/24', {
    pool: parseIpv4Range('10.88.0.100-10.88.0.199')!,
    router: ip('10.88.0.1'),
    dns: [ip('10.88.0.53')],
    domain: 'rack.example',
  }),
  subnetOf('10.89.0.0/24', { router: ip('10.89.0.1') }),
]
world.machines = [
  machineOf(3, { name: 'node03' }),
  machineOf(4, { name: 'node04', reservedAddress: ip('10.89.0.60') }),
]

const say = (text: string) => process.stdout.write(`${text}\n`)
const server = new DhcpServer({
  address: ip('10.88.0.1'),
  answer: async (request) => {
    world.nowMs = Date.now()
    const decision = world.handle(request)
    const { messageType } = request.packet
    const { packet, address } = decision.reply ?? {}
    say(
      `${messageType} ${request.arrival.socket} ${decision.reason} ${packet?.messageType} ${packet?.yiaddr} ${address}`,
    )
    return decision
  },
  log: {
    debug: () => {},
    info: () => {},
    warn: () => {},
    error: (facts) => say(`error ${JSON.stringify(facts)}`),
  },
})
await server.start()
say('listening')
process.stdin.resume().on('end', () => {
  void server.stop()
})
