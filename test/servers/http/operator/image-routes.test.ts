import { execFileSync } from 'node:child_process'
import { chmodSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import t, { type Test } from 'tap'
import { upload } from '../../../../src/cli/upload.ts'
import { BootWorld } from '../../../support/boot-world.ts'
import { aKernel, anInitrd, setFiles, writeFiles } from '../../../support/image-files.ts'

async function setUp(t: Test) {
  const world = new BootWorld()
  t.teardown(() => world.close())
  await world.serveOperator()
  const data = path.join(world.directory, 'data')
  const token = readFileSync(path.join(data, 'admin.token'), 'utf8').trim()
  const base = `http://${world.address}:8090/api/v1`
  const headers = { authorization: `Bearer ${token}` }
  const call = async (method: string, url: string, body?: unknown) => {
    const response = await fetch(`${base}${url}`, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return { status: response.status, body: (await response.json()) as Record<string, never> }
  }
  const upload = async (query: string, body: Buffer) => {
    const response = await fetch(`${base}/images/uploads?${query}`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/x-tar' },
      body: new Uint8Array(body),
    })
    return { status: response.status, body: (await response.json()) as Record<string, never> }
  }
  /** A tarball of a new set. */
  const tarball = (name: string, ...flags: string[]): Buffer => {
    const set = writeFiles(path.join(world.directory, name), setFiles(aKernel('x86_64', 100_000)))
    return execFileSync('tar', ['-C', set, ...flags, '-cf', '-', '.'], { maxBuffer: 1 << 26 })
  }
  const names = (where: string) => readdirSync(path.join(data, 'images', where))
  return { world, call, upload, tarball, names, base, headers }
}

t.test('an upload streams in and is known by its id; the same content again is the same image', async (t) => {
  const { world, call, upload, tarball, names } = await setUp(t)
  const tar = tarball('a')
  const first = await upload('name=control-plane&version=1', tar)
  t.equal(first.status, 201)
  t.match(first.body, {
    id: /^[0-9a-f]{16}$/,
    state: 'available',
    versions: [{ name: 'control-plane', version: '1', promoted: false }],
    files: [
      { name: 'bzImage', bytes: 100_000, sha256: /^[0-9a-f]{64}$/ },
      { name: 'initrd', bytes: 8192 },
    ],
  })
  const again = await upload('name=control-plane&version=2', tar)
  t.equal(again.status, 200)
  t.match(again.body, { id: first.body.id, versions: [{ version: '1' }, { version: '2' }] })
  t.equal(names('blobs').length, 2)
  t.match(await call('GET', '/images/control-plane:2'), { status: 200, body: { id: first.body.id } })
  t.match(await call('GET', '/images/control-plane'), { status: 404 }, 'no version is promoted yet')
  const other = await upload('name=control-plane&version=2', tarball('b'))
  t.match(other, { status: 409, body: { code: 'version-taken' } })
  t.equal(names('blobs').length, 2, 'and of what was refused nothing is kept')
  t.match(await upload('name=0123456789abcdef', tar), { status: 422, body: { code: 'name-malformed' } })
  t.match(await upload('name=x&version=a%20b', tar), { status: 422, body: { code: 'version-malformed' } })
  t.match(await upload('name=x', Buffer.from('no tarball')), { status: 422, body: { code: 'tar-broken' } })
  t.strictSame(names('staging'), [])
  t.strictSame(await world.events(), ['image.imported', 'image.imported'])
})

t.test('a body of over a mebibyte is taken, a JSON body of that size is not', async (t) => {
  const { upload, call, world } = await setUp(t)
  const set = writeFiles(path.join(world.directory, 'big'), setFiles(aKernel('x86_64', 3_000_000)))
  const tar = execFileSync('tar', ['-C', set, '-cf', '-', '.'], { maxBuffer: 1 << 26 })
  t.equal((await upload('name=big', tar)).status, 201)
  t.equal((await call('POST', '/images', { name: 'x', path: `/${'a'.repeat(1_100_000)}` })).status, 413)
})

t.test('a path of the server is imported, and files that are named one by one', async (t) => {
  const { world, call } = await setUp(t)
  const set = writeFiles(path.join(world.directory, 'set'), setFiles())
  const byPath = await call('POST', '/images', { name: 'worker', path: set, promote: true })
  t.match(byPath, { status: 201, body: { versions: [{ name: 'worker', promoted: true }] } })
  const files = { kernel: `${set}/bzImage`, initrd: `${set}/initrd`, init: '/nix/store/x/init' }
  t.match(await call('POST', '/images', { name: 'by-hand', files }), {
    status: 201,
    body: { parameters: [] },
  })
  t.match(await call('POST', '/images', { name: 'x', files: { ...files, init: '/a;reboot' } }), {
    status: 422,
    body: { code: 'unsafe-parameter' },
  })
  t.match(await call('POST', '/images', { name: 'x' }), { status: 422, body: { code: 'source-missing' } })
  t.match(await call('POST', '/images', { name: 'x', path: 'relative' }), { status: 400 })
})

t.test('an upload that is cut off is not offered and leaves nothing', async (t) => {
  const { world, call, tarball, names, base, headers } = await setUp(t)
  const tar = tarball('cut')
  const request = http.request(`${base}/images/uploads?name=cut`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/x-tar', 'content-length': tar.length },
  })
  request.on('error', () => undefined)
  request.write(tar.subarray(0, 60_000))
  await until(() => names('staging').length === 1)
  request.destroy()
  await until(() => names('staging').length === 0)
  t.strictSame(names('blobs'), [])
  t.match(await call('GET', '/images'), { body: { items: [] } })
  const told = () => world.logged.filter(({ url }) => String(url).includes('name=cut'))
  await until(() => told().length > 0)
  t.match(told(), [{ level: 30, msg: 'an operator hung up' }], 'which is no fault of the server')
})

