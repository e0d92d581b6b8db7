import { createSocket } from 'node:dgram'

/**
 * A DHCP client for load, as a process of its own: many clients behind one relay address, every message sent to the
 * server and answered to the relay. Prints one JSON line at its end.
 *
 * `closed`: so many exchanges are under way at any time; `burst`: all clients ask in the same instant.
 */
export interface LoadWish {
  readonly mode: 'closed' | 'burst'
  readonly relay: string
  readonly server: string
  /** DISCOVER to ACK, in all. */
  readonly exchanges: number
  /** Exchanges under way at once. */
  readonly outstanding: number
  /** Different MACs; the exchanges go round them. */
  readonly clients: number
  readonly firstClient: number
}

export interface LoadResult {
  readonly exchanges: number
  readonly seconds: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly resends: number
  readonly naks: number
  /** Addresses that two MACs were given; anything but zero is a broken server. */
  readonly twice: number
  /** Different addresses that were given. */
  readonly addresses: number
}

const RESEND_AFTER_MS = 1000
const LOOK_EVERY_MS = 50
const GIVE_UP_AFTER_SILENT_MS = 30_000
const MESSAGE_BYTES = 300

const wish = JSON.parse(process.argv[2] ?? '{}') as LoadWish
const socket = createSocket({ type: 'udp4', lookup: (host, _options, found) => found(null, host, 4) })

interface Exchange {
  readonly client: number
  readonly beganAtMs: number
  sentAtMs: number
  message: Buffer
}

const underWay = new Map<number, Exchange>()
const holders = new Map<number, number>()
const timesMs: number[] = []
let begun = 0
let resends = 0
let naks = 0
let twice = 0
let startedAtMs = 0
let heardAtMs = performance.now()

socket.on('message', (bytes) => {
  const exchange = underWay.get(bytes.readUInt32BE(4))
  if (exchange === undefined) return
  const type = messageTypeOf(bytes)
  const nowMs = performance.now()
  heardAtMs = nowMs
  if (type === 2) {
    if (exchange.message[242] !== 1) return
    exchange.message = requestFor(exchange.message, bytes)
    exchange.sentAtMs = nowMs
    send(exchange.message)
  } else if (type === 5) {
    done(bytes, exchange, nowMs)
  } else if (type === 6) {
    naks += 1
    underWay.delete(bytes.readUInt32BE(4))
    begun -= 1
    beginNext()
  }
})

socket.bind(67, wish.relay, () => {
  socket.setRecvBufferSize(4 * 1024 * 1024)
  startedAtMs = performance.now()
  const atOnce = wish.mode === 'burst' ? wish.exchanges : wish.outstanding
  for (let index = 0; index < atOnce; index += 1) beginNext()
  const timer = setInterval(() => {
    const nowMs = performance.now()
    if (nowMs - heardAtMs > GIVE_UP_AFTER_SILENT_MS) fail(`only ${timesMs.length} exchanges`)
    for (const exchange of underWay.values()) {
      if (nowMs - exchange.sentAtMs < RESEND_AFTER_MS) continue
      resends += 1
      exchange.sentAtMs = nowMs
      send(exchange.message)
    }
    if (timesMs.length >= wish.exchanges) clearInterval(timer)
  }, LOOK_EVERY_MS)
})

function beginNext(): void {
  if (begun >= wish.exchanges) return
  const xid = begun + 1
  const client = wish.firstClient + (begun % wish.clients)
  begun += 1
  const nowMs = performance.now()
  const message = discoverOf(xid, client)
  underWay.set(xid, { client, beganAtMs: nowMs, sentAtMs: nowMs, message })
  send(message)
}

function done(ack: Buffer, { client, beganAtMs }: Exchange, nowMs: number): void {
  underWay.delete(ack.readUInt32BE(4))
  const address = ack.readUInt32BE(16)
  const holder = holders.get(address)
  if (holder !== undefined && holder !== client) twice += 1
  holders.set(address, client)
  timesMs.push(nowMs - beganAtMs)
  if (timesMs.length < wish.exchanges) return beginNext()
  const sorted = Float64Array.from(timesMs).sort()
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0
  const result: LoadResult = {
    exchanges: timesMs.length,
    seconds: (nowMs - startedAtMs) / 1000,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    resends,
    naks,
    twice,
    addresses: holders.size,
  }
  console.log(JSON.stringify(result))
  socket.close()
}

/** A DISCOVER as an operating system sends it through a relay: client id, maximum size and a list of options wanted. */
function discoverOf(xid: number, client: number): Buffer {
  const bytes = Buffer.alloc(MESSAGE_BYTES)
  bytes.set([1, 1, 6, 1])
  bytes.writeUInt32BE(xid, 4)
  putAddress(bytes, 24, wish.relay)
  bytes.set([2, 0], 28)
  bytes.writeUInt32BE(client, 30)
  bytes.writeUInt32BE(0x63825363, 236)
  bytes.set([53, 1, 1, 57, 2, 0x05, 0xdc, 61, 7, 1], 240)
  bytes.copy(bytes, 250, 28, 34)
  bytes.set([55, 7, 1, 3, 6, 15, 28, 42, 51, 255], 256)
  return bytes
}

/** The REQUEST that takes an offer: the same message with type 3, the address offered and the server that offered it. */
function requestFor(discover: Buffer, offer: Buffer): Buffer {
  const bytes = Buffer.from(discover)
  bytes[242] = 3
  bytes.set([50, 4], 265)
  offer.copy(bytes, 267, 16, 20)
  bytes.set([54, 4], 271)
  const serverId = optionAt(offer, 54)
  offer.copy(bytes, 273, serverId, serverId + 4)
  bytes[277] = 255
  return bytes
}

function messageTypeOf(bytes: Buffer): number {
  return bytes[optionAt(bytes, 53)] ?? 0
}

/** Where an option's value begins. */
function optionAt(bytes: Buffer, code: number): number {
  for (let at = 240; at < bytes.length && bytes[at] !== 255; ) {
    if (bytes[at] === code) return at + 2
    at += bytes[at] === 0 ? 1 : 2 + (bytes[at + 1] ?? 0)
  }
  return bytes.length
}

function putAddress(bytes: Buffer, at: number, address: string): void {
  bytes.set(address.split('.').map(Number), at)
}

function send(message: Buffer): void {
  socket.send(message, 67, wish.server)
}

function fail(why: string): never {
  console.error(`gave up after ${GIVE_UP_AFTER_SILENT_MS / 1000} s without an answer: ${why}`)
  process.exit(1)
}
