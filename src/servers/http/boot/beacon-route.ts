import type { FastifyInstance } from 'fastify'
import { printable } from '../../../net/bytes.ts'
import type { BootContext } from './boot-context.ts'
import { addressOf, macOf } from './requests.ts'

/**
 * `GET /beacon/{mac}/{stage}`: how a boot script says where it is, by GET because stock iPXE cannot POST. Anybody can
 * send one, so it is a line in the log and changes nothing.
 */
export function addBeaconRoute(server: FastifyInstance, { log }: BootContext): void {
  server.get<{ Params: { mac: string; stage: string } }>('/beacon/:mac/:stage', async (request, reply) => {
    const mac = macOf(request.params.mac)
    if (mac === undefined) return reply.code(404).type('text/plain').send('no such machine\n')
    log.info(
      { mac, address: addressOf(request), stage: printable(request.params.stage) },
      'boot script beacon',
    )
    return reply.header('cache-control', 'no-store').type('text/plain').send('#!ipxe\n')
  })
}
