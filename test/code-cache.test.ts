import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { scratchDir } from './support/store-world.ts'

const START = new URL('../src/start.js', import.meta.url).pathname
const TIMEOUT_MS = 60_000

/** Runs `pilotlight --help`, and tells what Node says of its code cache. */
function start(cache: string) {
  const env = { PATH: process.env.PATH, CACHE_DIRECTORY: cache, NODE_DEBUG_NATIVE: 'COMPILE_CACHE' }
  const run = spawnSync(process.execPath, [START, '--help'], {
    env,
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    maxBuffer: 64 * 1024 * 1024,
  })
  const found = /retrieving transpile cache for StrippedTypeScript \S*src\/main\.ts\.+success/
  return { help: run.stdout, usesCache: found.test(run.stderr), says: run.stderr }
}

t.test('the sources are compiled once, and not again at the next start', async (t) => {
  const cache = scratchDir(t)
  const first = start(cache)
  t.notOk(first.usesCache)
  t.match(readdirSync(path.join(cache, 'code')).join(), /^v24/)
  const second = start(cache)
  t.ok(second.usesCache)
  t.equal(second.help, first.help)
})

t.test('nothing is run that another user could have written', async (t) => {
  const cache = scratchDir(t)
  const code = path.join(cache, 'code')
  mkdirSync(code)
  chmodSync(code, 0o777)
  const { help, says } = start(cache)
  t.match(help, /^Usage: pilotlight/)
  t.equal(says, '')
  t.strictSame(readdirSync(code), [])
})

t.test('where none can be made it starts as ever', async (t) => {
  for (const nowhere of ['/proc/no-such-directory', START]) {
    const { help, says } = start(nowhere)
    t.match(help, /^Usage: pilotlight/)
    t.equal(says, '')
  }
})
