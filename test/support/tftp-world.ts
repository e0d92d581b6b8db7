import { createHash, randomBytes } from 'node:crypto'
import dgram from 'node:dgram'
import { once } from 'node:events'
import pino from 'pino'
import type { Test } from 'tap'
import type { EndedTransfer } from '../../src/servers/tftp/request-desk.ts'
import type { TftpFile } from '../../src/servers/tftp/tftp-file.ts'
import type { TftpLimits } from '../../src/servers/tftp/tftp-limits.ts'
import { TftpServer, type TftpServerOptions } from '../../src/servers/tftp/tftp-server.ts'
import { parsePacket, readRequestPacket, type TftpPacket } from '../../src/tftp/packet.ts'
import { ip } from './builders.ts'

/** A loopback network of this process's own, so that tests that run side by side never meet. */
const NET = `127.${200 + ((process.pid >> 8) % 50)}.${process.pid & 0xff}`

export const TFTP_SERVER = ip(`${NET}.1`)

export function clientAddress(n: number) {
  return ip(`${NET}.${10 + n}`)
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

export interface TftpWorld {
  readonly server: TftpServer
  readonly port: number
  readonly files: Map<string, Buffer>
  readonly ended: EndedTransfer[]
  readonly asked: string[]
  /** Waits until `count` transfers have ended; the test's own time limit ends the wait. */
  untilEnded(count: number): Promise<void>
}

/** A TFTP server with random files of the given sizes, on a port of its own. */
export async function serveTftp(
  t: Test,
  sizes: Readonly<Record<string, number>>,
  limits: Partial<TftpLimits> = {},
  options: Partial<TftpServerOptions> = {},
): Promise<TftpWorld> {
  const files = new Map(Object.entries(sizes).map(([name, size]) => [name, randomBytes(size)]))
  const served = new Map<string, TftpFile>([...files].map(([name, bytes]) => [name, { name, bytes }]))
  const ended: EndedTransfer[] = []
  const asked: string[] = []
  const server = new TftpServer({
    address: TFTP_SERVER,
    port: 0,
    log: pino({ level: 'silent' }),
    find: (name) => {
      asked.push(name)
      return served.get(name)
    },
    admits: () => 'yes',
    onEnd: (transfer) => ended.push(transfer),
    limits: { workers: 0, ...limits },
    ...options,
  })
  await server.start()
  t.teardown(() => server.stop(0))
  const untilEnded = async (count: number) => {
    while (ended.length < count) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return { server, port: server.port, files, ended, asked, untilEnded }
}

/** A TFTP client packet by packet. */
export class RawClient {
  readonly socket: dgram.Socket
  /** Where the last packet came from: the transfer's own port. */
  peerPort = 0
  readonly #received: { readonly bytes: Buffer; readonly port: number }[] = []
  #wake: () => void = () => undefined

  private constructor(socket: dgram.Socket) {
    this.socket = socket
    socket.on('message', (bytes, from) => {
      this.#received.push({ bytes, port: from.port })
      this.#wake()
    })
  }

  static async open(t: Test, address: string = clientAddress(1), port = 0): Promise<RawClient> {
    const socket = dgram.createSocket('udp4')
    socket.bind(port, address)
    await once(socket, 'listening')
    t.teardown(() => new Promise((resolve) => socket.close(() => resolve(undefined))))
    return new RawClient(socket)
  }

  send(bytes: Uint8Array, port: number): void {
    this.socket.send(bytes, port, TFTP_SERVER)
  }

  request(port: number, file: string, options: Readonly<Record<string, string>> = {}, mode = 'octet'): void {
    this.send(readRequestPacket(file, new Map(Object.entries(options)), mode), port)
  }

  /** The next packet; the test's own time limit ends the wait. */
  async next(): Promise<TftpPacket> {
    while (this.#received.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    const { bytes, port } = this.#received.shift() as { bytes: Buffer; port: number }
    this.peerPort = port
    const packet = parsePacket(bytes)
    if (packet === undefined) throw new Error(`no TFTP: ${bytes.toString('hex')}`)
    return packet
  }

  /** What came within `ms` and was not taken yet. */
  async within(ms: number): Promise<readonly TftpPacket[]> {
    await new Promise((resolve) => setTimeout(resolve, ms))
    return this.#received.splice(0).flatMap(({ bytes }) => parsePacket(bytes) ?? [])
  }
}
