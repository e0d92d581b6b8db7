import type { FastifyInstance } from 'fastify'
import type { OperatorContext } from './operator-context.ts'

/** `GET /api/v1/dhcp`: the links that are served, how, and which other DHCP servers were heard on them. */
export function addDhcpRoute(server: FastifyInstance, { store, linkStates }: OperatorContext): void {
  server.get('/api/v1/dhcp', async () => ({
    links: linkStates().map((link) => ({
      interface: link.interface,
      address: link.address,
      sockets: link.sockets,
      receive_buffer_bytes: link.receiveBufferBytes,
    })),
    foreign_servers: store
      .peek((view) => view.recent.foreignServers())
      .map((one) => ({
        server_id: one.serverId,
        source_address: one.sourceAddress,
        seen_at: new Date(one.seenAtMs).toISOString(),
        mac: one.mac,
        message: one.message,
        offered: one.offered,
        has_boot_data: one.hasBootData,
      })),
  }))
}
