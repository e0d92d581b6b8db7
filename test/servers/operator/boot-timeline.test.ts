import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import type { BootAnswer } from '../../../src/cli/boot-answer.ts'
import type { ClusterDiagnosisAnswer } from '../../../src/cli/print-diagnosis.ts'
import { FirstBootClient, redeemConfig } from '../../../src/sim/first-boot-client.ts'
import { exchange } from '../../../src/sim/http-exchange.ts'
import { downloadByTftp } from '../../../src/sim/tftp-download.ts'
import { LoopbackServer, type TestMachine } from '../../support/loopback-server.ts'

// One machine that boots for real over loopback, as firmware, loader and node would, and what is told of it afterwards.

let server: LoopbackServer
let boot: BootAnswer
let node02Client: FirstBootClient
const machines: TestMachine[] = []

t.before(async () => {
  server = await LoopbackServer.start({ network: 82 })
  machines.push(await server.addMachine('node01'), await server.addMachine('node02'))
  const [node01, node02] = machines as [TestMachine, TestMachine]
  const firmware = await server.lease(node01, 'bios-rom')
  const tftp = { server: firmware.nextServer, port: server.ports.tftp, localAddress: node01.address }
  await downloadByTftp({ ...tftp, file: firmware.bootFile, blockBytes: 1432 })
  await downloadByTftp({ ...tftp, file: 'pxelinux.cfg/default' }).catch(() => undefined)
  const cmdline = await server.bootKernel(node01)
  await server.lease(node01, 'os')
  await redeemConfig(cmdline, node01.address)
  const waiting = await redeemConfig(await server.bootKernel(node02), node02.address)
  const client = new FirstBootClient(waiting, node02.address)
  node02Client = client
  await client.report('chainfire-cluster-join', 'started')
  const { gate_url, report_token } = waiting.provisioning
  const headers = { authorization: `Bearer ${report_token}` }
  const shut = await exchange({
    url: `${gate_url}/chainfire-cluster-join`,
    localAddress: node02.address,
    headers,
  })
  t.equal(shut.status, 503)
  boot = await bootOf('node01')
})

t.teardown(() => server.stop())

t.test('every exchange of the boot is there, from the first DISCOVER on', (t) => {
  const seen = Object.fromEntries((boot.exchanges ?? []).map((row) => [`${row.kind} ${row.key}`, row]))
  for (const key of [
    'discover:firmware',
    'request:firmware',
    'discover:ipxe',
    'request:ipxe',
    'request:system',
  ])
    t.match(seen[`dhcp ${key}`]?.facts.xid, /^[0-9a-f]{8}$/, key)
  t.match(seen['dhcp request:firmware']?.facts, { answer: 'ack', boot: 'loader', file: 'undionly.kpxe' })
  t.match(seen['tftp loader:undionly.kpxe'], { bytes: 70_000, facts: { end: 'sent', file_bytes: 70_000 } })
  t.match(seen['tftp not-found']?.facts, { name: 'pxelinux.cfg/default' })
  t.match(seen['script armed']?.facts, { address: machines[0]?.address, image: server.imageId })
  t.match(seen['http initrd:initrd'], { bytes: 8 * 1024 * 1024, facts: { end: 'sent' } })
  t.match(seen['redeem given'], { times: 1 })
  const order = (boot.exchanges ?? []).map((row) => row.first_after_ms)
  t.strictSame(
    order,
    [...order].sort((a, b) => a - b),
    'in order',
  )
  t.end()
})

t.test('stages carry bytes, retries and how long each took', (t) => {
  t.strictSame(
    boot.stages.map((row) => row.stage),
    ['offered', 'loader-sent', 'script-sent', 'kernel-sent', 'initrd-sent', 'config-redeemed'],
  )
  const sum = boot.stages.reduce((total, row) => total + row.took_ms, 0)
  t.equal(sum, boot.stages.at(-1)?.after_ms, 'what each took adds up to the whole way')
  t.equal(boot.stages[4]?.bytes, 8 * 1024 * 1024)
  t.end()
})

t.test('a step that waits says for what, and since when', async (t) => {
  const waiting = await bootOf('node02')
  const [step] = waiting.steps
  t.match(step, { step: 'chainfire-cluster-join', state: 'started' })
  t.match(step?.waits[0], { reason: 'not-founded', detail: /not founded yet/ })
})

t.test('the command draws it, and gives it as JSON', async (t) => {
  const drawn = await pilotlight('machine', 'boots', 'node01')
  t.equal(drawn.code, 0, drawn.output)
  t.match(drawn.output, /boot [0-9a-f-]{36}, begun .*: current at config-redeemed/)
  t.match(drawn.output, /^initrd-sent +█+ .*8\.4 MB/m)
  t.match(drawn.output, /dhcp discover:firmware +1 +xid=[0-9a-f]{8} answer=offer/)
  const json = await pilotlight('machine', 'boots', 'node01', '--json')
  t.equal(JSON.parse(json.output)[0].exchanges.length, boot.exchanges?.length)
})

t.test('drift: another image, another setting, other bytes on the node', async (t) => {
  const drift = async () =>
    (await server.api<ClusterDiagnosisAnswer>('GET', '/clusters/prod/diagnosis')).drift.map(
      ({ name, what }) => `${name} ${what}`,
    )
  t.strictSame(await drift(), [], 'none at first')
  const directory = path.join(server.workDir, 'image')
  const script = '#!ipxe\nkernel bzImage init=/init initrd=initrd loglevel=7\ninitrd initrd\nboot\n'
  await writeFile(path.join(directory, 'netboot.ipxe'), script)
  const image = await server.api<{ id: string }>('POST', '/images', { path: directory, name: 'newer' })
  await server.api('PATCH', '/machines/node01', { image: image.id })
  t.strictSame(await drift(), ['node01 image'])
  await server.api('PATCH', '/machines/node02', { role: 'worker' })
  t.strictSame(await drift(), ['node01 image', 'node02 config'])
  await node02Client.report('chainfire-cluster-join', 'progress', {
    facts: { config_sha256: '0'.repeat(64) },
  })
  t.strictSame(await drift(), ['node01 image', 'node02 config', 'node02 config-on-node'])
  const shown = await pilotlight('cluster', 'show', 'prod')
  t.match(shown.output, new RegExp(`node01 +image +${server.imageId} +${image.id}`))
  t.match(shown.output, /node02 +-?0 s off/, 'the clock of every node')
})

async function bootOf(name: string): Promise<BootAnswer> {
  const { items } = await server.api<{ items: BootAnswer[] }>('GET', `/machines/${name}/boots`)
  return server.api<BootAnswer>('GET', `/boots/${items[0]?.boot_id}`)
}

async function pilotlight(...args: string[]): Promise<{ code: number; output: string }> {
  const start = new URL('../../../src/start.js', import.meta.url).pathname
  const env = { ...process.env, PILOTLIGHT_URL: server.apiUrl, PILOTLIGHT_TOKEN: server.token }
  const child = spawn(process.execPath, [start, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const out: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  const [code] = await once(child, 'close')
  return { code, output: Buffer.concat(out).toString() }
}
