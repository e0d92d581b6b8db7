import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import t from 'tap'
import { evaluate, fileOf, makePrograms, rootWithSystemd, skip } from './support/evaluated-module.ts'

// The module of a store beside the initrd, against our stub of lib as modules.test.ts: no NixOS was there. What its stage 1
// runs, fetch-squashfs.sh, boots in test/e2e/separate-squashfs.test.ts.

const ON = 'services.pilotlight-separate-store.enable = true;'
const MOUNT = 'sysroot-nix-.ro\\x2dstore.mount'

t.test('off, it is nothing', { skip }, async (t) => {
  const { initrd, build } = evaluate('separate-store.nix', '{ }')
  t.match(initrd, { availableKernelModules: [], network: { enable: false, postCommands: '' } })
  t.strictSame(initrd.systemd.services, {})
  t.strictSame(build, {})
})

t.test('a stage 1 of shell scripts fetches once its network is up, or starts anew', { skip }, async (t) => {
  const { initrd, build } = evaluate('separate-store.nix', `{ ${ON} }`)
  t.equal(initrd.network.enable, true)
  t.ok(initrd.availableKernelModules.includes('virtio_net'))
  t.strictSame(initrd.systemd.services, {})
  t.strictSame(Object.keys(build), ['pilotlightImage'])
  const directory = mkdtempSync(path.join(os.tmpdir(), 'separate-store-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  // The commands as they are, with programs that say how they were called.
  for (const name of ['sh', 'ln', 'sleep', 'reboot']) {
    const isFetch = name === 'sh' ? 'exit "$FETCH_CODE"' : ''
    writeFileSync(path.join(directory, name), `#!/bin/dash\necho "${name} $*"\n${isFetch}\n`, { mode: 0o755 })
  }
  const run = (code: number) =>
    execFileSync('/bin/dash', ['-eu', '-c', initrd.network.postCommands], {
      encoding: 'utf8',
      env: { PATH: directory, FETCH_CODE: String(code) },
    })
  const fetch = 'sh /pkgs/fetch-squashfs.sh /pilotlight-store\n'
  t.equal(run(0), `${fetch}ln -s /pilotlight-store/root.squashfs /nix-store.squashfs\n`)
  t.equal(run(1), `${fetch}stage 1: no Nix store; restarting in 10 s\nsleep 10\nreboot -f\n`)
})

t.test(
  'a stage 1 of systemd: a unit before the store is mounted, which systemd reads',
  { skip },
  async (t) => {
    const { initrd } = evaluate('separate-store.nix', `{ ${ON} boot.initrd.systemd.enable = true; }`)
    t.equal(initrd.network.postCommands, '')
    t.match(initrd.systemd, {
      network: { networks: { '10-boot': { dhcpV4Config: { ClientIdentifier: 'mac' } } } },
      extraBin: { busybox: '/pkgs/busybox/bin/busybox' },
      storePaths: ['/pkgs/fetch-squashfs.sh'],
    })
    const unit = initrd.systemd.services['pilotlight-store']
    if (unit === undefined) throw new Error('no unit')
    t.match(unit, { requiredBy: [MOUNT], before: [MOUNT] })
    const escaped = execFileSync('systemd-escape', ['-p', '--suffix=mount', '/sysroot/nix/.ro-store'])
    t.equal(escaped.toString().trim(), MOUNT, 'the mount of the store, as systemd names it')
    const root = rootWithSystemd(t)
    const units = path.join(root, 'etc/systemd/system')
    mkdirSync(units, { recursive: true })
    const text = fileOf(unit, 'Service')
    writeFileSync(path.join(units, 'pilotlight-store.service'), text)
    makePrograms(root, text)
    const args = ['verify', '--man=no', '--recursive-errors=no', `--root=${root}`, 'pilotlight-store.service']
    t.equal(
      execFileSync('systemd-analyze', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
      '',
    )
  },
)
