import { parse } from 'yaml'
import { closestWord } from './closest-word.ts'
import { type Complaint, shown } from './messages.ts'
import type { Found } from './read-file.ts'
import { environmentName, KEYS, type KeyName } from './schema.ts'

const PREFIX = 'PILOTLIGHT_'

/** What the client commands read. */
const CLIENT_VARIABLES = ['PILOTLIGHT_URL', 'PILOTLIGHT_TOKEN', 'PILOTLIGHT_CONFIG']

/** What the first-boot scripts read, on machines: without meaning here, and no slip of the pen. */
export const NODE_VARIABLES = [
  'PILOTLIGHT_CMDLINE',
  'PILOTLIGHT_DATA',
  'PILOTLIGHT_DIR',
  'PILOTLIGHT_HEALTH_SECONDS',
  'PILOTLIGHT_MAX_TRIES',
  'PILOTLIGHT_MEMBER_SECONDS',
  'PILOTLIGHT_RUN',
]

/** What Kubernetes and container links set in every container beside a service that is called `pilotlight`. */
const SERVICE_LINK =
  /^PILOTLIGHT_(?:SERVICE_(?:HOST|PORT(?:_\w+)?)|PORT(?:_\d+_(?:TCP|UDP)(?:_(?:PROTO|PORT|ADDR))?)?)$/

const KEY_OF_VARIABLE: ReadonlyMap<string, KeyName> = new Map(
  (Object.keys(KEYS) as KeyName[]).map((key) => [environmentName(key), key]),
)

/** Puts what the environment says over `values`. A variable of ours that nobody reads is complained of: it was mistyped. */
export function takeEnvironment(
  values: Map<KeyName, Found>,
  environment: NodeJS.ProcessEnv,
  complaints: Complaint[],
): void {
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith(PREFIX) || text === undefined || text === '') continue
    const key = KEY_OF_VARIABLE.get(name)
    if (key === undefined) {
      if (!isReadElsewhere(name)) complaints.push(unknownVariable(name))
      continue
    }
    const rule = KEYS[key]
    const value = rule.parse(text) ?? rule.parse(asYaml(text))
    if (value === undefined)
      complaints.push({ where: name, key, got: shown(text), want: `${rule.want}, such as ${rule.example}` })
    else values.set(key, { value, where: name })
  }
}

/** Lists and maps are written in the environment as in the file: `[dc:a6:32]`. */
function asYaml(text: string): unknown {
  try {
    return parse(text)
  } catch {
    return undefined
  }
}

function isReadElsewhere(name: string): boolean {
  return CLIENT_VARIABLES.includes(name) || NODE_VARIABLES.includes(name) || SERVICE_LINK.test(name)
}

function unknownVariable(name: string): Complaint {
  return {
    where: name,
    key: 'environment',
    got: 'an unknown variable',
    want: 'the variable of a key, as docs/configuration.md lists them',
    cure: cureOf(name),
  }
}

function cureOf(name: string): string {
  if (name.startsWith(`${PREFIX}SUBNETS`)) return 'subnets are said in the file'
  // What all have in common says nothing of how near two are.
  const ends = [...KEY_OF_VARIABLE.keys(), ...CLIENT_VARIABLES].map((known) => known.slice(PREFIX.length))
  const meant = closestWord(name.slice(PREFIX.length), ends)
  return meant === undefined ? 'unset it' : `did you mean ${PREFIX}${meant}?`
}
