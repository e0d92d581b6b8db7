import { readdirSync, readFileSync } from 'node:fs'
import os from 'node:os'
import t from 'tap'
import { lowerPoolPriority } from '../../src/servers/pool-priority.ts'

t.test('the threads that move bytes give way to the main one, and only they', async (t) => {
  if (process.platform !== 'linux') {
    t.equal(await lowerPoolPriority(), 0)
    return
  }
  const own = os.getPriority()
  const lowered = await lowerPoolPriority()
  t.ok(lowered >= 4, `${lowered} threads of the pool`)
  const pool = readdirSync('/proc/self/task').filter((thread) =>
    readFileSync(`/proc/self/task/${thread}/comm`, 'latin1').startsWith('libuv-worker'),
  )
  t.equal(pool.length, lowered)
  for (const thread of pool) t.equal(os.getPriority(Number(thread)), Math.min(own + 19, 19))
  t.equal(os.getPriority(), own)
})
