import http from 'node:http'
import path from 'node:path'
import t from 'tap'
import type { DiagnosisAnswer } from '../../../src/cli/print-diagnosis.ts'
import type { Ipv4 } from '../../../src/net/ipv4.ts'
import { fetchHashed } from '../../../src/sim/fetch-hashed.ts'
import { redeemConfig } from '../../../src/sim/first-boot-client.ts'
import { exchange } from '../../../src/sim/http-exchange.ts'
import { SimulatedMachine } from '../../../src/sim/simulated-machine.ts'
import { aKernel, anInitrd, aSquashfs, setFiles, writeFiles } from '../../support/image-files.ts'
import { LoopbackServer, type TestMachine } from '../../support/loopback-server.ts'

// Machines whose root is a squashfs of its own, and that do not come past their stage 1; the server's limits are one second.
// What stage 1 does there is what fetch-squashfs.sh does: test/e2e/separate-squashfs.test.ts runs it.

const ROOT_BYTES = 8_000_000
let server: LoopbackServer
let image = ''

t.before(async () => {
  server = await LoopbackServer.start({
    network: 84,
    clusters: ['prod', 'simulated'],
    yaml: 'stall: { kernel_sent_seconds: 1, initrd_sent_seconds: 1 }',
  })
  const files = { ...setFiles(aKernel(), anInitrd()), 'root.squashfs': aSquashfs(ROOT_BYTES) }
  const set = writeFiles(path.join(server.workDir, 'separate'), files)
  const wish = { path: set, name: 'separate', promote: true }
  image = (await server.api<{ id: string }>('POST', '/images', wish)).id
})
t.teardown(() => server.stop())

interface Stage1 {
  readonly machine: TestMachine
  readonly cmdline: string
  readonly url: string
}

/** A machine that has its initrd and runs it, with an address. */
async function stage1(name: string, assigned = image): Promise<Stage1> {
  const machine = await server.addMachine(name, { isArmed: false })
  await server.api('PATCH', `/machines/${name}`, { image: assigned })
  await server.api('POST', `/machines/${name}/arm`, {})
  const cmdline = await server.bootKernel(machine)
  await server.lease(machine, 'os')
  return { machine, cmdline, url: /pilotlight\.squashfs=(\S+)/.exec(cmdline)?.[1] ?? '' }
}

function tell({ machine }: Stage1, beacon: string) {
  const mac = machine.mac.replaceAll(':', '-')
  return exchange({ url: `${server.bootUrl}/beacon/${mac}/${beacon}`, localAddress: machine.address })
}

