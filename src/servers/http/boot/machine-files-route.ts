import type { FastifyInstance } from 'fastify'
import { readFileArchive } from '../../../store/snapshots/machine-files.ts'
import { sendFile } from '../send-file.ts'
import type { BootContext } from './boot-context.ts'
import { addressOf, macOf } from './requests.ts'

/**
 * `GET /machines/{mac}/files/{sha256}.cpio.gz`: a machine's own files as a second initrd, by the hash that its script names.
 * When they were changed since, the old name is not there any more: the script is asked for again and names the new one.
 * Whoever knows the hash can read them, so they hold no secrets.
 */
export function addMachineFilesRoute(server: FastifyInstance, { store, delivery, log }: BootContext): void {
  server.get<{ Params: { mac: string; file: string } }>(
    '/machines/:mac/files/:file',
    async (request, reply) => {
      const mac = macOf(request.params.mac)
      const machine = mac === undefined ? undefined : store.lists.machines.byMac(mac)
      const archive = machine === undefined ? undefined : readFileArchive(store.lists, machine.id)
      if (archive === undefined || request.params.file !== `${archive.sha256}.cpio.gz`)
        return reply.code(404).type('text/plain').send('no such files\n')
      const { bytes, sha256 } = archive
      const file = { body: bytes, bytes: bytes.length, sha256, contentType: 'application/octet-stream' }
      const address = addressOf(request)
      return sendFile(delivery, request, reply, file, {
        onSent: ({ bytes: sentBytes, isWhole }) =>
          log.info({ mac, address, bytes: sentBytes, whole: isWhole }, 'machine files sent'),
      })
    },
  )
}
