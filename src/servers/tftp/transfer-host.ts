import dgram from 'node:dgram'
import type { Ipv4 } from '../../net/ipv4.ts'
import { BlockCache } from './block-cache.ts'
import { Inbox } from './inbox.ts'
import { Session, type TransferOrder, type TransferResult, type Wire } from './session.ts'
import type { TransferClock } from './transfer-clock.ts'

/** A transfer that runs somewhere. */
export interface RunningTransfer {
  readonly ended: Promise<TransferResult>
  /** The same request came again. */
  askAgain(): void
  /** Ends it without a word. */
  drop(message: string): void
  /** Ends it and tells the client. */
  abort(message: string): void
}

/** Where transfers run: in this thread, or in others. */
export interface TransferHost {
  begin(order: TransferOrder): RunningTransfer
  close(): Promise<void>
}

/** Runs transfers in this thread, each with a socket of its own on the address that was asked. */
export class LocalTransfers implements TransferHost {
  readonly #localAddress: Ipv4
  readonly #blocks: BlockCache
  readonly #inbox = new Inbox()

  constructor(localAddress: Ipv4, cacheBytes: number) {
    this.#localAddress = localAddress
    this.#blocks = new BlockCache(cacheBytes)
  }

  begin(order: TransferOrder): RunningTransfer {
    const socket = dgram.createSocket({ type: 'udp4', lookup: asAddress })
    const wire: Wire = {
      send: (bytes, to) => socket.send(bytes, to.port, to.address),
      close: () => socket.close(),
    }
    const { session, ended } = sessionOn(order, wire, this.#blocks)
    socket.on('error', (error) => session.fail(error.message))
    socket.on('message', (bytes, from) => this.#inbox.put(session, bytes, from))
    socket.bind(0, this.#localAddress, () => session.start())
    return runningTransfer(session, ended)
  }

  async close(): Promise<void> {}
}

/** A session on a wire, and the promise of its end. */
export function sessionOn(order: TransferOrder, wire: Wire, blocks: BlockCache, clock?: TransferClock) {
  let resolve: (result: TransferResult) => void = () => undefined
  const ended = new Promise<TransferResult>((done) => {
    resolve = done
  })
  return { session: new Session(order, wire, blocks, (result) => resolve(result), clock), ended }
}

export function runningTransfer(session: Session, ended: Promise<TransferResult>): RunningTransfer {
  return {
    ended,
    askAgain: () => session.askAgain(),
    drop: (message) => session.drop(message),
    abort: (message) => session.abort(message),
  }
}

/** Clients are addresses, never names: nothing is looked up, and nothing waits for a resolver. */
export function asAddress(
  address: string,
  _options: unknown,
  callback: (error: null, address: string, family: number) => void,
): void {
  callback(null, address, 4)
}
