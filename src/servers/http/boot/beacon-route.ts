import type { FastifyInstance } from 'fastify'
import { printable } from '../../../net/bytes.ts'
import { decideBeacon } from '../../../policy/boot/decide-beacon.ts'
import { readBeaconSnapshot } from '../../../store/snapshots/beacon.ts'
import type { BootContext } from './boot-context.ts'
import { addressOf, macOf } from './requests.ts'

/**
 * `GET /beacon/{mac}/{stage}`: how a boot script, or stage 1, says where it is, by GET because stock iPXE cannot POST. Where another
 * server sends the image files, this is how the boot attempt knows of them. Anybody can send one: a trace, never more.
 */
export function addBeaconRoute(server: FastifyInstance, { store, log }: BootContext): void {
  server.get<{ Params: { mac: string; stage: string }; Querystring: { bytes?: unknown; why?: unknown } }>(
    '/beacon/:mac/:stage',
    async (request, reply) => {
      const mac = macOf(request.params.mac)
      const address = addressOf(request)
      if (mac === undefined || address === undefined)
        return reply.code(404).type('text/plain').send('no such machine\n')
      const { stage } = request.params
      const { bytes, why } = request.query
      const reason = typeof why === 'string' ? { why: printable(why) } : {}
      log.info({ mac, address, stage: printable(stage), ...reason }, 'boot script beacon')
      if (request.method === 'GET') {
        const beacon = {
          mac,
          stage,
          ...reason,
          bytes: typeof bytes === 'string' && /^\d{1,13}$/.test(bytes) ? Number(bytes) : 0,
        }
        store
          .decide(
            (view) => readBeaconSnapshot(view, address),
            (snapshot) => decideBeacon(snapshot, beacon),
          )
          .catch((error: unknown) => log.warn({ err: error }, 'beacon not recorded'))
      }
      return reply.header('cache-control', 'no-store').type('text/plain').send('#!ipxe\n')
    },
  )
}
