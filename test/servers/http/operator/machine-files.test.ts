import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { BootWorld } from '../../../support/boot-world.ts'

async function setUp(t: Test) {
  const world = new BootWorld()
  t.teardown(() => world.close())
  await world.addMachines(2)
  await world.serveBoot()
  await world.serveOperator()
  const token = readFileSync(path.join(world.directory, 'data', 'admin.token'), 'utf8').trim()
  const call = async (method: string, url: string, body?: unknown) => {
    const response = await fetch(`http://${world.address}:8090/api/v1${url}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
  }
  const put = (file: string, content: string | Buffer, more: Record<string, unknown> = {}) => {
    const content_base64 = Buffer.from(content).toString('base64')
    return call('PUT', '/machines/node01/files', { path: file, content_base64, ...more })
  }
  return { world, call, put }
}

t.test("a machine's own files are a second initrd, by a name that holds their hash", async (t) => {
  const { world, call, put } = await setUp(t)
  t.notMatch((await world.fetchScript(1)).text, /machine-files/, 'without files nothing is asked for')
  t.equal((await put('etc/rack/position', 'A7 u12\n')).status, 200)
  t.equal((await put('etc/greeting', 'hello', { mode: '0600' })).status, 200)
  const { text } = await world.fetchScript(1)
  t.match(text, /^kernel .* initrd=initrd initrd=machine-files /m)
  const url = /^initrd --name machine-files http:\/\/[^/]+(\/\S+) \|\| goto failed$/m.exec(text)?.[1] ?? ''
  t.match(url, /^\/machines\/02-00-00-00-00-01\/files\/[0-9a-f]{64}\.cpio\.gz$/)
  t.ok(
    text.indexOf('initrd --name initrd ') < text.indexOf('initrd --name machine-files '),
    'after the image',
  )
  const answer = await world.ask(1, url)
  t.equal(answer.status, 200)
  t.match(url, createHash('sha256').update(answer.body).digest('hex'))
  t.equal(
    execFileSync('cpio', ['-t', '--quiet'], { input: gunzipSync(answer.body) }).toString(),
    'etc\netc/greeting\netc/rack\netc/rack/position\n',
  )
  t.notMatch((await world.fetchScript(2)).text, /machine-files/, 'another machine has none of them')
  t.equal((await world.ask(2, url.replace('00-01/', '00-02/'))).status, 404)
  t.equal((await world.ask(1, url.replace(/[0-9a-f]{64}/, '0'.repeat(64)))).status, 404)
  t.match(await call('GET', '/machines/node01/files'), {
    body: { items: [{ path: 'etc/greeting', mode: '0600', bytes: 5 }, { path: 'etc/rack/position' }] },
  })
  await put('etc/greeting', 'changed')
  t.equal((await world.ask(1, url)).status, 404, 'the old name is gone with the old bytes')
  t.match((await world.fetchScript(1)).text, /machine-files/)
  t.equal((await call('DELETE', '/machines/node01/files?path=etc/greeting')).status, 204)
  t.equal((await call('DELETE', '/machines/node01/files?path=etc/greeting')).status, 404)
  t.equal((await call('DELETE', '/machines/node01/files?path=etc/rack/position')).status, 204)
  t.notMatch((await world.fetchScript(1)).text, /machine-files/)
  t.ok((await world.events()).includes('machine.file-put'))
})

t.test('paths, sizes and rights are bounded', async (t) => {
  const { call, put } = await setUp(t)
  t.match(await put('../etc/passwd', 'x'), { status: 422, body: { code: 'path-refused' } })
  t.match(await put('init', 'x'), { status: 422, body: { code: 'path-refused' } })
  t.match(await put('a', Buffer.alloc(65537)), { status: 422, body: { code: 'files-too-large' } })
  t.equal((await put('a', 'x', { mode: '4755' })).status, 400)
  for (let n = 0; n < 4; n += 1) t.equal((await put(`f${n}`, Buffer.alloc(65536))).status, 200)
  t.match(await put('f4', 'x'), { status: 422, body: { code: 'files-too-large' } })
  t.equal((await put('f3', 'x')).status, 200, 'another content in its place')
  t.match(await put('f3/x', 'x'), { status: 422, body: { code: 'path-refused' } }, 'a file is no directory')
  t.match(await call('PUT', '/machines/nobody/files', { path: 'a', content_base64: '' }), { status: 404 })
  t.match(await call('PUT', '/machines/node01/files', { path: 'a', content_base64: '**' }), { status: 400 })
})