async function until(name: string, isIt: (answer: DiagnosisAnswer) => boolean): Promise<DiagnosisAnswer> {
  for (let looks = 0; ; looks += 1) {
    const answer = await server.api<DiagnosisAnswer>('GET', `/machines/${name}/diagnosis`)
    if (isIt(answer)) return answer
    if (looks === 300) throw new Error(`${name} stays ${JSON.stringify(answer)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** The causes of a machine that stands still, with the first one's evidence and cure. */
async function stalled(name: string) {
  const { findings } = await until(name, ({ standing }) => standing === 'stalled')
  return { codes: findings.map(({ code }) => code), ...findings[0] }
}

t.test('what stage 1 says of its root is told at once, and nothing else is blamed', async (t) => {
  const said = [
    ['wrong-sha256', /not the image’s file by its SHA-256, twice; 8000000 of 8000000/, /image verify/],
    ['refused', /refuses it \(404 or another 4xx\)/, /withdrawn/],
    ['unreachable', /it does not come/, /boot HTTP port/],
    ['no-memory', /too little free RAM/, /more RAM/],
    ['made-up', /it did not get it/, /console says why/],
  ] as const
  for (const [why, evidence, cure] of said) {
    const machine = await stage1(`says-${why}`)
    await tell(machine, `squashfs-failed?why=${why}&bytes=${ROOT_BYTES}`)
    const { standing, findings } = await until(`says-${why}`, (answer) => answer.findings.length > 0)
    t.match(standing, /^(moving|stalled)$/)
    t.match(findings, [{ code: 'root-not-loaded', likelihood: 'certain', evidence, cure }])
    t.equal(findings.length, 1, JSON.stringify(findings))
  }
})

t.test('a machine that boots what is promoted is judged by the image that it was given', async (t) => {
  const machine = await stage1('by-name', 'separate')
  await tell(machine, 'squashfs-failed?why=refused&bytes=0')
  const { findings } = await until('by-name', ({ standing }) => standing === 'stalled')
  t.match(findings, [{ code: 'root-not-loaded', evidence: /0 of 8000000 bytes/ }])
})

t.test('a transfer that broke off; one that is not read to its end; none', async (t) => {
  const broken = await stage1('breaks-off')
  await new Promise<void>((resolve) => {
    const request = http.get(
      broken.url,
      { localAddress: broken.machine.address, agent: false },
      (response) => {
        response.once('data', () => {
          request.destroy()
          resolve()
        })
      },
    )
  })
  t.match(await stalled('breaks-off'), {
    codes: ['root-not-loaded'],
    likelihood: 'certain',
    evidence: /root\.squashfs broke off after \d+ of 8000000 bytes/,
  })
  const slow = await stage1('reads-no-more')
  const request = http.get(slow.url, { localAddress: slow.machine.address, agent: false }, (response) =>
    response.pause(),
  )
  t.teardown(() => request.destroy())
  t.match(await stalled('reads-no-more'), {
    codes: ['root-not-loaded'],
    evidence: /root\.squashfs \(8000000 bytes\) was asked for \d+ s ago and is still being read/,
  })
  await stage1('asks-for-none')
  t.match(await stalled('asks-for-none'), {
    codes: ['root-not-loaded'],
    evidence: /took the address 127\.84\.6\.\d+ \d+ s ago, and root\.squashfs was not asked for here/,
    cure: /the initrd honours pilotlight\.squashfs=/,
  })
})

t.test('one that has its root is not told of it any more', async (t) => {
  const mended = await stage1('mended')
  await tell(mended, 'squashfs-failed?why=wrong-size&bytes=3')
  const { bytes, sha256 } = await fetchHashed(mended.url, { localAddress: mended.machine.address })
  t.equal(bytes, Number(/squashfs_bytes=(\d+)/.exec(mended.cmdline)?.[1]))
  t.equal(sha256, /squashfs_sha256=(\w+)/.exec(mended.cmdline)?.[1])
  await tell(mended, `squashfs-loaded?bytes=${ROOT_BYTES}`)
  t.match((await stalled('mended')).codes, ['config-not-asked'])
  const other = await stage1('stage-1-of-its-own')
  await fetchHashed(other.url, { localAddress: other.machine.address })
  t.match((await stalled('stage-1-of-its-own')).codes, ['config-not-asked'], 'sent whole is enough')
  await redeemConfig(other.cmdline, other.machine.address)
  const later = await until('stage-1-of-its-own', ({ stage }) => stage === 'config-redeemed')
  t.notMatch(JSON.stringify(later.findings), /root-not-loaded/)
})

t.test(
  'a simulated machine fetches its root as a real one does, and becomes ready',
  { timeout: 60_000 },
  async (t) => {
    const wish = { cluster: 'simulated', isArmed: false }
    const { name, mac, address } = await server.addMachine('simulated', wish)
    await server.api('PATCH', `/machines/${name}`, { image })
    await server.api('POST', `/machines/${name}/arm`, {})
    const simulated = new SimulatedMachine({
      mac,
      uuid: '84848484-0000-4000-8000-000000000001',
      serial: 'SIMULATED',
      firmware: 'bios',
      romIsIpxe: true,
      dhcp: { address: server.address, port: server.ports.dhcp },
      tftpPort: server.ports.tftp,
      relayAddress: `${server.net}.2` as Ipv4,
      identity: server.identity,
    })
    t.teardown(() => simulated.powerOff())
    await simulated.run()
    const { items } = await server.api<{ items: { boot_id: string }[] }>('GET', `/machines/${name}/boots`)
    type Boot = { exchanges: { key: string; facts: object }[] }
    const { exchanges } = await server.api<Boot>('GET', `/boots/${items[0]?.boot_id}`)
    t.match(
      exchanges.find(({ key }) => key === 'squashfs:root.squashfs'),
      { facts: { end: 'sent', confirmed_bytes: ROOT_BYTES } },
      `${address} has all of it`,
    )
  },
)
