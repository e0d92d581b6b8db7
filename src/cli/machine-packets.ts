import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { fromHex } from '../net/bytes.ts'
import { writeCaptureFile } from '../net/capture-file.ts'
import type { Ipv4 } from '../net/ipv4.ts'
import { ipv4PacketOf } from '../net/udp-datagram.ts'
import { call } from './api-client.ts'
import { writeNamed } from './named-file.ts'
import { printTable } from './table.ts'

interface PacketAnswer {
  readonly at: string
  readonly direction: string
  readonly from: string
  readonly to: string
  readonly message: string | null
  readonly bytes: number
  readonly hex: string
}

/** `pilotlight machine packets NAME`: its last DHCP packets, to be read here or by Wireshark. */
export function addPacketsCommand(machine: Command): void {
  machine
    .command('packets <machine>')
    .description('its last DHCP packets, or those of a MAC that nobody registered')
    .option('--pcap <file>', 'write them as a capture for Wireshark or tcpdump')
    .option('--json', 'print JSON')
    .action(async (ref: string, { pcap, json }: { pcap?: string; json?: boolean }) => {
      const { items } = await call<{ items: PacketAnswer[] }>(
        'GET',
        `/machines/${encodeURIComponent(ref)}/packets`,
      )
      if (pcap !== undefined) {
        writeNamed(pcap, () => writeFileSync(pcap, writeCaptureFile(items.map(frameOf))))
        if (json !== true) console.log(`wrote ${items.length} packets to ${pcap}`)
      }
      if (json === true) console.log(JSON.stringify(items, null, 2))
      else if (pcap === undefined) {
        printTable(
          ['AT', 'MESSAGE', 'FROM', 'TO', 'BYTES'],
          items.map((one) => [one.at, one.message ?? '-', one.from, one.to, String(one.bytes)]),
        )
      }
    })
}

function frameOf({ at, from, to, hex }: PacketAnswer) {
  const [source = '', sourcePort] = from.split(':')
  const [destination = '', destinationPort] = to.split(':')
  const bytes = ipv4PacketOf({
    source: source as Ipv4,
    sourcePort: Number(sourcePort),
    destination: destination as Ipv4,
    destinationPort: Number(destinationPort),
    payload: fromHex(hex) ?? new Uint8Array(0),
  })
  return { atMs: Date.parse(at), bytes }
}
