import { DhcpServer } from '../../src/servers/dhcp/dhcp-server.ts'
import { DhcpWorld, ip } from './dhcp-builders.ts'

/** The server on sockets that its parent opened (fds 3 to 5), as systemd hands them over. Ends with its input. */
const world = new DhcpWorld()
const silent = () => {}
const server = new DhcpServer({
  address: ip('127.0.0.1'),
  answer: async (request) => world.handle(request),
  log: { debug: silent, info: silent, warn: silent, error: silent },
  port: 1,
  proxyPort: 1,
  clientPort: Number(process.argv[2]),
  inherited: { unicast: 3, broadcast: 4, pxe: 5 },
})
await server.start()
process.stdout.write(`${JSON.stringify(server.ports)}\n`)
process.stdin.resume().on('end', () => {
  void server.stop()
})
