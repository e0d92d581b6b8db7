import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { exchange } from '../../src/sim/http-exchange.ts'
import { BootWorld } from '../support/boot-world.ts'
import { aLease, ip } from '../support/builders.ts'
import { Nginx } from '../support/nginx.ts'
import { runFetchSquashfs, SKIP_FETCH_SQUASHFS } from './support/run-fetch-squashfs.ts'

// Stage 1 of a machine whose root lies behind nginx (boot.image_base_url): the real script under busybox, with the command
// line of a real boot script, through a real nginx with the documented site.

const skip = SKIP_FETCH_SQUASHFS
const MINUTE = 60_000
const ROOT_BYTES = 24_000_000
/** Where busybox asks from on loopback: the machine's lease. */
const OWN = ip('127.0.0.1')

/** A machine that was armed and has its script, and nginx in front of the files. */
async function setUp(t: Test, more = '') {
  const world = new BootWorld()
  t.teardown(() => world.close())
  const { bytes } = await world.addImage({ bzImage: 1000, initrd: 2000, 'root.squashfs': ROOT_BYTES })
  await world.put({ kind: 'put-lease', lease: aLease({ mac: world.macOf(1), address: OWN }) })
  const nginx = await Nginx.start(t, world, world.addressOf(90), more)
  await world.serveBoot({ imageBaseUrl: `${nginx.base}/images` })
  const ask = (path: string, headers: Record<string, string> = {}) =>
    exchange({ url: `${world.bootUrl}${path}`, localAddress: OWN, headers })
  const script = (await ask(world.scriptPath(1))).body.toString()
  for (const [, beacon = ''] of script.matchAll(/imgfetch --name beacon \S+?(\/beacon\S+)/g))
    await ask(beacon)
  const cmdline = /^kernel \S+ (.*) \|\| goto failed$/m.exec(script)?.[1] ?? ''
  t.match(cmdline, `pilotlight.squashfs=${nginx.base}/images/abcdef0123456789/root.squashfs`)
  const told = async (stage: string) => {
    await world.events()
    const { bootId = '' } = world.store.lists.attempts.latestOf('m1') ?? {}
    return world.store.lists.traces.ofBoot(bootId).find(({ key }) => key === stage)
  }
  const redeem = async () => {
    const token = /pilotlight\.token=(\S+)/.exec(cmdline)?.[1]
    const headers = { authorization: `Bearer ${token}`, 'pilotlight-nonce': 'ab'.repeat(16) }
    return (await ask('/machines/02-00-00-00-00-01/cluster-config.json', headers)).status
  }
  const root = bytes.get('root.squashfs') ?? Buffer.alloc(0)
  return { world, nginx, cmdline, root, told, redeem }
}

/** Looks every 20 ms; the test's own time limit ends the wait. */
async function until(isIt: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isIt())) await new Promise((resolve) => setTimeout(resolve, 20))
}

t.test(
  'the root comes through nginx, whole, and the machine is given its configuration',
  { skip },
  async (t) => {
    const { world, cmdline, root, told, redeem } = await setUp(t)
    for (const turn of ['from this server', 'from the cache']) {
      const fetched = await runFetchSquashfs(t, { cmdline })
      t.equal(fetched.code, 0, fetched.output)
      t.ok(fetched.root?.equals(root), turn)
    }
    const sent = world.logged.filter(({ msg, file }) => msg === 'file sent' && file === 'root.squashfs')
    t.equal(sent.length, 1, 'fetched here once')
    t.match(await told('squashfs-loaded'), { times: 2, facts: { bytes: ROOT_BYTES } })
    t.equal(await redeem(), 200)
  },
)

t.test(
  'a slow nginx that is killed in between: resumed where it was; the token lives by what is told',
  { skip },
  async (t) => {
    const { world, nginx, cmdline, root, told, redeem } = await setUp(t, 'limit_rate 4m;')
    const running = runFetchSquashfs(t, { cmdline, env: { PILOTLIGHT_TELL_SECONDS: '1' } })
    const progress = () => told('squashfs-progress')
    for (const times of [1, 2, 3]) {
      await until(async () => ((await progress())?.times ?? 0) >= times)
      world.passTime(10 * MINUTE)
      if (times === 2) nginx.killWorkers()
    }
    const fetched = await running
    t.equal(fetched.code, 0, fetched.output)
    t.ok(fetched.root?.equals(root))
    t.match(
      fetched.output,
      /stopped after \d{7,8} of 24000000 bytes \(connection closed prematurely\); going on/,
    )
    const before = Number(/stopped after (\d+)/.exec(fetched.output)?.[1])
    t.ok(before > 1_000_000 && before < ROOT_BYTES)
    t.equal(nginx.answered().at(-1), `206 bytes=${before}-`, 'and these are not fetched again')
    t.match(await progress(), { facts: { file_bytes: ROOT_BYTES } })
    t.match(await told('squashfs-loaded'), { facts: { bytes: ROOT_BYTES } })
    t.equal(await redeem(), 200, 'half an hour after the script')
  },
)

t.test(
  'a wrong byte in nginx’s copy is refused, and said; without that copy it is right',
  { skip },
  async (t) => {
    const { nginx, cmdline, root, told } = await setUp(t)
    await runFetchSquashfs(t, { cmdline })
    const [copy = ''] = nginx.cachedFiles()
    const bytes = readFileSync(copy)
    t.ok(bytes.subarray(-ROOT_BYTES).equals(root), 'its head, and the file as it is')
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1000) ^ 1, bytes.length - 1000)
    writeFileSync(copy, bytes)

    const refused = await runFetchSquashfs(t, { cmdline })
    t.equal(refused.code, 1, refused.output)
    t.match(
      refused.output,
      /is not the image's: its SHA-256 is [0-9a-f]{64}, want [0-9a-f]{64}; fetching it once more/,
    )
    t.match(refused.output, /^pilotlight: no root filesystem: /m)
    t.equal(refused.root, undefined, 'nothing of it is left')
    t.match(await told('squashfs-failed'), {
      facts: { why: 'wrong-sha256', bytes: ROOT_BYTES },
    })

    rmSync(copy)
    const mended = await runFetchSquashfs(t, { cmdline })
    t.equal(mended.code, 0, mended.output)
    t.ok(mended.root?.equals(root))
  },
)

t.test('while this server has no room, nginx says so, and stage 1 waits and tells', { skip }, async (t) => {
  const { world, cmdline, root, told } = await setUp(t)
  const { streams } = world.delivery
  const taken = Array.from({ length: 256 }, (_, n) => streams.admit(`other ${n}`, performance.now()))
  const running = runFetchSquashfs(t, { cmdline, env: { PILOTLIGHT_PAUSE_SECONDS: '1' } })
  await until(async () => (await told('squashfs-waiting')) !== undefined)
  for (const one of taken) if (one.kind === 'admitted') one.leave()
  const fetched = await running
  t.equal(fetched.code, 0, fetched.output)
  t.match(fetched.output, /no room for another transfer yet/)
  t.ok(fetched.root?.equals(root))
})
