import type { Ipv4 } from '../../src/net/ipv4.ts'
import type { Mac } from '../../src/net/mac.ts'
import { ArpProber } from '../../src/servers/dhcp/arp-prober.ts'

/** One probe, as a program of its own so that it can run in a network namespace: says `taken` or `free`, and how long. */
const [own, address, mac] = process.argv.slice(2) as [Ipv4, Ipv4, Mac]
const startedMs = performance.now()
const isTaken = await new ArpProber(own).isTaken(address, mac)
console.log(`${isTaken ? 'taken' : 'free'} ${Math.round(performance.now() - startedMs)}`)
