import dgram from 'node:dgram'
import { once } from 'node:events'
import http from 'node:http'
import t, { type Test } from 'tap'
import type { DiagnosisAnswer } from '../../../src/cli/print-diagnosis.ts'
import { encode } from '../../../src/dhcp/encode.ts'
import { addressesValue } from '../../../src/dhcp/options.ts'
import { OPTION } from '../../../src/dhcp/packet.ts'
import type { Ipv4 } from '../../../src/net/ipv4.ts'
import { dhcpMessage, type Personality } from '../../../src/sim/dhcp-lease.ts'
import { FirstBootClient, type NodeConfig, redeemConfig } from '../../../src/sim/first-boot-client.ts'
import { exchange } from '../../../src/sim/http-exchange.ts'
import { SimulatedServices } from '../../../src/sim/simulated-services.ts'
import { downloadByTftp } from '../../../src/sim/tftp-download.ts'
import { errorPacket, readRequestPacket } from '../../../src/tftp/packet.ts'
import { ip } from '../../support/builders.ts'
import { LoopbackServer, type TestMachine } from '../../support/loopback-server.ts'

// Machines that get stuck for real, each in its own way, all at once on one server; its limits are one second.

const LIMITS = [
  ...['offered', 'loader_sent', 'script_sent', 'kernel_sent', 'initrd_sent', 'config_redeemed'],
  ...[
    'chainfire_cluster_join',
    'flaredb_cluster_join',
    'iam_initial_setup',
    'cluster_health_check',
    'gate_wait',
  ],
]
const CLUSTERS = ['prod', 'slots', 'unfounded', 'headless', 'held', 'ill', 'failing', 'skewed', 'dead']

let server: LoopbackServer
const running: SimulatedServices[] = []
const open: (() => void)[] = []

t.before(async () => {
  server = await LoopbackServer.start({
    network: 83,
    clusters: CLUSTERS,
    loaders: ['undionly.kpxe'],
    yaml: `stall: { ${LIMITS.map((name) => `${name}_seconds: 1`).join(', ')} }`,
  })
})

t.teardown(async () => {
  for (const close of open) close()
  for (const services of running) await services.stop()
  await server.stop()
})