t.test('an upload that is refused in its midst is told why, by an API client and by ours', async (t) => {
  const { world, base, headers, names } = await setUp(t)
  const set = { ...setFiles(), bzImage: 'x'.repeat(4096), initrd: anInitrd(40_000_000) }
  const directory = writeFiles(path.join(world.directory, 'no-kernel'), set)
  const files = ['netboot.ipxe', 'bzImage', 'initrd']
  const tar = execFileSync('tar', ['-C', directory, '-cf', '-', ...files], { maxBuffer: 1 << 26 })
  const answer = await fetch(`${base}/images/uploads?name=x`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/x-tar' },
    body: new Uint8Array(tar),
  })
  t.equal(answer.status, 422)
  t.match(await answer.json(), { code: 'kernel-unknown' })
  let sent = 0
  async function* pieces() {
    for (let at = 0; at < tar.length; at += 65_536) yield tar.subarray(at, at + 65_536)
  }
  const sending = upload(
    {
      route: '/images/uploads?name=x',
      contentType: 'application/x-tar',
      bytes: tar.length,
      body: pieces(),
      onProgress: (bytes) => {
        sent += bytes
      },
    },
    { url: base.replace('/api/v1', ''), token: headers.authorization.slice('Bearer '.length) },
  )
  await t.rejects(sending, { message: /bzImage is neither an x86 bzImage/ })
  t.ok(sent < tar.length, `${sent} of ${tar.length} bytes were sent`)
  t.strictSame([...names('blobs'), ...names('staging')], [])
})

t.test('a body of bytes is for uploads alone, and an upload is bytes', async (t) => {
  const { base, headers, call, upload, tarball } = await setUp(t)
  await upload('name=a&version=1', tarball('a'))
  const send = async (url: string, type: string | undefined, body?: string) => {
    const more = type === undefined ? {} : { 'content-type': type }
    const init = { method: 'POST', headers: { ...headers, ...more }, ...(body === undefined ? {} : { body }) }
    const answer = await fetch(`${base}${url}`, init)
    return { status: answer.status, body: await answer.json() }
  }
  for (const type of ['application/octet-stream', 'application/x-tar', 'application/gzip'])
    for (const url of ['/images/a:1/retire', '/image-names/a/rollback', '/machines'])
      t.match(await send(url, type, 'x'), { status: 415, body: { code: 'bad-request' } }, `${url} ${type}`)
  for (const type of ['application/json', 'text/plain'])
    t.match(await send('/images/uploads?name=x', type, '{}'), { status: 415 }, type)
  t.match(await send('/images/uploads?name=x', undefined), { status: 422, body: { code: 'archive-missing' } })
  t.match(await call('GET', '/images/a:1'), { body: { state: 'available' } }, 'and nothing was done')
})

