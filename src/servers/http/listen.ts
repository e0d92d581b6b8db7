import { once } from 'node:events'
import { lstatSync, unlinkSync } from 'node:fs'
import net from 'node:net'
import type { FastifyInstance } from 'fastify'
import { PortError } from '../port-error.ts'

/** Where an HTTP server listens: an address, or a socket file. */
export type Listen =
  | { readonly host: string; readonly port: number; readonly backlog?: number }
  | { readonly path: string }

/**
 * Opens the port. A socket file that a killed server left behind is taken away first; one that somebody answers at is
 * not, and neither is any other file.
 *
 * @param key the key of the configuration that names the port.
 * @throws PortError; the server is closed by then.
 */
export async function listen(
  server: FastifyInstance,
  what: string,
  key: string,
  where: Listen,
): Promise<void> {
  try {
    if ('path' in where && (await isDeadSocket(where.path))) unlinkSync(where.path)
    await server.listen({ ...where })
  } catch (cause) {
    await server.close()
    throw new PortError(what, 'path' in where ? where.path : `${where.host}:${where.port}`, key, cause)
  }
}

async function isDeadSocket(file: string): Promise<boolean> {
  const found = lstatSync(file, { throwIfNoEntry: false })
  if (found === undefined) return false
  if (!found.isSocket()) throw Object.assign(new Error('no socket'), { code: 'ENOTSOCK' })
  const socket = net.connect(file)
  try {
    await once(socket, 'connect')
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED'
  } finally {
    socket.destroy()
  }
}
