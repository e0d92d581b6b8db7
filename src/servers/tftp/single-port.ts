import type { Socket } from 'node:dgram'
import { BlockCache } from './block-cache.ts'
import type { Session, TransferOrder } from './session.ts'
import type { TransferClock } from './transfer-clock.ts'
import { type RunningTransfer, runningTransfer, sessionOn, type TransferHost } from './transfer-host.ts'

/**
 * Runs transfers through the listener's own socket, for networks that let only port 69 through: containers with
 * published ports, and NAT. Who a packet belongs to is told by its sender alone.
 */
export class SinglePortTransfers implements TransferHost {
  readonly #socket: Pick<Socket, 'send'>
  readonly #clock: TransferClock | undefined
  readonly #blocks: BlockCache
  readonly #sessions = new Map<string, Session>()

  constructor(socket: Pick<Socket, 'send'>, cacheBytes: number, clock?: TransferClock) {
    this.#socket = socket
    this.#clock = clock
    this.#blocks = new BlockCache(cacheBytes)
  }

  begin(order: TransferOrder): RunningTransfer {
    const peer = `${order.to.address}:${order.to.port}`
    const wire = {
      send: (bytes: Uint8Array, to: TransferOrder['to']) => this.#socket.send(bytes, to.port, to.address),
      close: () => {
        if (this.#sessions.get(peer) === session) this.#sessions.delete(peer)
      },
    }
    const { session, ended } = sessionOn(order, wire, this.#blocks, this.#clock)
    this.#sessions.set(peer, session)
    session.start()
    return runningTransfer(session, ended)
  }

  /** Hands a packet to the transfer of its sender; false when there is none. */
  receive(bytes: Uint8Array, from: { readonly address: string; readonly port: number }): boolean {
    const session = this.#sessions.get(`${from.address}:${from.port}`)
    session?.receive(bytes, from)
    return session !== undefined
  }

  async close(): Promise<void> {}
}
