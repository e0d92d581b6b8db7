import dgram from 'node:dgram'
import { once } from 'node:events'

/** How bad a line is; each chance stands for itself and counts for every packet, in both directions. */
export interface Badness {
  readonly lossPercent: number
  readonly duplicatePercent: number
  readonly delayPercent: number
  readonly reorderPercent: number
}

const DELAY_MS = 30

/**
 * A UDP relay in front of a TFTP server, on loopback: what a bad cable or a full switch does to packets, since this
 * kernel has no netem. Each client gets a port of the relay's own for each port of the server that answers it.
 */
export class BadLine {
  readonly #server: { readonly address: string; readonly port: number }
  readonly #address: string
  readonly #chances: Badness
  readonly #listener = dgram.createSocket('udp4')
  readonly #sockets: dgram.Socket[] = [this.#listener]
  readonly #links = new Map<string, Promise<dgram.Socket>>()
  #state: number
  #held: (() => void) | undefined
  #isClosed = false
  /** What was done to packets, to see that the line was bad at all. */
  readonly done = { passed: 0, lost: 0, duplicated: 0, delayed: 0, reordered: 0 }

  constructor(server: { address: string; port: number }, address: string, chances: Badness, seed: number) {
    this.#server = server
    this.#address = address
    this.#chances = chances
    this.#state = seed
  }

  async start(): Promise<number> {
    this.#listener.on('message', (bytes, from) => {
      void this.#linkOf(from.address, from.port).then((link) =>
        this.#pass(() => link.send(bytes, this.#server.port, this.#server.address)),
      )
    })
    this.#listener.bind(0, this.#address)
    await once(this.#listener, 'listening')
    return this.#listener.address().port
  }

  close(): void {
    this.#isClosed = true
    for (const socket of this.#sockets) socket.close()
  }

  /** The socket through which one client's packets reach the server. */
  #linkOf(address: string, port: number): Promise<dgram.Socket> {
    const key = `${address}:${port}`
    const known = this.#links.get(key)
    if (known !== undefined) return known
    const made = this.#socket()
    this.#links.set(key, made)
    const faces = new Map<number, Promise<dgram.Socket>>()
    void made.then((link) => {
      link.on('message', (bytes, from) => {
        let face = faces.get(from.port)
        if (face === undefined) {
          face = this.#socket()
          faces.set(from.port, face)
          void face.then((socket) =>
            socket.on('message', (answer) =>
              this.#pass(() => link.send(answer, from.port, this.#server.address)),
            ),
          )
        }
        void face.then((socket) => this.#pass(() => socket.send(bytes, port, address)))
      })
    })
    return made
  }

  async #socket(): Promise<dgram.Socket> {
    const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 1024 * 1024 })
    this.#sockets.push(socket)
    socket.on('error', () => undefined)
    socket.bind(0, this.#address)
    await once(socket, 'listening')
    return socket
  }

  #pass(send: () => void): void {
    const go = () => {
      if (!this.#isClosed) send()
    }
    const held = this.#held
    this.#held = undefined
    if (this.#happens(this.#chances.lossPercent)) this.done.lost += 1
    else if (this.#happens(this.#chances.delayPercent)) {
      this.done.delayed += 1
      setTimeout(go, DELAY_MS)
    } else if (held === undefined && this.#happens(this.#chances.reorderPercent)) {
      this.done.reordered += 1
      this.#held = go
      // Nothing may follow it for long: then it is only late.
      setTimeout(() => {
        if (this.#held !== go) return
        this.#held = undefined
        go()
      }, DELAY_MS)
    } else {
      this.done.passed += 1
      go()
      if (this.#happens(this.#chances.duplicatePercent)) {
        this.done.duplicated += 1
        go()
      }
    }
    held?.()
  }

  #happens(percent: number): boolean {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0
    return (this.#state / 2 ** 32) * 100 < percent
  }
}
