import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { firstBootUnits } from '../../src/model/first-boot-units.ts'
import { allUnits } from '../../src/model/units.ts'
import {
  evaluate,
  fileOf,
  linesOf,
  makePrograms,
  NIXOS,
  nix,
  rootWithSystemd,
  skip,
} from './support/evaluated-module.ts'

// Parsed by Nix, evaluated against our own stub of lib, turned into unit files and read by systemd. Not nixpkgs, and no
// image is built: docs/operators-guide.md says so too.

const SCRIPTS = '/pkgs/pilotlight-first-boot'
const ALL_NINE =
  '[ "chainfire" "flaredb" "iam" "plasmavmc" "prismnet" "flashdns" "fiberlb" "lightningstor" "k8shost" ]'

function generatedLines(text: string): string[] {
  const lists = new Set(['After', 'Requires', 'Wants', 'Before'])
  return text
    .split('\n')
    .filter((line) => /^[A-Z]/.test(line))
    .map((line) => {
      const [key = '', ...rest] = line.split('=')
      const value = rest.join('=')
      return `${key}=${lists.has(key) ? value.split(' ').sort().join(' ') : value}`
    })
    .sort()
}

t.test('every file parses', { skip }, async (t) => {
  for (const name of readdirSync(NIXOS)) t.doesNotThrow(() => nix('--parse', path.join(NIXOS, name)), name)
})

t.test('the first-boot module makes the very units of the catalogue', { skip }, async (t) => {
  const settings = `{ services.pilotlight-first-boot = { enable = true; services = ${ALL_NINE}; }; }`
  const { services } = evaluate('first-boot.nix', settings)
  for (const { path: name, text } of firstBootUnits(SCRIPTS)) {
    const unit = services[name.replace(/\.service.*$/, '')]
    t.ok(unit, name)
    if (unit !== undefined) t.strictSame(linesOf(unit), generatedLines(text), name)
  }
  t.equal(Object.keys(services).length, 14)
  const off = evaluate('first-boot.nix', '{ }')
  t.strictSame(off.services, {}, 'and nothing when it is not enabled')
})

t.test('a wrong option or type is refused', { skip }, async (t) => {
  t.throws(
    () => evaluate('first-boot.nix', '{ services.pilotlight-first-boot.enabel = true; }'),
    /undeclared options.*enabel/,
  )
  t.throws(
    () =>
      evaluate(
        'first-boot.nix',
        '{ services.pilotlight-first-boot = { enable = true; services = [ "chainfrie" ]; }; }',
      ),
    /not of type listOf enum/,
  )
  t.throws(
    () => evaluate('server.nix', '{ services.pilotlight.enable = true; }'),
    /package is used and not defined/,
  )
})

t.test('systemd reads the units of both modules', { skip }, async (t) => {
  const first = evaluate(
    'first-boot.nix',
    `{ services.pilotlight-first-boot = { enable = true; services = ${ALL_NINE}; }; }`,
  )
  const server = evaluate(
    'server.nix',
    '{ services.pilotlight = { enable = true; package = "/pkgs/pilotlight"; settings.assets_dir = "/srv/loaders"; dhcpSockets = { eth1 = "10.77.0.1"; eth2 = "10.78.0.1"; }; }; }',
  )
  t.strictSame(
    server.settings,
    { data_dir: '/var/lib/pilotlight', assets_dir: '/srv/loaders' },
    'defaults give way',
  )
  t.match(server.users, { pilotlight: { isSystemUser: true } })
  const root = rootWithSystemd(t)
  const units = path.join(root, 'etc/systemd/system')
  const names: string[] = []
  const write = (name: string, text: string) => {
    mkdirSync(path.dirname(path.join(units, name)), { recursive: true })
    writeFileSync(path.join(units, name), text)
    if (!name.includes('/')) names.push(name)
  }
  // The services' own units stand for those of the modules that bring the services.
  for (const { path: name, text } of allUnits()) if (/^[a-z0-9]+\.service$/.test(name)) write(name, text)
  for (const [name, unit] of Object.entries(first.services)) {
    write(
      names.includes(`${name}.service`) ? `${name}.service.d/overrides.conf` : `${name}.service`,
      fileOf(unit, 'Service'),
    )
  }
  for (const [name, unit] of Object.entries(server.services))
    write(`${name}.service`, fileOf(unit, 'Service'))
  for (const [name, unit] of Object.entries(server.sockets)) write(`${name}.socket`, fileOf(unit, 'Socket'))
  t.equal(names.length, 17, 'nine services, five of first boot, the server, a socket unit a link')
  for (const text of names.map((name) => readFileSync(path.join(units, name), 'utf8')))
    makePrograms(root, text)
  for (const { path: name } of allUnits()) {
    const dropIn = path.join(units, path.dirname(name), 'overrides.conf')
    if (existsSync(dropIn)) makePrograms(root, readFileSync(dropIn, 'utf8'))
  }
  const args = ['verify', '--man=no', '--recursive-errors=no', `--root=${root}`, ...names]
  t.equal(execFileSync('systemd-analyze', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }), '')
})
