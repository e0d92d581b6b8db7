import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { type Ipv4, parseIpv4 } from '../../net/ipv4.ts'
import { type Mac, parseMac } from '../../net/mac.ts'

/** Asks a link whether somebody has an address. */
export interface AddressProber {
  /** True when somebody other than `mac` answers at the address. Resolves within `PROBE_MS`; never rejects. */
  isTaken(address: Ipv4, mac: Mac): Promise<boolean>
}

/** A client's first DISCOVER waits so long; a host on the same link answers ARP within a few. */
export const PROBE_MS = 300
const LOOK_EVERY_MS = 20
/** Enough for a hall that is switched on; beyond it an answer in time is worth more than a probe. */
const MOST_AT_ONCE = 64
/** "Discard" (RFC 863): nobody listens, and an open one does nothing. */
const DISCARD_PORT = 9
const COMPLETE = 0x2

/**
 * Probes without privileges: a datagram to the address makes the kernel ask for it by ARP, and `/proc/net/arp` shows who
 * answered. An entry that stood there before proves nothing, since the kernel keeps it for minutes; such an address must
 * answer itself, by a refused port or to ping where that is installed.
 */
export class ArpProber implements AddressProber {
  readonly #localAddress: Ipv4
  readonly #running = new Map<Ipv4, Promise<boolean>>()

  /** @param localAddress our own on the link: the datagram leaves from it. */
  constructor(localAddress: Ipv4) {
    this.#localAddress = localAddress
  }

  isTaken(address: Ipv4, mac: Mac): Promise<boolean> {
    const running = this.#running.get(address)
    if (running !== undefined) return running
    if (this.#running.size >= MOST_AT_ONCE) return Promise.resolve(false)
    const probe = this.#probe(address, mac).finally(() => this.#running.delete(address))
    this.#running.set(address, probe)
    return probe
  }

  async #probe(address: Ipv4, mac: Mac): Promise<boolean> {
    const before = holderInArpTable(address)
    const ends: (() => void)[] = []
    const answered = new Promise<boolean>((resolve) => {
      ends.push(sendTo(address, this.#localAddress, () => resolve(true)))
      if (before !== undefined) ends.push(ping(address, () => resolve(true)))
      else ends.push(watchArpTable(address, () => resolve(true)))
      const timer = setTimeout(() => resolve(false), PROBE_MS)
      ends.push(() => clearTimeout(timer))
    })
    const isAnswered = await answered
    for (const end of ends) end()
    // The client itself may still have the address from before; then it is in nobody else's hands.
    return isAnswered && (holderInArpTable(address) ?? before) !== mac
  }
}

/** Sends a datagram; a refusal of its port proves that somebody is there. */
function sendTo(address: Ipv4, from: Ipv4, onAnswer: () => void): () => void {
  const socket = createSocket('udp4')
  let isOpen = true
  const close = () => {
    if (isOpen) socket.close()
    isOpen = false
  }
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNREFUSED') onAnswer()
  })
  socket.bind(0, from, () => {
    if (!isOpen) return
    socket.connect(DISCARD_PORT, address, () => {
      if (isOpen) socket.send(new Uint8Array(1), () => undefined)
    })
  })
  return close
}

function watchArpTable(address: Ipv4, onAnswer: () => void): () => void {
  const timer = setInterval(() => {
    if (holderInArpTable(address) !== undefined) onAnswer()
  }, LOOK_EVERY_MS)
  return () => clearInterval(timer)
}

function ping(address: Ipv4, onAnswer: () => void): () => void {
  const child = spawn('ping', ['-n', '-q', '-c', '1', '-W', '1', address], { stdio: 'ignore' })
  child.on('error', () => undefined)
  child.on('exit', (code) => {
    if (code === 0) onAnswer()
  })
  return () => void child.kill('SIGKILL')
}

/** Who has an address, as the kernel's table says; undefined: nobody answered, or there is no such table here. */
function holderInArpTable(address: Ipv4): Mac | undefined {
  try {
    return holderIn(readFileSync('/proc/net/arp', 'utf8'), address)
  } catch {
    return undefined
  }
}

/** Reads the table of `/proc/net/arp`: address, hardware type, flags, MAC, mask, device. */
export function holderIn(table: string, address: Ipv4): Mac | undefined {
  for (const line of table.split('\n')) {
    const [at, , flags, mac] = line.trim().split(/\s+/)
    if (parseIpv4(at ?? '') !== address || (Number(flags) & COMPLETE) === 0) continue
    const holder = parseMac(mac ?? '')
    if (holder !== undefined && holder !== '00:00:00:00:00:00') return holder
  }
  return undefined
}
