import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { fromHex } from '../../src/net/bytes.ts'
import { runCli } from '../support/run-cli.ts'

const MAC = '02:00:00:00:00:01'
/** Nobody listens there: what is refused is refused before a server is asked. */
const NOWHERE = { PILOTLIGHT_URL: 'http://127.0.0.1:1', PILOTLIGHT_TOKEN: 'none' }
const simulate = (...args: readonly string[]) => runCli(['simulate', ...args], NOWHERE)

t.test('a message that no client sends is a usage error, with those that it may be', async (t) => {
  t.match(await simulate('--mac', MAC, '--message', 'offer'), {
    code: 2,
    stderr: /discover, request, inform/,
  })
})

t.test('what describes an imagined client is refused beside a packet, not left out', async (t) => {
  const fields = [
    ['--arch', '7'],
    ['--message', 'request'],
    ['--option', '12=61'],
    ['--relay', '192.0.2.2'],
    ['--address', '192.0.2.9'],
  ]
  for (const [flag = '', value = ''] of fields) {
    t.match(await simulate('--hex', '00', flag, value), { code: 2, stderr: new RegExp(`${flag} .*--mac`) })
  }
  t.match(await simulate('--pcap', 'any.pcap', '--relay', '192.0.2.2'), {
    code: 2,
    stderr: /--relay .*--mac/,
  })
})

t.test('a capture without a client’s packet is told of, as dhcp replay does', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'pilotlight-simulate-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'empty.pcap')
  writeFileSync(file, fromHex('d4c3b2a1020004000000000000000000ffff000001000000')!)
  t.match(await simulate('--pcap', file), { code: 0, stderr: /holds no packet to port 67 or 4011/ })
})
