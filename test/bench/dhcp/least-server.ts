import { createSocket } from 'node:dgram'
import { fdatasyncSync, openSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'

/**
 * The least that a Node program on SQLite can do for an exchange, as a bound for what a server can: it parses nothing,
 * decides nothing, counts addresses up, keeps a row a lease in a table without an index, and syncs once for all
 * REQUESTs of a turn before it acknowledges them.
 *
 * `least-server.ts SERVER_ADDRESS RELAY_ADDRESS FIRST_ADDRESS_NUMBER DATA_DIR`
 */
const [address = '', relay = '', first = '', dataDir = ''] = process.argv.slice(2)
const FIXED_BYTES = 240
const REPLY_BYTES = 300
const TYPE_AT = 242
const DISCOVER = 1

const file = path.join(dataDir, 'least.db')
const db = new Database(file)
db.pragma('journal_mode = WAL')
db.pragma('wal_autocheckpoint = 0')
// The sync is ours, as it is in Pilotlight's store.
db.pragma('synchronous = NORMAL')
db.exec(
  'CREATE TABLE lease (mac INTEGER PRIMARY KEY, address INTEGER NOT NULL, expires_at_ms INTEGER NOT NULL) STRICT',
)
const put = db.prepare('INSERT OR REPLACE INTO lease VALUES (?, ?, ?)')
const log = openSync(`${file}-wal`, 'r')

interface Request {
  readonly mac: number
  readonly leased: number
  readonly reply: Buffer
}

const addresses = new Map<number, number>()
let waiting: Request[] = []

const socket = createSocket({ type: 'udp4', lookup: (host, _options, found) => found(null, host, 4) })
socket.on('message', (bytes) => {
  const mac = bytes.readUIntBE(28, 6)
  const leased = addresses.get(mac) ?? Number(first) + addresses.size
  addresses.set(mac, leased)
  const reply = replyTo(bytes, leased)
  if (bytes[TYPE_AT] === DISCOVER) return send(reply)
  if (waiting.length === 0) setImmediate(acknowledge)
  waiting.push({ mac, leased, reply })
})
socket.bind(67, address, () => {
  socket.setRecvBufferSize(4 * 1024 * 1024)
  console.log('listening')
})
process.once('SIGTERM', () => process.exit())

function acknowledge(): void {
  const requests = waiting
  waiting = []
  const expiresAtMs = Date.now() + 3_600_000
  db.exec('BEGIN IMMEDIATE')
  for (const { mac, leased } of requests) put.run(mac, leased, expiresAtMs)
  db.exec('COMMIT')
  fdatasyncSync(log)
  for (const { reply } of requests) send(reply)
}

/** Header and client from the message; message type, server and lease time. */
function replyTo(message: Buffer, leased: number): Buffer {
  const reply = Buffer.alloc(REPLY_BYTES)
  message.copy(reply, 0, 0, FIXED_BYTES)
  reply[0] = 2
  reply.writeUInt32BE(leased, 16)
  const type = message[TYPE_AT] === DISCOVER ? 2 : 5
  reply.set([53, 1, type, 54, 4, ...address.split('.').map(Number), 51, 4, 0, 0, 14, 16, 255], FIXED_BYTES)
  return reply
}

function send(reply: Buffer): void {
  socket.send(reply, 67, relay)
}
