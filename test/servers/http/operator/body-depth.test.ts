import { readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { BootWorld } from '../../../support/boot-world.ts'

t.test('a body that is nested without end is refused, and the machine stays as it was', async (t) => {
  const world = new BootWorld()
  t.teardown(() => world.close())
  await world.addMachines(1)
  await world.serveOperator([])
  const token = readFileSync(path.join(world.directory, 'data', 'admin.token'), 'utf8').trim()
  const patch = async (levels: number) => {
    const nested = `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`
    const response = await fetch(`http://${world.address}:8090/api/v1/machines/node01`, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: `{"extra_config":${nested}}`,
    })
    return { status: response.status, answer: await response.json() }
  }
  t.match(await patch(63), { status: 200, answer: { name: 'node01' } })
  for (const levels of [64, 6000, 100_000]) {
    t.match(await patch(levels), { status: 400, answer: { code: 'body-too-deep' } }, `${levels} levels`)
  }
})
