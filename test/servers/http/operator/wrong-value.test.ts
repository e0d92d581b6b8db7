import { readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { BootWorld } from '../../../support/boot-world.ts'

t.test('a value that a schema refuses is named, with what was got and all that would be taken', async (t) => {
  const world = new BootWorld()
  t.teardown(() => world.close())
  await world.addMachines(1)
  await world.serveOperator([])
  const token = readFileSync(path.join(world.directory, 'data', 'admin.token'), 'utf8').trim()
  const cases: readonly [method: string, route: string, body: unknown, field: string, detail: string][] = [
    [
      'POST',
      'machines',
      { name: 'node09', role: 'king' },
      'role',
      'role is "king", want control-plane or worker or all-in-one',
    ],
    ['POST', 'clusters', { expected_control_plane: 1 }, 'name', 'name is missing, want it in the body'],
    ['PATCH', 'machines/node01', { ram_mib: -5 }, 'ram_mib', 'ram_mib is -5, want >= 1 or null'],
    ['PATCH', 'machines/node01', { ram_mib: '9' }, 'ram_mib', 'ram_mib is "9", want a whole number or null'],
    ['POST', 'machines/node01/arm', { for_seconds: 0 }, 'for_seconds', 'for_seconds is 0, want >= 60'],
    [
      'POST',
      'machines/node01/hold',
      { step: 'x' },
      'step',
      'step is "x", want chainfire-cluster-join or flaredb-cluster-join or iam-initial-setup or cluster-health-check',
    ],
    [
      'POST',
      'clusters',
      { name: 'hall', expected_control_plane: null },
      'expected_control_plane',
      'expected_control_plane is null, want a whole number',
    ],
    [
      'PUT',
      'machines/node01/files',
      { path: 'a', content_base64: '', mode: '999' },
      'mode',
      'mode is "999", want what matches ^0?[0-7]{3}$',
    ],
    [
      'PUT',
      'machines/node01/files',
      { path: { long: 'x'.repeat(200) }, content_base64: '' },
      'path',
      `path is {"long":"${'x'.repeat(51)}…, want a text`,
    ],
  ]
  for (const [method, route, body, field, detail] of cases) {
    const response = await fetch(`http://${world.address}:8090/api/v1/${route}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    const said = (await response.json()) as { readonly detail?: string }
    t.match(said, { status: 400, code: 'malformed-body', field, cure: /nothing was changed/ }, route)
    t.equal(said.detail, detail)
  }
})
