import type { FastifyInstance } from 'fastify'
import { printable } from '../../../net/bytes.ts'
import { decideScript, type ScriptRequest } from '../../../policy/boot/decide-script.ts'
import { renderChainStep, renderGenericStart } from '../../../policy/boot/script-text.ts'
import { traceScript } from '../../../policy/boot/trace-files.ts'
import { readScriptSnapshot } from '../../../store/snapshots/script.ts'
import type { BootContext } from './boot-context.ts'
import { bootUrlFor, imageBaseUrlFor } from './boot-settings.ts'
import { addressOf, macOf } from './requests.ts'
import { toldRamMib } from './smbios-ram.ts'

/** Values that boards ship with instead of an identity of their own. */
const JUNK_UUID =
  /^(?:0{8}-|f{8}-|03000200-0400-0500-0006-000700080009|00020003-0004-0005-0006-000700080009|12345678-1234-)/
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const JUNK_SERIAL =
  /^(?:|0+|default string|to be filled by o\.e\.m\.|system serial number|not specified|none|n\/a|123456789)$/i

/** What iPXE put into the query: unchecked text, or lists where a name stood twice. */
interface SmbiosQuery {
  readonly uuid?: unknown
  readonly serial?: unknown
  /** SMBIOS type 19, its first two instances. */
  readonly ram0?: unknown
  readonly ram1?: unknown
}

/** `GET /boot/{mac}.ipxe` and `GET /boot.ipxe`: what to boot. Only a request with SMBIOS values may mint a token. */
export function addScriptRoutes(server: FastifyInstance, context: BootContext): void {
  const { store, settings, delivery, log } = context

  server.get('/boot.ipxe', async (request, reply) => {
    const address = addressOf(request)
    return reply.type('text/plain').send(renderGenericStart(bootUrlFor(settings, address)))
  })

  server.get<{ Params: { file: string }; Querystring: SmbiosQuery }>(
    '/boot/:file',
    async (request, reply) => {
      const mac = macOf(request.params.file)
      const address = addressOf(request)
      if (mac === undefined || address === undefined || !request.params.file.endsWith('.ipxe')) {
        return reply.code(404).type('text/plain').send('no such script: want /boot/{mac}.ipxe\n')
      }
      if (request.query.uuid === undefined) return reply.type('text/plain').send(renderChainStep(mac))

      const wanted: ScriptRequest = {
        mac,
        address,
        isHead: request.method === 'HEAD',
        ...identityClaims(request.query),
      }
      const { streams } = delivery
      const imageQueuePlace = streams.placeOf(address, performance.now())
      const place = {
        ...(imageQueuePlace === undefined ? {} : { imageQueuePlace }),
        subnets: settings.subnets,
        dhcpMode: settings.dhcpMode,
        tokenBind: settings.tokenBind,
        bootUrl: bootUrlFor(settings, address),
        imageBaseUrl: imageBaseUrlFor(settings, address),
        imageLimits: settings.imageLimits,
      }
      const decision = await store.decide(
        (view) => readScriptSnapshot(view, place, wanted),
        (snapshot) => traceScript(snapshot, wanted, decideScript(snapshot, wanted)),
      )
      // It keeps its place by asking again, and until it has asked for its kernel.
      const isForImage = decision.reply.kind === 'script' && decision.reply.bootId !== undefined
      const waits = decision.reason === 'image-queue' || (isForImage && streams.waiting > 0)
      if (waits && !wanted.isHead) streams.join(address, performance.now())
      log.info(
        { mac, address, reason: decision.reason, serial: printable(String(request.query.serial ?? '')) },
        'boot script chosen',
      )
      if (decision.reply.kind === 'not-found') {
        return reply.code(404).type('text/plain').send(`boot from the local disk (${decision.reason})\n`)
      }
      return reply.header('cache-control', 'no-store').type('text/plain').send(decision.reply.text)
    },
  )
}

function identityClaims(query: SmbiosQuery): Pick<ScriptRequest, 'uuid' | 'serial' | 'ramMib'> {
  const uuid = typeof query.uuid === 'string' ? query.uuid.toLowerCase() : ''
  const serial = typeof query.serial === 'string' ? query.serial.trim() : ''
  const ramMib = toldRamMib([query.ram0, query.ram1])
  return {
    ...(ramMib === undefined ? {} : { ramMib }),
    ...(UUID.test(uuid) && !JUNK_UUID.test(uuid) ? { uuid } : {}),
    ...(/^[\x20-\x7e]{1,64}$/.test(serial) && !JUNK_SERIAL.test(serial) ? { serial } : {}),
  }
}
