import dgram from 'node:dgram'
import { once } from 'node:events'
import { ackPacket, errorPacket, parsePacket, readRequestPacket, TFTP_ERROR } from '../tftp/packet.ts'

export interface DownloadWish {
  readonly server: string
  readonly port: number
  readonly file: string
  readonly localAddress: string
  readonly blockBytes?: number
  readonly window?: number
  /** As EDK2 does: ask for the size, abort, ask again. */
  readonly probesFirst?: boolean
  readonly timeoutMs?: number
}

/** The server said no; `code` is the TFTP error code. */
export class TftpRefused extends Error {
  readonly code: number
  constructor(code: number, message: string) {
    super(`TFTP error ${code}: ${message}`)
    this.code = code
  }
}

const RETRY_MS = 1_000

/** Fetches a file by TFTP as firmware does: options, OACK, windows, retries. */
export async function downloadByTftp(wish: DownloadWish): Promise<Uint8Array> {
  if (wish.probesFirst === true) await runTransfer(wish, 'probe')
  return runTransfer(wish, 'read')
}

async function runTransfer(wish: DownloadWish, aim: 'probe' | 'read'): Promise<Uint8Array> {
  const { blockBytes = 1468, window = 1, timeoutMs = 30_000 } = wish
  const socket = dgram.createSocket('udp4')
  socket.bind(0, wish.localAddress)
  await once(socket, 'listening')
  const options = new Map([
    ['blksize', String(blockBytes)],
    ['tsize', '0'],
    ...(window > 1 ? [['windowsize', String(window)] as const] : []),
  ] as const)
  const request = readRequestPacket(wish.file, new Map<string, string>(options))
  try {
    return await receiveFile(socket, wish, request, aim, timeoutMs)
  } finally {
    socket.close()
  }
}

function receiveFile(
  socket: dgram.Socket,
  wish: DownloadWish,
  request: Uint8Array,
  aim: 'probe' | 'read',
  timeoutMs: number,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const parts: Uint8Array[] = []
    let peerPort: number | undefined
    let last: Uint8Array = request
    let blockBytes = 512
    let window = 1
    let sinceAck = 0
    let askedAgainAt = -1
    const send = (bytes: Uint8Array) => {
      last = bytes
      socket.send(bytes, peerPort ?? wish.port, wish.server)
    }
    const retry = setInterval(() => send(last), RETRY_MS)
    const giveUp = setTimeout(
      () => done(() => reject(new Error(`${wish.file}: no end within ${timeoutMs} ms`))),
      timeoutMs,
    )
    const done = (settle: () => void) => {
      clearInterval(retry)
      clearTimeout(giveUp)
      socket.off('message', onMessage)
      settle()
    }
    const onMessage = (bytes: Buffer, from: dgram.RemoteInfo) => {
      peerPort ??= from.port
      if (from.port !== peerPort) return
      const packet = parsePacket(bytes)
      if (packet?.kind === 'error') {
        const { code, message } = packet
        return done(() => reject(new TftpRefused(code, message)))
      }
      if (packet?.kind === 'oack') {
        blockBytes = Number(packet.options.get('blksize') ?? 512)
        window = Number(packet.options.get('windowsize') ?? 1)
        if (aim === 'probe') {
          send(errorPacket(TFTP_ERROR.optionRefused, 'User aborted the transfer'))
          return done(() => resolve(new Uint8Array()))
        }
        return send(ackPacket(0))
      }
      if (packet?.kind !== 'data') return
      if (packet.block !== ((parts.length + 1) & 0xffff)) {
        // RFC 7440 §4: what is missing is asked for at once, by the last block that came in order.
        if (window === 1 || askedAgainAt === parts.length) return
        askedAgainAt = parts.length
        sinceAck = 0
        return send(ackPacket(parts.length & 0xffff))
      }
      parts.push(Uint8Array.from(packet.bytes))
      sinceAck += 1
      const isLast = packet.bytes.length < blockBytes
      if (sinceAck >= window || isLast) {
        sinceAck = 0
        send(ackPacket(parts.length & 0xffff))
      }
      if (isLast) done(() => resolve(Buffer.concat(parts)))
    }
    socket.on('message', onMessage)
    send(request)
  })
}
