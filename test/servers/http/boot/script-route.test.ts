import t, { type Test } from 'tap'
import { formatCidr } from '../../../../src/net/ipv4.ts'
import { BootWorld } from '../../../support/boot-world.ts'
import { aLease, NOW } from '../../../support/builders.ts'

async function setUp(t: Test): Promise<BootWorld> {
  const world = new BootWorld()
  t.teardown(() => world.close())
  await world.addMachines(2)
  await world.serveBoot()
  return world
}

t.test('without SMBIOS values the script sends iPXE back with them, and mints nothing', async (t) => {
  const world = await setUp(t)
  const answer = await world.ask(1, '/boot/02-00-00-00-00-01.ipxe')
  t.equal(answer.status, 200)
  t.match(
    answer.body.toString(),
    /^#!ipxe\nchain --replace --autofree 02-00-00-00-00-01\.ipxe\?uuid=\$\{uuid\}/,
  )
  t.equal(answer.headers['content-length'], String(answer.body.length))
  t.notOk(answer.headers['transfer-encoding'])
  t.equal(world.store.lists.attempts.latestOf('m1'), undefined)
})

t.test('with them an armed machine gets its image and a token, from its own lease only', async (t) => {
  const world = await setUp(t)
  const { text, token } = await world.fetchScript(1)
  t.match(text, new RegExp(`kernel ${world.bootUrl}/images/i1/bzImage init=/nix/store/system/init`))
  t.match(token, /^[A-Za-z0-9_-]{43}$/)
  t.match(world.store.lists.machines.byId('m1'), {
    state: 'booting',
    uuid: 'a0000000-0000-4000-8000-000000000001',
  })

  const foreign = await world.ask(2, world.scriptPath(1))
  t.equal(foreign.status, 200)
  t.match(foreign.body.toString(), /waits: it asks from an address that is not its lease/)
  t.notMatch(foreign.body.toString(), /token/)
  t.ok((await world.events()).includes('boot.foreign-address'))
})

t.test(
  'a machine that may have its image keeps its place until it asks for it, armed by whoever',
  async (t) => {
    const world = await setUp(t)
    const { streams } = world.delivery
    // The founder that is not founded yet never boots by itself; the second machine does.
    await world.redeem(1, (await world.fetchScript(1)).token)
    streams.join('192.0.2.1', performance.now())
    const { token } = await world.fetchScript(2)
    t.equal(streams.waiting, 2, 'armed by an operator')
    await world.redeem(2, token)
    for (const address of ['192.0.2.1', world.addressOf(2)]) {
      const admission = streams.admit(address, performance.now())
      if (admission.kind === 'admitted') admission.leave()
    }
    streams.join('192.0.2.1', performance.now())
    t.match((await world.fetchScript(2)).text, /^kernel /m)
    t.ok((await world.events()).includes('machine.rearmed'))
    t.equal(streams.waiting, 2, 'armed again without a person')
  },
)

t.test('HEAD tells the length and mints no token', async (t) => {
  const world = await setUp(t)
  const head = await world.ask(1, world.scriptPath(1), { method: 'HEAD' })
  t.equal(head.status, 200)
  t.ok(Number(head.headers['content-length']) > 100)
  t.match(world.store.lists.machines.byId('m1'), { state: 'armed' })
  t.equal(world.store.lists.attempts.latestOf('m1'), undefined)
  const refused = await world.redeem(1, 'head-mints-none')
  t.equal(refused.status, 401)
})

t.test('an unknown MAC waits, and learns nothing', async (t) => {
  const world = await setUp(t)
  const answer = await world.ask(1, '/boot/02-00-00-00-00-99.ipxe?uuid=x')
  t.equal(answer.status, 200)
  t.match(answer.body.toString(), /nobody has accepted this machine/)
})

t.test('what is no script has no route', async (t) => {
  const world = await setUp(t)
  for (const path of [
    '/boot/nonsense.ipxe',
    '/boot/02-00-00-00-00-01',
    '/boot/',
    '/boot/a/b.ipxe',
    '/etc/passwd',
  ]) {
    const answer = await world.ask(1, path)
    t.equal(answer.status, 404, path)
    t.notOk(answer.headers['retry-after'], 'iPXE would ask again for ever')
  }
})

