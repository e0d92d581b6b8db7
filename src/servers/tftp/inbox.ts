/** Where a datagram comes from. */
export interface Sender {
  readonly address: string
  readonly port: number
}

/** Whom a datagram is for. */
export interface Receiver {
  receive(bytes: Uint8Array, from: Sender): void
}

/** So many are held at most: each may be as large as a datagram can be. */
const MOST_HELD = 256

/**
 * Holds the datagrams of one turn of the event loop until every socket has been read, and hands them over then, in
 * their order. Answered one by one, a quick client's next ACK is there before its socket is read empty: it gets up to
 * 32 blocks while the others wait, and each packet wakes a client that has nothing else to do.
 */
export class Inbox {
  #held: { readonly receiver: Receiver; readonly bytes: Uint8Array; readonly from: Sender }[] = []

  put(receiver: Receiver, bytes: Uint8Array, from: Sender): void {
    const held = this.#held.push({ receiver, bytes, from })
    if (held === 1) setImmediate(this.#handOver)
    else if (held === MOST_HELD) this.#handOver()
  }

  readonly #handOver = (): void => {
    const held = this.#held
    this.#held = []
    for (const { receiver, bytes, from } of held) receiver.receive(bytes, from)
  }
}
