import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { FileHasher } from '../../../src/servers/files/file-hasher.ts'
import { BlobStore } from '../../../src/servers/images/blob-store.ts'
import type { DescribedImage } from '../../../src/servers/images/describe-image.ts'
import { type ImageSource, importImage } from '../../../src/servers/images/import-image.ts'
import { writeTarHeader } from '../../../src/servers/images/tar-header.ts'
import {
  aKernel,
  anInitrd,
  aSquashfs,
  INIT,
  netbootScript,
  setFiles,
  writeFiles,
} from '../../support/image-files.ts'

const MANY = 1024 * 1024 * 1024

/** A directory for sources and a store of files that takes everything which was imported for used. */
async function setUp(t: Test) {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'pilotlight-import-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const used = new Set<string>()
  const hasher = new FileHasher()
  t.teardown(() => hasher.close())
  const blobs = new BlobStore(path.join(dir, 'images'), (sha256) => used.has(sha256), hasher)
  await blobs.open()
  const take = (source: ImageSource, maxBytes = MANY): Promise<DescribedImage> =>
    importImage(blobs, { source, maxBytes }, async (image) => {
      for (const file of image.files) used.add(file.sha256)
      return image
    })
  const stored = () => readdirSync(path.join(dir, 'images', 'blobs')).sort()
  const staged = () => readdirSync(path.join(dir, 'images', 'staging'))
  return {
    dir,
    blobs,
    take,
    stored,
    staged,
    fromPath: (target: string) => take({ kind: 'path', path: target }),
  }
}

async function* streamOf(...chunks: readonly (Buffer | string)[]) {
  for (const chunk of chunks) yield Buffer.from(chunk)
}

function archive(...chunks: readonly (Buffer | string)[]): ImageSource {
  return { kind: 'archive', archive: streamOf(...chunks) }
}

/** A tar archive by hand, so that it can hold what no tar program packs. */
function tarOf(
  entries: readonly { name: string; body?: Buffer; type?: string; linkTo?: string }[],
  end = true,
): Buffer {
  const parts = entries.flatMap(({ name, body = Buffer.alloc(0), type = '0', linkTo = '' }) => {
    const header = writeTarHeader('x', body.length)
    header.fill(0, 0, 100)
    header.write(name, 0)
    header.write(type, 156)
    header.write(linkTo, 157)
    header.fill(' ', 148, 156)
    header.write(
      `${header
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
    )
    return [header, body, Buffer.alloc((512 - (body.length % 512)) % 512)]
  })
  return Buffer.concat([...parts, ...(end ? [Buffer.alloc(1024)] : [])])
}

t.test('a directory: hashed, named by role, stored once under its hash, read-only', async (t) => {
  const { dir, blobs, stored, staged, fromPath } = await setUp(t)
  const files = setFiles()
  const image = await fromPath(writeFiles(path.join(dir, 'set'), files))
  t.match(image, { architecture: 'x86_64', init: INIT, parameters: ['loglevel=4', 'lsm=landlock,yama'] })
  t.match(image.files, [
    { name: 'bzImage', role: 'kernel', bytes: 4096 },
    { name: 'initrd', role: 'initrd', bytes: 8192 },
  ])
  for (const file of image.files) {
    const content = readFileSync(blobs.pathOf(file.sha256))
    t.strictSame(content, files[file.name])
    t.equal(createHash('sha256').update(content).digest('hex'), file.sha256)
    const found = statSync(blobs.pathOf(file.sha256))
    t.equal(found.mode & 0o777, 0o444)
  }
  t.equal(stored().length, 2)
  t.strictSame(staged(), [])
})

t.test('same content, same id, whatever it is called and however it is packed', async (t) => {
  const { dir, take, stored, fromPath } = await setUp(t)
  const files = setFiles()
  const plain = writeFiles(path.join(dir, 'set'), files)
  const { id } = await fromPath(plain)
  const system = '-x86_64-linux'
  const renamed = writeFiles(path.join(dir, 'renamed'), {
    [`bzImage${system}`]: files.bzImage!,
    [`initrd${system}`]: files.initrd!,
    [`netboot${system}.ipxe`]: netbootScript(
      `https://downloads.example/r/bzImage${system}`,
      `initrd${system}`,
    ),
  })
  t.equal((await fromPath(renamed)).id, id)
  const result = path.join(dir, 'result')
  mkdirSync(result)
  for (const name of Object.keys(files)) symlinkSync(path.join(plain, name), path.join(result, name))
  t.equal((await fromPath(result)).id, id, 'a NixOS result: links into its store')
  for (const [name, ...flags] of [
    ['set.tar', '-cf'],
    ['set.tar.gz', '-czf'],
    ['set.tar.zst', '--zstd', '-cf'],
    ['set.tar.xz', '-cJf'],
    ['set.tar.bz2', '-cjf'],
    ['pax.tar', '--format=pax', '-cf'],
    ['v7.tar', '--format=v7', '-cf'],
  ] as const) {
    const file = path.join(dir, name)
    execFileSync('tar', ['-C', plain, ...flags, file, '.'])
    t.equal((await fromPath(file)).id, id, name)
  }
  execFileSync('tar', ['-C', dir, '-chf', path.join(dir, 'below.tar'), 'result'])
  t.equal(
    (await fromPath(path.join(dir, 'below.tar'))).id,
    id,
    'in a directory of the archive, links followed',
  )
  const bytes = readFileSync(path.join(dir, 'set.tar.gz'))
  t.equal((await take(archive(...[...bytes].map((byte) => Buffer.of(byte))))).id, id, 'byte by byte')
  const named = { kernel: path.join(plain, 'bzImage'), initrd: path.join(plain, 'initrd'), init: INIT }
  const byHand = await take({
    kind: 'files',
    files: { ...named, parameters: ['loglevel=4', 'lsm=landlock,yama'] },
  })
  t.equal(byHand.id, id, 'files named one by one')
  t.equal(stored().length, 2, 'and the bytes are there once')
  const other = await take({ kind: 'files', files: { ...named, parameters: [] } })
  t.not(other.id, id, 'other parameters are another image')
  t.equal(stored().length, 2, 'of the same files')
})

