import { once } from 'node:events'
import net from 'node:net'
import { demand } from './fuzzing.ts'
import { type HttpResponse, ResponseReader } from './http-responses.ts'
import type { HttpFuzzWorld } from './http-world.ts'
import type { RawRequest } from './raw-request.ts'

/** An answer to a request that is HTTP comes within this time, also on a machine that does much else. */
const ANSWER_WITHIN_MS = 20_000
/** What is half a request is waited with for so long. */
const HALF_WITHIN_MS = 30
const MOST_ON_ONE = 40

/** One client at a time: sound requests one after the other on a connection that is kept, others each on their own. */
export class HttpLane {
  readonly #facts: HttpFuzzWorld
  readonly #kept = new Map<string, { readonly connection: Connection; used: number }>()

  constructor(facts: HttpFuzzWorld) {
    this.#facts = facts
  }

  /** Sends a request. @returns what came of it: at least one answer where it was sound. */
  async send(request: RawRequest): Promise<readonly HttpResponse[]> {
    if (!request.isSound) {
      const connection = await this.#connect(request)
      connection.write(request.bytes)
      const answers = await connection.answersWithin(request.method, HALF_WITHIN_MS)
      connection.destroy()
      return answers
    }
    const key = `${request.side} ${request.from}`
    let kept = this.#kept.get(key)
    if (kept === undefined || kept.used >= MOST_ON_ONE || kept.connection.isClosed) {
      kept?.connection.destroy()
      kept = { connection: await this.#connect(request), used: 0 }
      this.#kept.set(key, kept)
    }
    kept.used += 1
    kept.connection.write(request.bytes)
    const answer = await kept.connection.answer(request.method, ANSWER_WITHIN_MS)
    if (answer === undefined && kept.used > 1 && kept.connection.isClosed) {
      // The server may close what it kept at any time; a client that meets that asks again.
      this.#kept.delete(key)
      return this.send(request)
    }
    demand(answer !== undefined, `no answer (${kept.connection.isClosed ? 'closed' : 'and it waits'})`)
    demand(kept.connection.rest === 0, 'bytes behind the answer')
    return [answer]
  }

  close(): void {
    for (const { connection } of this.#kept.values()) connection.destroy()
    this.#kept.clear()
  }

  async #connect({ side, from }: RawRequest): Promise<Connection> {
    const { world, port } = this.#facts
    const socket = net.connect({ host: world.address, port: port[side], localAddress: world.addressOf(from) })
    await once(socket, 'connect')
    return new Connection(socket)
  }
}

class Connection {
  readonly #socket: net.Socket
  readonly #reader = new ResponseReader()
  isClosed = false
  #wake: () => void = () => undefined

  constructor(socket: net.Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk) => {
      this.#reader.push(chunk)
      this.#wake()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.isClosed = true
      this.#wake()
    })
  }

  get rest(): number {
    return this.#reader.rest.length
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes)
  }

  /** The next whole answer but 100; undefined: closed, or nothing whole within the time. */
  async answer(method: string, withinMs: number): Promise<HttpResponse | undefined> {
    const untilMs = performance.now() + withinMs
    for (;;) {
      const next = this.#reader.next(method, this.isClosed)
      if (next !== undefined && next.status !== 100) return next
      if (next !== undefined) continue
      const leftMs = untilMs - performance.now()
      if (this.isClosed || leftMs <= 0) return undefined
      await this.#somethingWithin(leftMs)
    }
  }

  /** All that come until it is closed or silent: pieces of one request may be several. */
  async answersWithin(method: string, silenceMs: number): Promise<readonly HttpResponse[]> {
    const answers: HttpResponse[] = []
    for (;;) {
      const one = await this.answer(method, silenceMs)
      if (one === undefined) return answers
      answers.push(one)
      if (this.isClosed && this.rest === 0) return answers
    }
  }

  destroy(): void {
    // Without a word, so that no port stays taken for a minute.
    this.#socket.resetAndDestroy()
  }

  #somethingWithin(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