t.test('each of them is told its cause, with the evidence', { jobs: 32, timeout: 110_000 }, async (t) => {
  t.jobs = 32
  stuck(
    t,
    'no-boot-packet',
    'unseen',
    /armed, and no DHCP message to boot came from 02:82:06/,
    async () => {},
  )
  stuck(
    t,
    'offer-unanswered',
    'stalled',
    /OFFER of 127\.83\.6\.\d+ sent 2 times .*no REQUEST came/,
    async (m) => {
      await say(m, 'bios-rom', 'discover')
      await say(m, 'bios-rom', 'discover')
    },
  )
  stuck(t, 'another-dhcp-server', 'stalled', /REQUEST names 192\.0\.2\.9, which offered too/, async (m) => {
    await say(m, 'bios-rom', 'discover')
    await say(m, 'bios-rom', 'request', [
      [OPTION.serverId, addressesValue([ip('192.0.2.9')])],
      [OPTION.requestedAddress, addressesValue([ip('192.0.2.77')])],
    ])
  })
  stuck(t, 'request-refused', 'stalled', /answered with a NAK 1 time: wrong-network/, async (m) => {
    await say(m, 'bios-rom', 'discover')
    await say(m, 'bios-rom', 'request', [[OPTION.requestedAddress, addressesValue([ip('192.0.2.77')])]])
  })
  stuck(t, 'loader-missing', 'stalled', /architecture 7 \(.*\): snponly\.efi is wanted/, async (m) => {
    await server.lease(m, 'uefi')
  })
  stuck(
    t,
    'tftp-not-asked',
    'stalled',
    /with the boot file undionly\.kpxe sent .* nobody asked/,
    async (m) => {
      await server.lease(m, 'bios-rom')
    },
  )
  stuck(t, 'tftp-stopped', 'stalled', /undionly\.kpxe broke off after 1024 of 70000 bytes/, async (m) => {
    await server.lease(m, 'bios-rom')
    await abortTftp(m, 2)
  })
  stuck(
    t,
    'loader-not-started',
    'stalled',
    /undionly\.kpxe was sent whole .* not asked for an address/,
    loadOnce,
  )
  stuck(t, 'loader-loop', 'stalled', /sent whole 2 times, and no script/, async (m) => {
    await loadOnce(m)
    await loadOnce(m)
  })
  stuck(t, 'script-not-asked', 'stalled', /iPXE got 127\.83\.6\.\d+ and the URL http/, async (m) => {
    await server.lease(m, 'ipxe-bios')
  })
  stuck(
    t,
    'image-again',
    'stalled',
    /asked for the script 2 times; kernel and initrd have 9 MiB/,
    async (m) => {
      const lease = await server.lease(m, 'ipxe-bios')
      await server.script(m, lease)
      await server.script(m, lease)
    },
  )
  stuck(
    t,
    'too-little-memory',
    'stalled',
    /firmware tells of 12 MiB of RAM; the initrd has 8 MiB/,
    async (m) => {
      const lease = await server.lease(m, 'ipxe-bios')
      await server.script(m, lease, { 'smbios/19.4.8': '00000000ff2f0000' })
    },
  )
  stuck(t, 'image-stopped', 'stalled', /the initrd broke off after \d+ of 8388608 bytes/, async (m) => {
    const action = await server.script(m, await server.lease(m, 'ipxe-bios'))
    if (action.kind !== 'boot') throw new Error(JSON.stringify(action))
    await exchange({ url: action.kernelUrl, localAddress: m.address })
    await breakOff(action.initrdUrl, m.address)
  })
  stuck(t, 'system-silent', 'stalled', /sent whole .* the system has not asked for an address/, async (m) => {
    await server.bootKernel(m)
  })
  stuck(t, 'config-not-asked', 'stalled', /the system took the address 127\.83\.6\.\d+/, async (m) => {
    await server.bootKernel(m)
    await server.lease(m, 'os')
  })
  stuck(
    t,
    'config-refused',
    'stalled',
    /from 127\.83\.6\.250, refused: wrong-address; its lease is/,
    async (m) => {
      const cmdline = await server.bootKernel(m)
      await t.rejects(redeemConfig(cmdline, ip('127.83.6.250')))
    },
  )
  stuck(
    t,
    'first-boot-not-started',
    'stalled',
    /config-redeemed is \d+ s ago, and chainfire-cluster-join has not begun/,
    async (m) => {
      await redeemConfig(await server.bootKernel(m), m.address)
    },
    { cluster: 'dead' },
  )
  stuck(
    t,
    'service-unhealthy',
    'stalled',
    /chainfire on 127\.83\.6\.\d+ is not healthy.*raft is "none", want leader or follower/,
    async (m) => {
      const { client } = await inFirstBoot(m)
      await serve(m)
      await client.report('chainfire-cluster-join', 'started')
    },
    { cluster: 'ill' },
  )
  stuck(
    t,
    'step-failed',
    'failed',
    /chainfire-cluster-join says: https:\/\/192\.0\.2\.1:2379\/x answered 500 10 times/,
    async (m) => {
      const { client } = await inFirstBoot(m)
      await client.report('chainfire-cluster-join', 'started')
      await client.report('chainfire-cluster-join', 'failed', {
        reason: 'https://192.0.2.1:2379/x answered 500 10 times',
      })
    },
    { cluster: 'failing' },
  )

  t.test('parked: a machine that is not armed', async (t) => {
    const machine = await server.addMachine('parked-not-armed', { isArmed: false })
    const action = await server.script(machine, await server.lease(machine, 'ipxe-bios'))
    t.equal(action.kind, 'wait')
    const diagnosis = await until('parked-not-armed', ({ standing }) => standing === 'parked')
    t.match(diagnosis.findings[0], { code: 'parked', cure: 'pilotlight machine arm parked-not-armed' })
  })

  t.test('parked: an image that was taken away, and a hold', async (t) => {
    const machine = await server.addMachine('parked-held')
    await server.api('POST', '/machines/parked-held/hold')
    await server.script(machine, await server.lease(machine, 'ipxe-bios'))
    const diagnosis = await until('parked-held', ({ standing }) => standing === 'parked')
    t.match(diagnosis.findings[0], { code: 'parked', cure: 'pilotlight machine release parked-held' })
  })

  t.test('clock-skew, wherever the machine stands', async (t) => {
    const machine = await server.addMachine('skewed', { cluster: 'skewed' })
    const { config } = await inFirstBoot(machine)
    const { boot_id, report_url, report_token } = config.provisioning
    const late = { 'pilotlight-clock': String(Date.now() - 90_000), authorization: `Bearer ${report_token}` }
    const report = { step: 'chainfire-cluster-join', state: 'started', sequence: 1 }
    await exchange({
      method: 'POST',
      url: report_url,
      localAddress: machine.address,
      headers: late,
      body: { boot_id, reports: [report] },
    })
    const { findings, clock_skew_ms } = await diagnosis('skewed')
    const found = findings.find(({ code }) => code === 'clock-skew')
    t.match(found?.evidence, /its clock is 9\d s behind this server \(5 s are allowed\)/)
    t.ok(Math.abs((clock_skew_ms ?? 0) + 90_000) < 9000)
  })

  t.test('not-founded: the founder is named, with where it is', async (t) => {
    const founder = await server.addMachine('founder-slow', { cluster: 'unfounded' })
    const waiting = await server.addMachine('waits-for-founder', { cluster: 'unfounded' })
    const first = await inFirstBoot(founder)
    await first.client.report('chainfire-cluster-join', 'started')
    const second = await inFirstBoot(waiting)
    await second.client.report('chainfire-cluster-join', 'started')
    t.equal(await askGate(second.config, waiting), 'not-founded')
    const found = await foundAt('waits-for-founder', 'not-founded')
    t.match(
      found.evidence,
      /founder-slow founds it and is at chainfire-cluster-join \(started\), heard \d+ s ago/,
    )
    t.match(found.cure, 'pilotlight explain founder-slow')
    t.match(found.impact, [/the whole cluster fails/], 'the seed’s impact of the service concerned')
    t.ok(found.mitigation.length > 0)
  })

  t.test('operator-decides: a hold at a gate', async (t) => {
    const founder = await server.addMachine('held-founder', { cluster: 'held' })
    const { config, client } = await inFirstBoot(founder)
    await client.report('chainfire-cluster-join', 'started')
    await server.api('POST', '/machines/held-founder/hold')
    t.equal(await askGate(config, founder), 'held')
    t.match(await foundAt('held-founder', 'operator-decides'), {
      cure: 'pilotlight machine release held-founder',
    })
  })

  t.test('slot-held, then no-leader: who holds it, and which node answers what', async (t) => {
    const names = ['node-a', 'node-b', 'node-c']
    const nodes: TestMachine[] = []
    for (const name of names) nodes.push(await server.addMachine(name, { cluster: 'slots' }))
    const [a, b, c] = nodes as [TestMachine, TestMachine, TestMachine]
    const services = await serve(a)
    const first = await inFirstBoot(a)
    await first.client.report('chainfire-cluster-join', 'started')
    const pass = await first.client.passGate('chainfire-cluster-join')
    services.chainfire.found(pass.member_id ?? '', pass.member_id ?? '')
    await first.client.report('chainfire-cluster-join', 'succeeded', {
      slot_no: pass.slot_no,
      epoch: pass.epoch,
    })
    const second = await inFirstBoot(b)
    await second.client.report('chainfire-cluster-join', 'started')
    t.match(await second.client.passGate('chainfire-cluster-join'), { action: 'join', slot_no: 2 })
    const third = await inFirstBoot(c)
    await third.client.report('chainfire-cluster-join', 'started')
    t.equal(await askGate(third.config, c), 'waiting-for-slot')
    const held = await foundAt('node-c', 'slot-held')
    t.match(held.evidence, /node-b holds slot 2 \(held, join\), heard \d+ s ago/)

    await services.stop()
    running.splice(running.indexOf(services), 1)
    let reason = ''
    for (let asks = 0; asks < 300 && reason !== 'no-leader'; asks += 1) {
      reason = await askGate(third.config, c)
      if (reason !== 'no-leader') await pause(100)
    }
    const headless = await foundAt('node-c', 'no-leader')
    t.match(
      headless.evidence,
      /chainfire has a quorum of 0 of 2 and no leader: node-a is not healthy \(.*nothing listens there/,
    )
  })

  t.test('node-silent: a node that began and says nothing any more', async (t) => {
    const machine = await server.addMachine('silent', { cluster: 'headless' })
    const { client } = await inFirstBoot(machine)
    await client.report('chainfire-cluster-join', 'started')
    t.match((await foundAt('silent', 'node-silent')).evidence, /last heard \d+ s ago/)
  })
})

t.test('a stall is told once a stage, with its likeliest cause', { timeout: 60_000 }, async (t) => {
  type Event = { type: string; data: Record<string, unknown> }
  let told: Event[] = []
  for (let looks = 0; looks < 200; looks += 1) {
    const { items } = await server.api<{ items: Event[] }>('GET', '/events?limit=500')
    told = items.filter(({ type }) => type === 'machine.stalled')
    if (told.some(({ data }) => data.name === 'offer-unanswered')) break
    await pause(100)
  }
  const own = told.filter(({ data }) => data.name === 'offer-unanswered')
  t.equal(own.length, 1)
  t.match(own[0]?.data, { stage: 'offered', cause: 'offer-unanswered', evidence: /no REQUEST came/ })
  const { machines } = await server.api<{ machines: DiagnosisAnswer[] }>('GET', '/clusters/slots/diagnosis')
  t.strictSame(
    machines.map(({ name }) => name),
    ['node-a', 'node-b', 'node-c'],
  )
})

/** One machine that is brought into its trouble, and is then told it. */
function stuck(
  t: Test,
  code: string,
  standing: string,
  evidence: RegExp,
  trouble: (machine: TestMachine) => Promise<void>,
  more: { cluster?: string } = {},
): void {
  t.test(code, async (t) => {
    const machine = await server.addMachine(code, more)
    await trouble(machine)
    const found = await until(
      code,
      (answer) =>
        answer.standing === standing &&
        answer.findings.some((one) => one.code === code && evidence.test(one.evidence)),
    )
    const finding = found.findings.find((one) => one.code === code)
    t.match(finding?.evidence, evidence, JSON.stringify(found))
    t.ok((finding?.cure.length ?? 0) > 10, 'with a cure')
  })
}

async function foundAt(name: string, code: string) {
  const answer = await until(name, ({ findings }) => findings.some((one) => one.code === code))
  const finding = answer.findings.find((one) => one.code === code)
  if (finding === undefined) throw new Error(`${name}: no ${code}`)
  return finding
}

async function until(name: string, isIt: (answer: DiagnosisAnswer) => boolean): Promise<DiagnosisAnswer> {
  let last: DiagnosisAnswer | undefined
  for (let looks = 0; looks < 400; looks += 1) {
    last = await diagnosis(name)
    if (isIt(last)) return last
    await pause(100)
  }
  throw new Error(`${name} stays ${JSON.stringify(last)}`)
}

function diagnosis(name: string): Promise<DiagnosisAnswer> {
  return server.api<DiagnosisAnswer>('GET', `/machines/${name}/diagnosis`)
}

async function inFirstBoot(machine: TestMachine): Promise<{ config: NodeConfig; client: FirstBootClient }> {
  const config = await redeemConfig(await server.bootKernel(machine), machine.address)
  return { config, client: new FirstBootClient(config, machine.address) }
}

async function serve(machine: TestMachine): Promise<SimulatedServices> {
  const services = new SimulatedServices(machine.address, server.identity)
  await services.start()
  running.push(services)
  return services
}

async function askGate({ provisioning }: NodeConfig, machine: TestMachine): Promise<string> {
  const answer = await exchange({
    url: `${provisioning.gate_url}/chainfire-cluster-join?data=`,
    localAddress: machine.address,
    headers: { authorization: `Bearer ${provisioning.report_token}` },
  })
  return JSON.parse(answer.body.toString()).reason
}

/** One DHCP message, and whatever is answered to it within its time. */
async function say(
  machine: TestMachine,
  personality: Personality,
  type: 'discover' | 'request',
  options: readonly [number, Uint8Array][] = [],
): Promise<void> {
  const socket = dgram.createSocket('udp4')
  const relayAddress = `${server.net}.2` as Ipv4
  socket.bind(0, relayAddress)
  await once(socket, 'listening')
  const wish = {
    mac: machine.mac,
    uuid: '83838383-0000-4000-8000-000000000001',
    personality,
    server: { address: server.address, port: server.ports.dhcp },
    relayAddress,
    timeoutMs: 1000,
  }
  const before = await exchangesOf(machine)
  socket.send(
    encode(dhcpMessage(wish, type, 0x1234, socket.address().port, options)),
    server.ports.dhcp,
    server.address,
  )
  // It is in when the boot attempt shows it: a fixed wait would be a guess.
  for (let looks = 0; looks < 200 && (await exchangesOf(machine)) === before; looks += 1) await pause(20)
  socket.close()
}

/** Counts of all exchanges of a machine's latest attempt. */
async function exchangesOf({ name }: TestMachine): Promise<number> {
  const { items } = await server.api<{ items: { boot_id: string }[] }>('GET', `/machines/${name}/boots`)
  if (items[0] === undefined) return 0
  const { exchanges } = await server.api<{ exchanges: { times: number }[] }>(
    'GET',
    `/boots/${items[0].boot_id}`,
  )
  return exchanges.reduce((sum, { times }) => sum + times, 0)
}

async function loadOnce(machine: TestMachine): Promise<void> {
  const lease = await server.lease(machine, 'bios-rom')
  const tftp = { server: lease.nextServer, port: server.ports.tftp, localAddress: machine.address }
  await downloadByTftp({ ...tftp, file: lease.bootFile, blockBytes: 1432 })
}

/** Reads so many blocks of the loader by TFTP, and then breaks it off with an ERROR. */
async function abortTftp(machine: TestMachine, blocks: number): Promise<void> {
  const socket = dgram.createSocket('udp4')
  socket.bind(0, machine.address)
  await once(socket, 'listening')
  socket.send(readRequestPacket('undionly.kpxe', new Map()), server.ports.tftp, server.address)
  for (let block = 1; ; block += 1) {
    const [, from] = (await once(socket, 'message')) as [Buffer, dgram.RemoteInfo]
    const isLast = block > blocks
    const packet = isLast ? errorPacket(0, 'no more') : Buffer.from([0, 4, 0, block])
    await new Promise((resolve) => socket.send(packet, from.port, from.address, resolve))
    if (isLast) break
  }
  socket.close()
}

/** Asks for a file, reads its beginning, and hangs up. */
function breakOff(url: string, localAddress: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { localAddress, agent: false }, (response) => {
      response.once('data', () => {
        response.pause()
        request.destroy()
        resolve()
      })
    })
    request.once('error', reject)
    open.push(() => request.destroy())
  })
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