t.test('a kexec tree, a squashfs beside the initrd, an arm64 Image', async (t) => {
  const { dir, fromPath } = await setUp(t)
  const kexec = `kexec --load \${SCRIPT_DIR}/bzImage --initrd=\${SCRIPT_DIR}/initrd.gz --command-line "init=${INIT} quiet"\n`
  const tree = {
    bzImage: aKernel(),
    'initrd.gz': Buffer.concat([Buffer.of(0x1f, 0x8b), anInitrd()]),
    'kexec-boot': kexec,
  }
  t.match(await fromPath(writeFiles(path.join(dir, 'kexec'), tree)), { parameters: ['quiet'] })
  const squashed = { ...setFiles(), 'nix-store.squashfs': aSquashfs() }
  t.match((await fromPath(writeFiles(path.join(dir, 'squashed'), squashed))).files, [
    {},
    {},
    { name: 'root.squashfs', role: 'squashfs', bytes: 4096 },
  ])
  const arm = { 'netboot.ipxe': netbootScript('Image'), Image: aKernel('arm64'), initrd: anInitrd() }
  t.match(await fromPath(writeFiles(path.join(dir, 'arm'), arm)), {
    architecture: 'arm64',
    files: [{ name: 'Image' }, {}],
  })
})

const refusedSets: readonly (readonly [code: string, files: Readonly<Record<string, string | Buffer>>])[] = [
  ['kernel-unknown', { ...setFiles(), bzImage: '<html>502 Bad Gateway</html>' }],
  ['kernel-unknown', setFiles(aKernel('i386'))],
  ['initrd-unknown', { ...setFiles(), initrd: '<html>502 Bad Gateway</html>' }],
  ['file-empty', { ...setFiles(), initrd: '' }],
  ['squashfs-unknown', { ...setFiles(), 'root.squashfs': 'no squashfs' }],
  [
    'architecture-mismatch',
    {
      'netboot-aarch64-linux.ipxe': netbootScript('bzImage', 'initrd'),
      'bzImage-aarch64-linux': aKernel('x86_64'),
      'initrd-aarch64-linux': anInitrd(),
    },
  ],
  ['architecture-mismatch', { ...setFiles(), 'root-aarch64.squashfs': aSquashfs() }],
  ['netboot-ipxe-missing', { bzImage: aKernel(), initrd: anInitrd() }],
  ['script-too-long', { ...setFiles(), 'netboot.ipxe': `${netbootScript()}${'#'.repeat(70_000)}` }],
]

