import { parseIpv4 } from '../../src/net/ipv4.ts'
import { parseMac } from '../../src/net/mac.ts'
import { readBootScript } from '../../src/sim/boot-script.ts'
import { obtainLease } from '../../src/sim/dhcp-lease.ts'
import { exchange } from '../../src/sim/http-exchange.ts'

/**
 * What firmware and loader do for a container, run in its network namespace: a lease, the boot script, and then the kernel
 * command line on standard output. Arguments: MAC UUID SERVER RELAY.
 */
const [macText = '', uuid = '', serverText = '', relayText = ''] = process.argv.slice(2)
const mac = parseMac(macText)
const server = parseIpv4(serverText)
const relayAddress = parseIpv4(relayText)
if (mac === undefined || server === undefined || relayAddress === undefined)
  throw new Error('usage: container-boot.ts MAC UUID SERVER RELAY')

const lease = await obtainLease({
  mac,
  uuid,
  personality: 'ipxe-bios',
  server: { address: server, port: 67 },
  relayAddress,
  timeoutMs: 20_000,
})
let url = lease.bootFile
for (let step = 0; ; step += 1) {
  const answer = await exchange({ url, localAddress: lease.address })
  const action = readBootScript(answer.body.toString(), url, { uuid })
  if (action.kind === 'boot') {
    process.stdout.write(`${action.cmdline}\n`)
    break
  }
  if (action.kind !== 'chain' || step > 5) throw new Error(`parked: ${answer.body}`)
  url = action.url
}
