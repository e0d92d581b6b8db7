import t from 'tap'
import { BlockCache } from '../../../src/servers/tftp/block-cache.ts'
import type { Peer } from '../../../src/servers/tftp/session.ts'
import { sessionOn } from '../../../src/servers/tftp/transfer-host.ts'
import { ackPacket, parsePacket } from '../../../src/tftp/packet.ts'
import { ManualClock } from '../../fuzz/manual-clock.ts'
import { ip } from '../../support/builders.ts'

const CLIENT: Peer = { address: ip('10.77.0.9'), port: 2000 }

t.test('a block that is lost after a long silence is sent again as soon as the first one was', async (t) => {
  const clock = new ManualClock()
  const startMs = clock.nowMs()
  const sent: { block: number; atMs: number }[] = []
  const wire = {
    send: (bytes: Uint8Array) => {
      const packet = parsePacket(bytes)
      if (packet?.kind === 'data') sent.push({ block: packet.block, atMs: clock.nowMs() - startMs })
    },
    close: () => undefined,
  }
  const terms = { blockBytes: 512, window: 1, timeoutMs: 1000, accepted: new Map() }
  const order = { to: CLIENT, fileBytes: new Uint8Array(2000), terms }
  const { session } = sessionOn(order, wire, new BlockCache(0), clock)
  session.start()
  clock.pass(7000)
  t.strictSame(
    sent.map(({ atMs }) => atMs),
    [0, 1000, 3000, 7000],
  )
  clock.pass(10)
  session.receive(ackPacket(1), CLIENT)
  clock.pass(1000)
  t.strictSame(sent.slice(4), [
    { block: 2, atMs: 7010 },
    { block: 2, atMs: 8010 },
  ])
})
