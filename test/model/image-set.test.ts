import t from 'tap'
import { choosePartsOf, scriptNameAmong } from '../../src/model/image-set.ts'
import { INIT, netbootScript } from '../support/image-files.ts'

const SUFFIX = '-x86_64-linux'
const RENAMED = [`bzImage${SUFFIX}`, `initrd${SUFFIX}`, `netboot${SUFFIX}.ipxe`]
const KEXEC = `#!/usr/bin/env bash
SCRIPT_DIR=$( cd -- "$( dirname -- "\${BASH_SOURCE[0]}" )" &> /dev/null && pwd )
kexec --load \${SCRIPT_DIR}/bzImage \\
  --initrd=\${SCRIPT_DIR}/initrd.gz \\
  --command-line "init=${INIT} loglevel=4 console=ttyS0,115200"
kexec -e
`

t.test(
  'the script of a set is the wished one, netboot.ipxe, the only *.ipxe, or that of a kexec tree',
  async (t) => {
    t.equal(scriptNameAmong(['bzImage', 'initrd', 'netboot.ipxe']), 'netboot.ipxe')
    t.equal(scriptNameAmong(RENAMED), `netboot${SUFFIX}.ipxe`)
    t.equal(scriptNameAmong(['bzImage', 'initrd.gz', 'kexec-boot']), 'kexec-boot')
    t.equal(scriptNameAmong(['a.ipxe', 'b.ipxe'], 'b.ipxe'), 'b.ipxe')
    t.match(scriptNameAmong(['a.ipxe', 'b.ipxe']), { code: 'several-scripts', cure: /--script/ })
    t.match(scriptNameAmong(['bzImage']), { code: 'netboot-ipxe-missing' })
    t.match(scriptNameAmong(['a.ipxe'], 'c.ipxe'), { code: 'script-missing' })
  },
)

t.test('a NixOS build is read: files, init and parameters, without ${cmdline}', async (t) => {
  t.strictSame(choosePartsOf(['bzImage', 'initrd', 'netboot.ipxe'], 'netboot.ipxe', netbootScript()), {
    kernel: 'bzImage',
    initrd: 'initrd',
    init: INIT,
    parameters: ['loglevel=4', 'lsm=landlock,yama'],
  })
})

t.test('published sets name their files by URL, with the system in every name', async (t) => {
  const base = 'https://downloads.example/releases/nixos-unstable'
  const text = `#!ipxe
kernel ${base}/bzImage${SUFFIX} init=${INIT} initrd=initrd${SUFFIX} nohibernate loglevel=4 \${cmdline}
initrd ${base}/initrd${SUFFIX}
boot
`
  const whole = { kernel: RENAMED[0], initrd: RENAMED[1], init: INIT, claims: 'x86_64' }
  t.match(choosePartsOf(RENAMED, RENAMED[2]!, text), whole)
  t.match(choosePartsOf(RENAMED, RENAMED[2]!, netbootScript()), whole, 'renamed after the build')
})

t.test('a kexec tree says the same in the words of kexec', async (t) => {
  t.match(choosePartsOf(['bzImage', 'initrd.gz', 'kexec-boot'], 'kexec-boot', KEXEC), {
    kernel: 'bzImage',
    initrd: 'initrd.gz',
    init: INIT,
    parameters: ['loglevel=4', 'console=ttyS0,115200'],
  })
})

t.test('a squashfs beside the set belongs to it; two do not say which', async (t) => {
  const names = ['bzImage', 'initrd', 'root.squashfs']
  t.match(choosePartsOf(names, 'netboot.ipxe', netbootScript()), { squashfs: 'root.squashfs' })
  t.match(choosePartsOf([...names, 'b.squashfs'], 'netboot.ipxe', netbootScript()), {
    code: 'several-squashfs',
  })
})

t.test('iPXE options before the file are understood', async (t) => {
  const text = `#!ipxe\nkernel --name k --timeout 500 bzImage init=${INIT} initrd=first || goto x\ninitrd --name first initrd || goto x\n`
  t.match(choosePartsOf(['bzImage', 'initrd'], 'netboot.ipxe', text), {
    kernel: 'bzImage',
    initrd: 'initrd',
    parameters: [],
  })
})

const refused: readonly (readonly [code: string, text: string, names?: readonly string[]])[] = [
  ['no-kernel-line', '#!ipxe\ninitrd initrd\n'],
  ['no-initrd-line', `#!ipxe\nkernel bzImage init=${INIT} initrd=initrd\n`],
  ['several-initrds', `${netbootScript()}initrd more\n`],
  ['no-init', '#!ipxe\nkernel bzImage initrd=initrd\ninitrd initrd\n'],
  ['no-init', '#!ipxe\nkernel bzImage init=relative initrd=initrd\ninitrd initrd\n'],
  ['no-init', `#!ipxe\nkernel bzImage init=/a init=/b initrd=initrd\ninitrd initrd\n`],
  ['initrd-mismatch', `#!ipxe\nkernel bzImage init=${INIT} initrd=other\ninitrd initrd\n`],
  ['initrd-mismatch', `#!ipxe\nkernel bzImage init=${INIT} initrd=initrd\ninitrd --name other initrd\n`],
  ['initrd-mismatch', netbootScript('bzImage', 'initrd', 'initrd=other')],
  ['unsafe-parameter', netbootScript('bzImage', 'initrd', 'quiet;reboot')],
  ['unsafe-parameter', netbootScript('bzImage', 'initrd', 'x=${uuid}')],
  ['unsafe-parameter', netbootScript('bzImage', 'initrd', 'x=$(id)')],
  ['unsafe-parameter', netbootScript('bzImage', 'initrd', 'x="a')],
  ['unsafe-parameter', netbootScript('bzImage', 'initrd', 'a&b')],
  ['unsafe-parameter', netbootScript('bzImage', 'initrd', '`id`')],
  ['unsafe-parameter', netbootScript('bzImage', 'initrd', `x=${'a'.repeat(256)}`)],
  ['no-kernel-line', netbootScript('$(id)')],
  ['no-kernel-line', netbootScript('..')],
  ['file-missing', netbootScript('vmlinuz')],
  ['file-missing', netbootScript(), ['bzImage']],
  [
    'architecture-mixed',
    netbootScript('bzImage-aarch64', 'initrd-x86_64'),
    ['bzImage-aarch64', 'initrd-x86_64'],
  ],
  [
    'architecture-mixed',
    netbootScript('bzImage-x86_64', 'initrd-x86_64'),
    ['bzImage-x86_64', 'initrd-x86_64', 'root-aarch64.squashfs'],
  ],
]

for (const [code, text, names = ['bzImage', 'initrd']] of refused) {
  t.test(`refused as ${code}: ${JSON.stringify(text.slice(7, 90))}`, async (t) => {
    t.match(choosePartsOf(names, 'netboot.ipxe', text), { code, detail: String, cure: String })
  })
}