t.test('promote and roll back: a name goes to a version and back, past what was retired', async (t) => {
  const { world, call, upload, tarball } = await setUp(t)
  const ids: string[] = []
  for (const version of ['1', '2', '3'])
    ids.push((await upload(`name=cp&version=${version}`, tarball(`v${version}`))).body.id!)
  const promote = (version: string) => call('POST', '/image-names/cp/promote', { version })
  const rollback = () => call('POST', '/image-names/cp/rollback')
  t.match(await rollback(), { status: 409, body: { code: 'not-promoted' } })
  t.match(await promote('1'), { status: 200, body: { name: 'cp', version: '1', image_id: ids[0] } })
  t.match(await rollback(), { status: 409, body: { code: 'nothing-earlier' } })
  t.match(await promote('9'), { status: 404, body: { code: 'version-unknown' } })
  await promote('2')
  await promote('3')
  t.match(await call('GET', '/images/cp'), { body: { id: ids[2], uses: { promoted_as: ['cp'] } } })
  t.match(await rollback(), { body: { version: '2' } })
  t.match(await rollback(), { body: { version: '1' } })
  t.match(await rollback(), { status: 409, body: { code: 'nothing-earlier' } })
  await promote('2')
  await promote('3')
  t.equal((await call('POST', '/images/cp:2/retire')).status, 200)
  t.match(await promote('2'), { status: 409, body: { code: 'image-retired' } })
  t.match(await rollback(), { body: { version: '1' } }, 'past the retired one')
  t.strictSame(
    (await world.events()).filter((type) => type !== 'image.imported'),
    [
      ...['image.promoted', 'image.promoted', 'image.promoted', 'image.rolled-back', 'image.rolled-back'],
      ...['image.promoted', 'image.promoted', 'image.retired', 'image.rolled-back'],
    ],
  )
})

t.test('what an import promotes is told as any promotion: by whom, and what it was before', async (t) => {
  const { call, upload, tarball } = await setUp(t)
  const first = tarball('first')
  await upload('name=cp&version=1&promote=true', first)
  await upload('name=cp&version=1&promote=true', first)
  await upload('name=cp&version=2&promote=true', tarball('second'))
  const { items } = (await call('GET', '/events?limit=100')).body as unknown as {
    items: readonly { type: string; data: object }[]
  }
  t.match(
    items.filter(({ type }) => type === 'image.promoted').map(({ data }) => data),
    [
      { version: '1', before: null, by: 'admin' },
      { version: '2', before: '1', by: 'admin' },
    ],
  )
  t.equal(
    items.filter(({ type }) => type === 'image.promoted').length,
    2,
    'what is promoted already is not again',
  )
})

t.test('retire and gc: only what nothing needs goes, with the files that nothing else holds', async (t) => {
  const { world, call, upload, tarball, names } = await setUp(t)
  const set = writeFiles(path.join(world.directory, 'shared'), setFiles())
  const files = { kernel: `${set}/bzImage`, initrd: `${set}/initrd` }
  const one = await call('POST', '/images', { name: 'a', files: { ...files, init: '/one/init' } })
  const two = await call('POST', '/images', { name: 'b', files: { ...files, init: '/two/init' } })
  const three = await upload('name=c&version=1&promote=true', tarball('c'))
  t.equal(names('blobs').length, 4)
  await world.addMachines(1, world.store.lists.images.byId(two.body.id!))
  const retire = (id: string) => call('POST', `/images/${id}/retire`)
  t.match(await retire(two.body.id!), { status: 409, body: { code: 'image-in-use', detail: /node01/ } })
  t.match(await retire(three.body.id!), {
    status: 409,
    body: { code: 'image-in-use', detail: /promoted as c/ },
  })
  t.match(await retire(one.body.id!), { status: 200, body: { state: 'retired' } })
  t.match(await call('POST', '/images/gc?dry_run=true'), {
    body: { removed: [{ id: one.body.id }], files_removed: 0 },
  })
  t.equal((await call('GET', `/images/${one.body.id}`)).status, 200)
  t.match(await call('POST', '/images/gc'), {
    body: { removed: [{ id: one.body.id }], kept: [], files_removed: 0 },
  })
  t.equal((await call('GET', `/images/${one.body.id}`)).status, 404)
  t.equal(names('blobs').length, 4, 'the other image holds the same files')
  await world.put({ kind: 'delete-machine', machineId: 'm1' })
  await retire(two.body.id!)
  t.match(await call('POST', '/images/gc'), { body: { files_removed: 2 } })
  t.equal(names('blobs').length, 2)
  t.match(await call('GET', '/images'), { body: { items: [{ id: three.body.id }] } })
})

