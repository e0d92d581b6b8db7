import { execFile, execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { BootWorld } from '../../support/boot-world.ts'

const run = promisify(execFile)
const SIZE = 9_000_001

async function setUp(t: Test) {
  const world = new BootWorld()
  t.teardown(() => world.close())
  const { bytes } = await world.addImage({ bzImage: 1000, initrd: SIZE })
  world.addLoaders({ 'snponly.efi': 173_792 })
  await world.serveBoot()
  const url = `${world.bootUrl}/images/abcdef0123456789/initrd`
  const out = path.join(world.directory, 'out')
  return { world, bytes: bytes.get('initrd') ?? Buffer.alloc(0), url, out, directory: world.directory }
}

function lacks(program: string): string | false {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' })
    return false
  } catch {
    if (process.env.CI === 'true') return false
    return `the program ${program} is not installed`
  }
}

t.test(
  'curl: whole, in pieces, several at once, and on from where it stopped',
  { skip: lacks('curl') },
  async (t) => {
    const { bytes, url, out, directory } = await setUp(t)
    await run('curl', ['-sSf', '--compressed', '-o', out, url])
    t.ok(readFileSync(out).equals(bytes))
    for (const range of ['0-99', '262000-263000', '-1', '8999999-']) {
      await run('curl', ['-sSf', '-r', range, '-o', out, url])
      const [first = '', last = ''] = range.split('-')
      const wanted =
        first === ''
          ? bytes.subarray(-Number(last))
          : bytes.subarray(Number(first), last === '' ? SIZE : Number(last) + 1)
      t.ok(readFileSync(out).equals(wanted), range)
    }
    writeFileSync(out, bytes.subarray(0, 4_000_000))
    await run('curl', ['-sSf', '-C', '-', '-o', out, url])
    t.ok(readFileSync(out).equals(bytes), 'resumed')
    const { stdout } = await run('curl', ['-sSf', '-r', '0-1,5-6', url], { encoding: 'buffer' })
    t.match(stdout.toString('latin1'), /Content-Range: bytes 0-1\/9000001\r\n\r\n/)
    const many = Array.from({ length: 20 }, (_, n) => ['-o', path.join(directory, `p${n}`), url]).flat()
    await run('curl', ['-sSf', '--parallel', '--parallel-max', '12', ...many])
    for (let n = 0; n < 20; n += 1) t.ok(readFileSync(path.join(directory, `p${n}`)).equals(bytes))
  },
)

t.test('wget: whole, and -c', { skip: lacks('wget') }, async (t) => {
  const { bytes, url, out } = await setUp(t)
  await run('wget', ['-q', '-O', out, url])
  t.ok(readFileSync(out).equals(bytes))
  writeFileSync(out, bytes.subarray(0, 5_000_000))
  await run('wget', ['-q', '-c', '-O', out, url])
  t.ok(readFileSync(out).equals(bytes), 'resumed')
})

t.test('aria2: eight connections with a range each', { skip: lacks('aria2c') }, async (t) => {
  const { bytes, url, directory } = await setUp(t)
  const args = ['-q', '--no-conf', '-x8', '-s8', '-k1M', '-d', directory, '-o', 'aria', url]
  await run('aria2c', args)
  t.ok(readFileSync(path.join(directory, 'aria')).equals(bytes))
})