for (const [code, files] of refusedSets) {
  t.test(
    `a set is refused as ${code}, from a directory and from a tarball, and leaves nothing (${Object.keys(files)[0]})`,
    async (t) => {
      const { dir, stored, staged, fromPath } = await setUp(t)
      const set = writeFiles(path.join(dir, 'set'), files)
      await t.rejects(fromPath(set), { code, cure: String })
      execFileSync('tar', ['-C', set, '-cf', path.join(dir, 'set.tar'), '.'])
      await t.rejects(fromPath(path.join(dir, 'set.tar')), { code, cure: String })
      t.strictSame([...stored(), ...staged()], [])
    },
  )
}

t.test('what is no kernel, initrd or squashfs is told before anything is copied', async (t) => {
  const { dir, take } = await setUp(t)
  // Not one of them may be copied before all are looked at: the whole set is too large.
  const wrong = [
    ['kernel-unknown', { bzImage: 'x'.repeat(9000) }],
    ['initrd-unknown', { initrd: 'x'.repeat(9000) }],
    ['squashfs-unknown', { 'root.squashfs': 'x'.repeat(9000) }],
    ['file-empty', { initrd: '' }],
    ['image-too-large', {}],
  ] as const
  for (const [code, files] of wrong) {
    const set = writeFiles(path.join(dir, code), { ...setFiles(), ...files })
    await t.rejects(take({ kind: 'path', path: set }, 4000), { code })
    const named = {
      kernel: path.join(set, 'bzImage'),
      initrd: path.join(set, 'initrd'),
      init: INIT,
      parameters: [],
    }
    const root = code === 'squashfs-unknown' ? { squashfs: path.join(set, 'root.squashfs') } : {}
    await t.rejects(take({ kind: 'files', files: { ...named, ...root } }, 4000), { code })
  }
})

t.test('of an upload whose script comes first, no more is read than shows what is wrong', async (t) => {
  const { take, stored, staged } = await setUp(t)
  const wrong = [
    ['kernel-unknown', { bzImage: Buffer.alloc(2048, 'x'), initrd: anInitrd(10_000_000) }],
    ['initrd-unknown', { bzImage: aKernel(), initrd: Buffer.alloc(10_000_000, 'x') }],
  ] as const
  for (const [code, { bzImage, initrd }] of wrong) {
    const bytes = tarOf([
      { name: 'set/netboot.ipxe', body: good.script },
      { name: 'set/bzImage', body: bzImage },
      { name: 'set/initrd', body: initrd },
    ])
    let read = 0
    async function* counted() {
      for (let at = 0; at < bytes.length; at += 4096) {
        read += 4096
        yield bytes.subarray(at, at + 4096)
      }
    }
    await t.rejects(take({ kind: 'archive', archive: counted() }), { code })
    t.ok(read < 20_000, `${read} of ${bytes.length} bytes were read`)
    t.strictSame([...stored(), ...staged()], [])
  }
})

t.test('a file that cannot be opened is told as that, with the cure', async (t) => {
  const { dir, stored, staged, fromPath } = await setUp(t)
  const socket = path.join(dir, 'set.tar')
  const listener = createServer().listen(socket)
  t.teardown(() => listener.close())
  await once(listener, 'listening')
  await t.rejects(fromPath(socket), {
    code: 'path-unreadable',
    message: `${socket} cannot be read (ENXIO)`,
    cure: String,
  })
  t.strictSame([...stored(), ...staged()], [])
})

t.test('links of a directory lead to regular files or nowhere', async (t) => {
  const { dir, fromPath, staged } = await setUp(t)
  const set = writeFiles(path.join(dir, 'set'), { 'netboot.ipxe': netbootScript(), initrd: anInitrd() })
  symlinkSync('/dev/zero', path.join(set, 'bzImage'))
  await t.rejects(fromPath(set), { code: 'file-missing' }, 'a device')
  rmSync(path.join(set, 'bzImage'))
  execFileSync('mkfifo', [path.join(dir, 'pipe')])
  symlinkSync('../pipe', path.join(set, 'bzImage'))
  await t.rejects(fromPath(set), { code: 'file-missing' }, 'a pipe, which nobody writes to')
  rmSync(path.join(set, 'bzImage'))
  symlinkSync('bzImage', path.join(set, 'bzImage'))
  await t.rejects(fromPath(set), { code: 'file-missing' }, 'a circle')
  await t.rejects(fromPath('/dev/zero'), { code: 'file-refused' })
  await t.rejects(fromPath(path.join(dir, 'nowhere')), { code: 'path-unreadable' })
  t.strictSame(staged(), [])
})