t.test(
  'verify: rotten bits withdraw every image that holds them; the bytes are never sent again',
  async (t) => {
    const { world, call, upload, tarball } = await setUp(t)
    await world.serveBoot()
    const tar = tarball('rot')
    const { body: image } = await upload('name=rot&version=1&promote=true', tar)
    await world.addMachines(1, world.store.lists.images.byId(image.id!))
    t.match(await call('POST', `/images/${image.id}/verify`), {
      body: { verdict: 'whole', state: 'available' },
    })
    t.match((await world.fetchScript(1)).text, /^kernel /m)
    const [kernel] = image.files as unknown as { name: string; sha256: string }[]
    const stored = world.images.pathOf(kernel!.sha256)
    const bytes = readFileSync(stored)
    bytes[50_000]! ^= 1
    chmodSync(stored, 0o644)
    writeFileSync(stored, bytes)
    const found = await call('POST', '/images/rot/verify')
    t.match(found.body, { verdict: 'damaged', state: 'withdrawn', state_reason: /bzImage: has sha256/ })
    const { text } = await world.fetchScript(1)
    t.match(text, /its image was withdrawn/)
    t.notMatch(text, /^kernel /m)
    t.equal((await world.ask(1, `/images/${image.id}/bzImage`)).status, 410)
    t.equal((await call('POST', '/image-names/rot/promote', { version: '1' })).status, 409)
    t.ok((await world.events()).includes('image.withdrawn'))
    t.equal(
      (await upload('name=rot&version=1', tar)).body.state,
      'available',
      'imported again, it is whole again',
    )
    t.match((await world.fetchScript(1)).text, /^kernel /m)
    t.equal((await world.ask(1, `/images/${image.id}/bzImage`)).status, 200)
    truncateSync(stored, 99_999)
    t.match((await call('POST', '/images/rot/verify')).body, {
      state: 'withdrawn',
      state_reason: /99999 bytes/,
    })
  },
)

t.test(
  'a file that changes under the running server: an error for who asks, and the image is withdrawn',
  async (t) => {
    const { world, call, upload, tarball } = await setUp(t)
    await world.serveBoot()
    const { body: image } = await upload('name=hot&version=1&promote=true', tarball('hot'))
    await world.addMachines(1, world.store.lists.images.byId(image.id!))
    const url = `/images/${image.id}/bzImage`
    t.equal((await world.ask(1, url)).status, 200)
    const [kernel] = image.files as unknown as { sha256: string }[]
    const stored = world.images.pathOf(kernel!.sha256)
    chmodSync(stored, 0o644)
    truncateSync(stored, 50_000)
    const answer = await world.ask(1, url)
    t.ok(answer.status >= 500 || answer.status === 410, `status ${answer.status}`)
    await until(() => world.store.lists.images.byId(image.id!)?.state === 'withdrawn')
    t.match((await call('GET', `/images/${image.id}`)).body, {
      state_reason: /has 50000 bytes, 100000 were imported/,
    })
    t.match((await world.fetchScript(1)).text, /its image was withdrawn/)
    t.ok((await world.events()).includes('image.withdrawn'))
  },
)

t.test(
  'a machine is assigned an image, a version of a name, or a name; what does not fit it is refused',
  async (t) => {
    const { world, call, upload, tarball } = await setUp(t)
    await world.addMachines(1)
    const edit = (body: unknown) => call('PATCH', '/machines/node01', body)
    t.match(await edit({ image: 'nobody' }), {
      status: 422,
      body: { code: 'image-unknown', cure: /image import/ },
    })
    const { body: image } = await upload('name=cp&version=1', tarball('cp'))
    t.match(await edit({ image: 'cp' }), {
      status: 422,
      body: { code: 'image-not-promoted', cure: /promote cp/ },
    })
    await call('POST', '/image-names/cp/promote', { version: '1' })
    t.match(await edit({ image: 'cp' }), { status: 200, body: { image_id: null, image_name: 'cp' } })
    t.match(await call('GET', '/images/cp'), {
      body: { uses: { machines: ['node01'], promoted_as: ['cp'] } },
    })
    t.match(await edit({ image: 'cp:1' }), { status: 200, body: { image_id: image.id, image_name: null } })
    t.match(await edit({ ram_mib: 1024 }), {
      status: 409,
      body: { code: 'too-little-memory', detail: /wants 1025 MiB/ },
    })
    t.match(await edit({ ram_mib: 1025 }), { status: 200, body: { ram_mib: 1025, warnings: [] } })
    t.match(await edit({ kernel_arguments: ['init=/bin/sh'] }), {
      status: 422,
      body: { code: 'kernel-argument-refused' },
    })
    t.match(await edit({ kernel_arguments: ['nomodeset'] }), {
      status: 200,
      body: { kernel_arguments: ['nomodeset'] },
    })
    t.equal((await call('POST', '/machines/node01/arm', {})).status, 200)
    t.match(await edit({ image: null }), { status: 200, body: { image_id: null, image_name: null } })
    t.match(await call('POST', '/machines/node01/arm', {}), { status: 409, body: { code: 'no-image' } })
  },
)

/** Waits for what another process or the event loop does; ends the test by its own time limit when it never comes. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5))
}
