import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import t from 'tap'
import { nodeHealthChecks } from '../../src/model/node-health-checks.ts'
import { SERVICES } from '../../src/model/services.ts'
import { allUnits } from '../../src/model/units.ts'

const ROOT = new URL('../..', import.meta.url).pathname
const UNITS = path.join(ROOT, 'boot-assets/units')
const HEALTH_CHECKS = path.join(ROOT, 'boot-assets/first-boot/health-checks.json')
const SCRIPTS = path.join(ROOT, 'boot-assets/first-boot')

/** Key=value lines of a unit; a key that stands several times has all its values. */
function unit(name: string): Map<string, string[]> {
  const facts = new Map<string, string[]>()
  for (const line of readFileSync(path.join(UNITS, name), 'utf8').split('\n')) {
    const [key, ...value] = line.split('=')
    if (key === undefined || value.length === 0 || line.startsWith('#')) continue
    facts.set(key, [...(facts.get(key) ?? []), value.join('=')])
  }
  return facts
}

/** A value that is a list of words, in any order. */
function words(name: string, key: string): string[] {
  return (unit(name).get(key) ?? []).flatMap((value) => value.split(' ')).sort()
}

t.test('the files of boot-assets are what the catalogue makes: npm run generate', async (t) => {
  const made = allUnits()
  for (const { path: name, text } of made) t.equal(readFileSync(path.join(UNITS, name), 'utf8'), text, name)
  const there = readdirSync(UNITS, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  t.equal(there.length, made.length, 'and nothing else')
  t.equal(readFileSync(HEALTH_CHECKS, 'utf8'), nodeHealthChecks())
})

const CHAIN = [
  ['chainfire-cluster-join', 'chainfire', 'flaredb-cluster-join', 'cluster-join.sh --service chainfire'],
  ['flaredb-cluster-join', 'flaredb', 'iam-initial-setup', 'cluster-join.sh --service flaredb'],
  ['iam-initial-setup', 'iam', 'cluster-health-check', 'iam-initial-setup.sh'],
] as const

for (const [step, service, next, command] of CHAIN) {
  t.test(`${step} is a one-shot after ${service}, as the seed has it`, async (t) => {
    const facts = unit(`${step}.service`)
    t.strictSame(facts.get('Type'), ['oneshot'])
    t.strictSame(facts.get('RemainAfterExit'), ['true'])
    t.strictSame(facts.get('Restart'), ['on-failure'])
    t.strictSame(facts.get('RestartSec'), ['10s'])
    t.strictSame(facts.get('ExecStart'), [`/usr/libexec/pilotlight/first-boot/${command}`])
    t.ok(words(`${step}.service`, 'After').includes(`${service}.service`))
    t.strictSame(facts.get(service === 'iam' ? 'Wants' : 'Requires'), [`${service}.service`])
    t.strictSame(facts.get('Before'), [`${next}.service`])
    t.strictSame(facts.get('WantedBy'), ['multi-user.target'])
  })
}

t.test(
  'the health check is the last of the chain, and runs also when something before it failed',
  async (t) => {
    const facts = unit('cluster-health-check.service')
    t.ok(words('cluster-health-check.service', 'After').includes('iam-initial-setup.service'))
    t.equal(facts.get('Requires'), undefined)
    t.strictSame(facts.get('Type'), ['oneshot'])
  },
)

t.test(
  'in first boot each service waits for the join before it, and starts only where its role has it',
  async (t) => {
    const waits: Readonly<Record<string, string[]>> = {
      flaredb: ['chainfire-cluster-join.service'],
      iam: ['flaredb-cluster-join.service'],
    }
    for (const { name } of SERVICES) {
      const dropIn = `${name}.service.d/first-boot.conf`
      t.strictSame(words(dropIn, 'After'), [...(waits[name] ?? []), 'pilotlight-config.service'].sort(), name)
      t.strictSame(unit(dropIn).get('ConditionPathExists'), [`/run/pilotlight/services/${name}`])
    }
    t.strictSame(unit('pilotlight-config.service').get('Before'), ['chainfire.service'])
    for (const name of ['chainfire', 'flaredb']) {
      t.match(
        unit(`${name}.service.d/first-boot.conf`).get('ExecStartPre')?.[0],
        /^\+.*check-data\.sh --service/,
      )
    }
  },
)

t.test('Chainfire and FlareDB have the units that the seed writes out', async (t) => {
  const chainfire = unit('chainfire.service')
  for (const [key, value] of [
    ['Description', 'Chainfire Distributed Configuration Service'],
    ['After', 'network-online.target'],
    ['Wants', 'network-online.target'],
    ['Type', 'notify'],
    ['Restart', 'on-failure'],
    ['RestartSec', '10s'],
    ['TimeoutStartSec', '60s'],
    ['Environment', '"CHAINFIRE_LOG_LEVEL=info"'],
    ['EnvironmentFile', '-/etc/nixos/secrets/chainfire.env'],
    ['User', 'chainfire'],
    ['Group', 'chainfire'],
    ['StateDirectory', 'chainfire'],
    ['ConfigurationDirectory', 'chainfire'],
    ['PrivateTmp', 'true'],
    ['ProtectSystem', 'strict'],
    ['ProtectHome', 'true'],
    ['NoNewPrivileges', 'true'],
    ['WantedBy', 'multi-user.target'],
  ] as const)
    t.strictSame(chainfire.get(key), [value], key)
  t.match(chainfire.get('ExecStart')?.[0], /\/chainfire-server --config \/etc\/nixos\/chainfire\.toml$/)
  t.equal(chainfire.get('Requires'), undefined)

  const flaredb = unit('flaredb.service')
  t.strictSame(words('flaredb.service', 'After'), ['chainfire.service', 'network-online.target'])
  t.strictSame(flaredb.get('Requires'), ['chainfire.service'])
  t.strictSame(flaredb.get('Wants'), ['network-online.target'])
  t.strictSame(flaredb.get('TimeoutStartSec'), ['90s'])
  t.strictSame(flaredb.get('ExecStartPre'), [
    "/bin/sh -c 'until curl -k https://localhost:2379/health; do sleep 5; done'",
  ])
  t.match(flaredb.get('ExecStart')?.[0], /\/flaredb-server --config \/etc\/nixos\/flaredb\.toml$/)
})

t.test('every service has the type, the order and the limits of the catalogue', async (t) => {
  for (const service of SERVICES) {
    const name = `${service.name}.service`
    const facts = unit(name)
    const online = service.needsNetworkOnline ? ['network-online.target'] : []
    t.strictSame(facts.get('Type'), [service.unitType], service.name)
    t.strictSame(
      words(name, 'After'),
      [...online, ...service.after.map((other) => `${other}.service`)].sort(),
    )
    t.strictSame(
      words(name, 'Wants'),
      [...online, ...service.wants.map((other) => `${other}.service`)].sort(),
    )
    t.strictSame(
      words(name, 'Requires'),
      service.requires.map((other) => `${other}.service`),
    )
    t.strictSame(facts.get('TimeoutStartSec'), [`${service.timeoutStartSeconds}s`])
    t.strictSame(facts.get('WantedBy'), ['multi-user.target'])
  }
})

const analyze = '/usr/bin/systemd-analyze'
const skip =
  existsSync(analyze) || process.env.CI === 'true'
    ? false
    : 'systemd-analyze is not installed (package systemd)'

t.test('systemd accepts what `pilotlight units` writes, and the order that it makes', { skip }, async (t) => {
  const root = mkdtempSync(path.join(os.tmpdir(), 'pilotlight-units-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  const units = path.join(root, 'etc/systemd/system')
  const said = execFileSync(process.execPath, [path.join(ROOT, 'src/start.js'), 'units', units, '--json'], {
    encoding: 'utf8',
  })
  t.equal(JSON.parse(said).files.length, 23)
  mkdirSync(path.join(root, 'usr/lib/systemd'), { recursive: true })
  cpSync('/usr/lib/systemd/system', path.join(root, 'usr/lib/systemd/system'), {
    recursive: true,
    verbatimSymlinks: true,
  })
  const programs = [
    ...readdirSync(SCRIPTS)
      .filter((entry) => entry.endsWith('.sh'))
      .map((entry) => `usr/libexec/pilotlight/first-boot/${entry}`),
    ...SERVICES.map(({ name }) => `run/current-system/sw/bin/${name}-server`),
    'bin/sh',
  ]
  for (const program of programs) {
    mkdirSync(path.dirname(path.join(root, program)), { recursive: true })
    writeFileSync(path.join(root, program), '#!/bin/sh\n', { mode: 0o755 })
  }
  const names = readdirSync(units).filter((name) => name.endsWith('.service'))
  t.equal(names.length, 14, 'nine services, the configuration, four steps')
  const verify = (...more: string[]) =>
    execFileSync(
      analyze,
      ['verify', '--man=no', '--recursive-errors=no', `--root=${root}`, ...names, ...more],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
    )
  t.equal(verify(), '')
  writeFileSync(path.join(units, 'wrong.service'), '[Service]\nType=oneshot\nExecStart=/not/there\n')
  t.throws(() => verify('wrong.service'), 'and it would have complained')
})