const good = { kernel: aKernel(), initrd: anInitrd(), script: Buffer.from(netbootScript()) }
const wholeSet = [
  { name: 'bzImage', body: good.kernel },
  { name: 'initrd', body: good.initrd },
  { name: 'netboot.ipxe', body: good.script },
]
const hostile: readonly (readonly [what: string, code: string, archive: Buffer])[] = [
  [
    'a name that climbs',
    'tar-entry-refused',
    tarOf([{ name: '../../etc/passwd', body: good.kernel }, ...wholeSet]),
  ],
  [
    'a name that climbs later',
    'tar-entry-refused',
    tarOf([{ name: 'a/../../b', body: good.kernel }, ...wholeSet]),
  ],
  ['an absolute name', 'tar-entry-refused', tarOf([{ name: '/etc/passwd' }, ...wholeSet])],
  ['a backslash', 'tar-entry-refused', tarOf([{ name: 'a\\b' }, ...wholeSet])],
  ['a control character', 'tar-entry-refused', tarOf([{ name: 'a\x1b[2J' }, ...wholeSet])],
  ['an empty name', 'tar-entry-refused', tarOf([{ name: '' }, ...wholeSet])],
  [
    'a link out',
    'tar-entry-refused',
    tarOf([...wholeSet.slice(1), { name: 'bzImage', type: '2', linkTo: '/etc/shadow' }]),
  ],
  [
    'a link that climbs',
    'tar-entry-refused',
    tarOf([...wholeSet.slice(1), { name: 'bzImage', type: '2', linkTo: '../../etc/shadow' }]),
  ],
  [
    'a hard link out',
    'tar-entry-refused',
    tarOf([...wholeSet.slice(1), { name: 'bzImage', type: '1', linkTo: '../../etc/shadow' }]),
  ],
  ['a device', 'tar-entry-refused', tarOf([...wholeSet, { name: 'sda', type: '4' }])],
  ['a pipe', 'tar-entry-refused', tarOf([...wholeSet, { name: 'pipe', type: '6' }])],
  ['a sparse file', 'tar-entry-refused', tarOf([...wholeSet, { name: 'sparse', type: 'S' }])],
  [
    'links in a circle',
    'file-missing',
    tarOf([
      ...wholeSet.slice(1),
      { name: 'bzImage', type: '2', linkTo: 'b' },
      { name: 'b', type: '2', linkTo: 'bzImage' },
    ]),
  ],
  [
    'a link to nothing',
    'file-missing',
    tarOf([...wholeSet.slice(1), { name: 'bzImage', type: '2', linkTo: 'gone' }]),
  ],
  ['65 files', 'too-many-files', tarOf(Array.from({ length: 65 }, (_, n) => ({ name: `f${n}` })))],
  ['no end mark', 'tar-broken', tarOf(wholeSet, false)],
  ['half a file', 'tar-broken', tarOf(wholeSet).subarray(0, 3000)],
  ['noise', 'tar-broken', aSquashfs(4096)],
  ['nothing', 'tar-broken', Buffer.alloc(0)],
  ['a header of another size', 'tar-broken', Buffer.concat([Buffer.from('x'), tarOf(wholeSet)])],
  [
    'an endless pax header',
    'tar-broken',
    tarOf([{ name: 'p', type: 'x', body: Buffer.alloc(70_000, 0x20) }, ...wholeSet]),
  ],
  [
    'a pax name that climbs',
    'tar-entry-refused',
    tarOf([{ name: 'p', type: 'x', body: Buffer.from('18 path=../../etc\n') }, ...wholeSet]),
  ],
  [
    'half a gzip',
    'archive-broken',
    Buffer.concat([Buffer.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3), Buffer.alloc(20, 0x55)]),
  ],
  ['half a zstd', 'archive-broken', Buffer.from('28b52ffd04580000', 'hex')],
  ['half an xz', 'archive-broken', Buffer.from('fd377a585a000004', 'hex')],
  ['half a bzip2', 'archive-broken', Buffer.from('BZh91AY&SY0000')],
]

for (const [what, code, bytes] of hostile) {
  t.test(`an archive with ${what} is refused as ${code} and leaves nothing`, async (t) => {
    const { take, stored, staged } = await setUp(t)
    await t.rejects(take(archive(bytes)), { code, cure: String })
    t.strictSame([...stored(), ...staged()], [])
  })
}

