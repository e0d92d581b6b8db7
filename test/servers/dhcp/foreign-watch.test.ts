import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import t from 'tap'
import { encode } from '../../../src/dhcp/encode.ts'
import { addressesValue } from '../../../src/dhcp/options.ts'
import { chaddrOf, type DhcpPacket, packetOf } from '../../../src/dhcp/packet.ts'
import type { ForeignServer } from '../../../src/model/foreign-server.ts'
import { textBytes } from '../../../src/net/bytes.ts'
import { ForeignWatch } from '../../../src/servers/dhcp/foreign-watch.ts'
import { ip, mac, S } from '../../support/dhcp-builders.ts'

const quiet = () => undefined

/** What the watch makes of an OFFER that it hears on loopback. */
async function heard(fields: Partial<DhcpPacket>, options: readonly [number, Uint8Array][]) {
  const sender = createSocket('udp4')
  sender.bind(0, '127.0.0.1')
  await once(sender, 'listening')
  // A port that was free a moment ago; the watch and its clients' port are on loopback both.
  const clientPort = sender.address().port
  sender.close()
  let tell: (server: ForeignServer) => void = quiet
  const seen = new Promise<ForeignServer>((resolve) => {
    tell = resolve
  })
  const watch = new ForeignWatch({
    ownAddresses: [S],
    probeMac: mac(9),
    send: quiet,
    isOurs: () => false,
    isKnown: () => true,
    onSeen: tell,
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    everySeconds: 3600,
    clientPort,
  })
  await watch.start()
  const server = createSocket('udp4')
  const packet = packetOf({
    op: 2,
    messageType: 'offer',
    xid: 1,
    chaddr: chaddrOf(mac(1)),
    yiaddr: ip('192.0.2.77'),
    options: new Map([[54, addressesValue([ip('192.0.2.9')])], ...options]),
    ...fields,
  })
  server.send(encode(packet), clientPort, '127.0.0.1')
  try {
    return await seen
  } finally {
    server.close()
    await watch.stop()
  }
}

const ROWS: readonly (readonly [string, Partial<DhcpPacket>, readonly [number, Uint8Array][], boolean])[] = [
  ['an address alone', {}, [], false],
  ['a boot file in its field', { file: 'pxelinux.0' }, [], true],
  ['a boot file as option 67', {}, [[67, textBytes('pxelinux.0')]], true],
  ['PXEClient: UEFI asks it on port 4011, and nobody else', {}, [[60, textBytes('PXEClient')]], true],
  ['a vendor class of another kind', {}, [[60, textBytes('MSFT 5.0')]], false],
]

for (const [name, fields, options, hasBootData] of ROWS) {
  t.test(`another server that offers ${name}`, async (t) => {
    t.match(await heard(fields, options), { serverId: '192.0.2.9', offered: '192.0.2.77', hasBootData })
  })
}