t.test("values that boards ship with are nobody's identity", async (t) => {
  const world = await setUp(t)
  const junk = 'uuid=03000200-0400-0500-0006-000700080009&serial=To%20be%20filled%20by%20O.E.M.'
  t.equal((await world.ask(1, `/boot/02-00-00-00-00-01.ipxe?${junk}`)).status, 200)
  const machine = world.store.lists.machines.byId('m1')
  t.equal(machine?.uuid, undefined)
  t.equal(machine?.serial, undefined)
})

t.test('what a machine says of itself never gets into a script', async (t) => {
  const world = await setUp(t)
  const evil = encodeURIComponent('x\nshell ${net0/mac}')
  const answer = await world.ask(
    1,
    `/boot/02-00-00-00-00-01.ipxe?uuid=${evil}&serial=${evil}&serial=b&product=${evil}`,
  )
  t.equal(answer.status, 200)
  t.notMatch(answer.body.toString(), /shell/)
})

t.test('a machine with its local disk as `not-found` gets 404 without a Retry-After', async (t) => {
  const world = await setUp(t)
  const machine = world.store.lists.machines.byId('m1')
  if (machine === undefined) throw new Error('no machine')
  await world.put({ kind: 'put-machine', machine: { ...machine, bootMode: 'local', localBoot: 'not-found' } })
  const answer = await world.ask(1, world.scriptPath(1))
  t.equal(answer.status, 404)
  t.notOk(answer.headers['retry-after'])
})

t.test(
  'while all image streams are taken the script tells the place in the line, and mints nothing',
  async (t) => {
    const world = await setUp(t)
    const { streams } = world.delivery
    const now = performance.now()
    const taken = Array.from({ length: 256 }, (_, n) => streams.admit(`other ${n}`, now))
    t.match(
      (await world.fetchScript(2)).text,
      /node02 .* waits: all image streams are taken; place 1 in the line/,
    )
    t.match((await world.fetchScript(1)).text, /place 2 in the line/)
    t.match((await world.fetchScript(2)).text, /place 1 in the line/, 'asking again keeps the place')
    t.match(world.store.lists.machines.byId('m2'), { state: 'armed' })
    if (taken[0]?.kind === 'admitted') taken[0].leave()
    t.match((await world.fetchScript(1)).text, /place 1 in the line/, 'the first in line comes first')
    t.ok((await world.fetchScript(2)).token)
    t.match(
      (await world.fetchScript(1)).text,
      /place 1 in the line/,
      'the place is held until the kernel is asked for',
    )
  },
)

t.test('where another server sends the image files, the script itself tells of them', async (t) => {
  const world = new BootWorld()
  t.teardown(() => world.close())
  await world.addMachines(2)
  await world.serveBoot({ imageBaseUrl: 'http://10.9.9.9/images' })
  const { text } = await world.fetchScript(1)
  t.match(text, 'kernel http://10.9.9.9/images/i1/bzImage ')
  const beacons = [
    ...text.matchAll(/imgfetch --name beacon http:\/\/[^/]+(\S+) \|\|\nimgfree beacon \|\|/g),
  ].map(([, url]) => url ?? '')
  t.strictSame(beacons, [
    '/beacon/02-00-00-00-00-01/kernel-sent?bytes=10',
    '/beacon/02-00-00-00-00-01/initrd-sent?bytes=20',
  ])
  const stage = async () => {
    await world.events()
    return world.store.lists.attempts.latestOf('m1')?.stage
  }
  for (const beacon of beacons) await world.ask(2, beacon)
  t.equal(await stage(), 'script-sent', 'from a foreign address it is a line in the log only')
  await world.ask(1, beacons[0] ?? '')
  t.equal(await stage(), 'kernel-sent')
  await world.ask(1, beacons[1] ?? '')
  t.equal(await stage(), 'initrd-sent')
  const { bootId = '' } = world.store.lists.attempts.latestOf('m1') ?? {}
  t.match(world.store.lists.attempts.stages(bootId), [
    {},
    {},
    { stage: 'kernel-sent', bytes: 10 },
    { stage: 'initrd-sent', bytes: 20 },
  ])
  const told = () => world.store.lists.traces.ofBoot(bootId).filter(({ key }) => key.startsWith('squashfs-'))
  const failed = '/beacon/02-00-00-00-00-01/squashfs-failed?bytes=7&why='
  await world.ask(2, `${failed}wrong-sha256`)
  await world.events()
  t.strictSame(told(), [], 'what stage 1 says counts from its own address alone')
  await world.ask(1, `${failed}wrong-sha256`)
  await world.ask(1, `${failed}words-of-its-own`)
  await world.events()
  t.match(told(), [{ key: 'squashfs-failed', times: 2, facts: { why: 'unknown', bytes: 7 } }])
  t.equal(await stage(), 'initrd-sent')
})