t.test('an xz archive without the program xz is refused with the package to install', async (t) => {
  const { take, staged } = await setUp(t)
  const { PATH } = process.env
  t.teardown(() => {
    process.env.PATH = PATH
  })
  process.env.PATH = '/nowhere'
  await t.rejects(take(archive(Buffer.from('fd377a585a000004', 'hex'))), {
    code: 'decompressor-missing',
    cure: /apt-get install xz-utils/,
  })
  t.strictSame(staged(), [])
})

t.test('an upload in xz that breaks off is told as that, not as a broken archive', async (t) => {
  const { take, staged } = await setUp(t)
  async function* cut() {
    yield Buffer.from('fd377a585a000004', 'hex')
    throw new Error('the client went away')
  }
  await t.rejects(take({ kind: 'archive', archive: cut() }), { message: 'the client went away' })
  t.strictSame(staged(), [])
})

t.test('links inside an archive are followed there', async (t) => {
  const { take } = await setUp(t)
  const entries = [
    { name: './store/kernel', body: good.kernel },
    { name: './result/netboot.ipxe', body: good.script },
    { name: './result/initrd', body: good.initrd },
    { name: './result/bzImage', type: '2', linkTo: '../store/kernel' },
  ]
  t.match((await take(archive(tarOf(entries)))).files, [{ role: 'kernel', bytes: 4096 }, {}])
})

t.test('a set over the limit is refused before it is written whole', async (t) => {
  const { take, staged, stored } = await setUp(t)
  await t.rejects(take(archive(tarOf(wholeSet)), 10_000), { code: 'image-too-large' })
  t.strictSame([...stored(), ...staged()], [])
})

t.test('a sender that breaks off leaves nothing', async (t) => {
  const { take, staged, stored } = await setUp(t)
  async function* brokenOff() {
    yield tarOf(wholeSet).subarray(0, 6000)
    throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' })
  }
  await t.rejects(take({ kind: 'archive', archive: brokenOff() }), { code: 'ECONNRESET' })
  t.strictSame([...stored(), ...staged()], [])
})

t.test('what cannot be recorded is not kept, unless another image holds it', async (t) => {
  const { dir, blobs, take, stored } = await setUp(t)
  const set = writeFiles(path.join(dir, 'set'), setFiles())
  const fail = () => Promise.reject(new Error('the database refused'))
  const wish = { source: { kind: 'path', path: set }, maxBytes: MANY } as const
  await t.rejects(importImage(blobs, wish, fail), /refused/)
  t.strictSame(stored(), [])
  await take(wish.source)
  await t.rejects(importImage(blobs, wish, fail), /refused/)
  t.equal(stored().length, 2)
})

t.test('what an import that was killed left behind is cleared away, and nothing else', async (t) => {
  const { dir, blobs, stored, staged, fromPath } = await setUp(t)
  await fromPath(writeFiles(path.join(dir, 'set'), setFiles()))
  const [used] = stored()
  const dead = path.join(dir, 'images', 'staging', 'dead')
  const orphan = 'ab'.repeat(32)
  writeFiles(dead, { '3.part': 'half', [orphan]: 'placed but not recorded' })
  linkSync(path.join(dead, orphan), blobs.pathOf(orphan))
  linkSync(blobs.pathOf(used!), path.join(dead, used!))
  t.match(await blobs.open(), { swept: 1 })
  t.strictSame(staged(), [])
  t.equal(stored().length, 2)
  t.ok(stored().includes(used!), 'a file that an image holds stays')
})

t.test('importing a set again mends a file that has rotted', async (t) => {
  const { dir, blobs, fromPath } = await setUp(t)
  const files = setFiles()
  const set = writeFiles(path.join(dir, 'set'), files)
  const { files: stored } = await fromPath(set)
  const kernel = blobs.pathOf(stored[0]!.sha256)
  rmSync(kernel)
  writeFileSync(kernel, 'rotten')
  await fromPath(set)
  t.strictSame(readFileSync(kernel), files.bzImage)
})

t.test('a running import keeps the files that it counts on from being collected', async (t) => {
  const { dir, blobs, stored } = await setUp(t)
  const set = writeFiles(path.join(dir, 'set'), setFiles())
  await importImage(blobs, { source: { kind: 'path', path: set }, maxBytes: MANY }, async (image) => {
    t.match(await blobs.collect(), { files: 0 })
    t.equal(stored().length, image.files.length)
  })
  t.strictSame(stored(), [], 'and lets them go when nothing was recorded')
})
