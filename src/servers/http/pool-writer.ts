import { writev } from 'node:fs'
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** What is given to the event loop when the kernel's buffer is full: as little as wakes us when there is room again. */
const WAIT_BYTES = 16 * 1024

type Done = (error?: Error | null) => void

/** How many writes of a socket are under way in other threads, and what waits for their end. */
interface Guard {
  inFlight: boolean
  whenIdle: (() => void) | undefined
}

const guards = new WeakMap<Socket, Guard>()

/**
 * Writes a response's body from the threads of libuv's pool, so that copying it into the kernel takes other cores than
 * the main thread's. The socket is not closed while such a write is under way: its descriptor would be somebody
 * else's by then.
 */
export class PoolWriter {
  readonly #socket: Socket
  readonly #fd: number
  readonly #guard: Guard

  private constructor(socket: Socket, fd: number) {
    this.#socket = socket
    this.#fd = fd
    this.#guard = guardOf(socket)
  }

  /**
   * A writer for what follows in the body. To be asked for when all that was written before has gone to the kernel.
   *
   * @returns undefined where the connection has no plain descriptor, as with TLS: then the response itself writes.
   */
  static of(response: ServerResponse): PoolWriter | undefined {
    const { socket } = response
    // Undocumented, and absent rather than wrong where it does not apply.
    const fd = (socket as { _handle?: { fd?: unknown } } | null)?._handle?.fd
    if (socket === null || socket.destroyed || 'encrypted' in socket) return undefined
    if (typeof fd !== 'number' || fd < 0 || socket.writableLength > 0) return undefined
    return new PoolWriter(socket, fd)
  }

  /** True while another thread reads what was given to `write`: until then it must stay as it is. */
  get isWriting(): boolean {
    return this.#guard.inFlight
  }

  /** Writes all of it in order; `done` is called when the kernel has it, or with why it cannot. */
  write(slices: readonly Uint8Array[], done: Done): void {
    if (this.#socket.destroyed) return done(closed())
    this.#guard.inFlight = true
    writev(this.#fd, slices, (error, written) => {
      this.#guard.inFlight = false
      const { whenIdle } = this.#guard
      if (whenIdle !== undefined) {
        this.#guard.whenIdle = undefined
        whenIdle()
        // A reader may hang up as soon as it has all of it, before this thread hears that the kernel took it.
        return done(error === null && after(slices, written).length === 0 ? undefined : closed())
      }
      if (error !== null && error.code !== 'EAGAIN') return done(error)
      const rest = after(slices, error === null ? written : 0)
      const [first] = rest
      if (first === undefined) return done()
      // Full: the event loop waits for room better than we could.
      const piece = first.subarray(0, WAIT_BYTES)
      this.#socket.write(piece, (failure) => {
        if (failure) return done(failure)
        const left = after(rest, piece.length)
        if (left.length === 0) done()
        else this.write(left, done)
      })
    })
  }
}

/** What remains of the slices after so many bytes. */
function after(slices: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let skip = bytes
  const rest: Uint8Array[] = []
  for (const slice of slices) {
    if (skip < slice.length) rest.push(slice.subarray(skip))
    skip = Math.max(skip - slice.length, 0)
  }
  return rest
}

function closed(): Error {
  return new Error('the connection was closed')
}

function guardOf(socket: Socket): Guard {
  const known = guards.get(socket)
  if (known !== undefined) return known
  const guard: Guard = { inFlight: false, whenIdle: undefined }
  const destroy = socket._destroy
  socket._destroy = (error, callback) => {
    if (!guard.inFlight) return destroy.call(socket, error, callback)
    guard.whenIdle = () => destroy.call(socket, error, callback)
  }
  guards.set(socket, guard)
  return guard
}