t.test(
  'a root that another server sends for longer than the token lives: what stage 1 tells keeps it good',
  async (t) => {
    const MINUTE = 60_000
    const world = new BootWorld()
    t.teardown(() => world.close())
    await world.addImage({ bzImage: 10, initrd: 20, 'root.squashfs': 4000 })
    await world.serveBoot({ imageBaseUrl: 'http://10.9.9.9/images' })
    for (const n of [1, 2]) {
      const subnet = formatCidr(world.subnet.cidr)
      const expiresAtMs = NOW + 1000 * MINUTE
      const lease = aLease({ subnet, mac: world.macOf(n), address: world.addressOf(n), expiresAtMs })
      await world.put({ kind: 'put-lease', lease })
    }
    const beacon = '/beacon/02-00-00-00-00-01'
    /** A boot of machine 1 that tells `beacons`, one every 10 min; its token, 9 min after the last of them. */
    const boot = async (beacons: readonly string[], from = 1) => {
      // Long enough after the boot before to be another one.
      world.passTime(2 * MINUTE)
      await world.put({ kind: 'arm-machine', machineId: 'm1', untilMs: NOW + 1000 * MINUTE })
      const { token } = await world.fetchScript(1)
      await world.ask(1, `${beacon}/initrd-sent?bytes=20`)
      for (const one of beacons) {
        await world.events()
        world.passTime(10 * MINUTE)
        await world.ask(from, `${beacon}/${one}`)
      }
      await world.events()
      world.passTime(9 * MINUTE)
      return token
    }
    const silent = await boot([])
    world.passTime(7 * MINUTE)
    t.equal((await world.redeem(1, silent)).status, 401, 'nothing told: the token is good for 15 min')

    for (const [what, beacons, from] of [
      ['the same number again', ['squashfs-progress?bytes=9', 'squashfs-progress?bytes=9'], 1],
      ['another machine’s word', ['squashfs-progress?bytes=10', 'squashfs-progress?bytes=11'], 2],
      ['a stage nobody knows', ['squashfs-dreams?bytes=12', 'squashfs-dreams?bytes=13'], 1],
    ] as const)
      t.equal((await world.redeem(1, await boot(beacons, from))).status, 401, what)

    const most = Array.from({ length: 13 }, (_, n) => `squashfs-progress?bytes=${n + 100}`)
    t.equal((await world.redeem(1, await boot(most))).status, 401, 'and after 2 h no word helps')
    const refused = (await world.events()).filter((event) => event.startsWith('token.refused'))
    t.strictSame(refused, Array(5).fill('token.refused expired-token'))

    const token = await boot([
      'squashfs-progress?bytes=1000',
      'squashfs-waiting?bytes=1000',
      'squashfs-progress?bytes=3000',
    ])
    const { bootId = '' } = world.store.lists.attempts.latestOf('m1') ?? {}
    const told = world.store.lists.traces.ofBoot(bootId).filter(({ key }) => key.startsWith('squashfs-'))
    t.match(told, [
      { key: 'squashfs-progress', times: 2, facts: { bytes: 3000, file_bytes: 4000 } },
      { key: 'squashfs-waiting', times: 1, facts: { bytes: 1000, file_bytes: 4000 } },
    ])
    t.equal((await world.redeem(1, token)).status, 200, 'told of: good after 39 min')
  },
)

t.test('the start for sticks and foreign DHCP servers names the address that machines reach', async (t) => {
  const world = await setUp(t)
  const answer = await world.ask(1, '/boot.ipxe', { headers: { host: 'evil.example' } })
  t.match(answer.body.toString(), `${world.bootUrl}/boot/`)
  t.notMatch(answer.body.toString(), /evil/)
})
