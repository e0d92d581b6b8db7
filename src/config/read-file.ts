import { readFileSync } from 'node:fs'
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml'
import { closestWord } from './closest-word.ts'
import { type Complaint, ConfigError, shown } from './messages.ts'
import { KEYS, type Key, type KeyName, SUBNET_KEYS, type SubnetKeyName } from './schema.ts'

/** A value with the place in the file that it came from. */
export interface Found {
  readonly value: unknown
  readonly where: string
}

/** What a file says, key by key, checked for its types but not yet for what belongs together. */
export interface FileContent {
  readonly values: ReadonlyMap<KeyName, Found>
  readonly subnets: readonly ReadonlyMap<SubnetKeyName, Found>[]
}

const SECTIONS = new Set(['dhcp', 'tftp', 'boot', 'images', 'api', 'stall', 'events', 'log'])
const KNOWN = [...Object.keys(KEYS), ...SECTIONS, 'subnets']

/**
 * Reads a YAML file into its known keys. Unknown keys and values of the wrong type are complained of with their line.
 *
 * @throws ConfigError when the file cannot be read or is no YAML.
 */
export function readConfigFile(file: string, complaints: Complaint[]): FileContent {
  const source = readSource(file)
  const lines = new LineCounter()
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false })
  const at = (node: { range?: readonly number[] | null } | null | undefined) => {
    const { line, col } = lines.linePos(node?.range?.[0] ?? 0)
    return `${file}:${line}:${col}`
  }
  const [broken] = document.errors
  if (broken !== undefined) {
    const { line, col } = lines.linePos(broken.pos[0])
    const message = broken.message.split('\n')[0] ?? ''
    throw new ConfigError([
      { where: `${file}:${line}:${col}`, key: 'YAML', got: message, want: 'well-formed YAML' },
    ])
  }
  const values = new Map<KeyName, Found>()
  let subnets: readonly ReadonlyMap<SubnetKeyName, Found>[] = []
  if (document.contents !== null && !isMap(document.contents)) {
    throw new ConfigError([{ where: `${file}:1:1`, key: 'file', got: 'no map', want: 'keys and values' }])
  }
  for (const [key, keyNode, valueNode] of entries(document.contents)) {
    if (key === 'subnets') {
      subnets = readSubnets(valueNode, at, complaints)
    } else if (SECTIONS.has(key)) {
      if (!isMap(valueNode) && plain(valueNode) !== null) {
        complaints.push({ where: at(valueNode), key, got: shown(plain(valueNode)), want: 'keys and values' })
      }
      for (const [inner, innerNode, node] of entries(valueNode)) take(`${key}.${inner}`, innerNode, node)
    } else {
      take(key, keyNode, valueNode)
    }
  }
  return { values, subnets }

  function take(key: string, keyNode: Node, valueNode: Node | null): void {
    const rule = Object.hasOwn(KEYS, key) ? KEYS[key as KeyName] : undefined
    if (rule === undefined) return void complaints.push(unknownKey(at(keyNode), key, KNOWN))
    const value = plain(valueNode)
    if (value === null) return
    const read = rule.parse(value)
    const where = at(valueNode)
    if (read === undefined) complaints.push({ where, key, ...faultOf(rule, value) })
    else values.set(key as KeyName, { value: read, where })
  }
}

type At = (node: { range?: readonly number[] | null } | null | undefined) => string

function readSubnets(
  node: Node | null,
  at: At,
  complaints: Complaint[],
): readonly ReadonlyMap<SubnetKeyName, Found>[] {
  if (plain(node) === null || node === null) return []
  if (!isSeq(node)) {
    complaints.push({
      where: at(node),
      key: 'subnets',
      got: 'no list',
      want: 'a list: "- cidr: 10.77.0.0/24"',
    })
    return []
  }
  return node.items.map((item, index) => {
    const found = new Map<SubnetKeyName, Found>()
    if (!isMap(item)) {
      complaints.push({
        where: at(item as Node),
        key: `subnets[${index}]`,
        got: 'no map',
        want: 'keys and values',
      })
      return found
    }
    for (const [name, keyNode, valueNode] of entries(item as YAMLMap)) {
      const key = `subnets[${index}].${name}`
      const rule = Object.hasOwn(SUBNET_KEYS, name) ? SUBNET_KEYS[name as SubnetKeyName] : undefined
      if (rule === undefined) {
        complaints.push(unknownKey(at(keyNode), key, Object.keys(SUBNET_KEYS), name))
        continue
      }
      const value = plain(valueNode)
      if (value === null) continue
      const read = rule.parse(value)
      const where = at(valueNode)
      if (read === undefined) complaints.push({ where, key, ...faultOf(rule, value) })
      else found.set(name as SubnetKeyName, { value: read, where })
    }
    if (!entriesHave(item, 'cidr')) {
      complaints.push({
        where: at(item),
        key: `subnets[${index}].cidr`,
        got: 'nothing',
        want: 'the subnet itself, such as 10.77.0.0/24',
      })
    }
    return found
  })
}

function readSource(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException
    const [got, cure] =
      code === 'ENOENT'
        ? ['no such file', 'write one: pilotlight init']
        : [code, 'name another with --config, or correct its owner or mode']
    throw new ConfigError([{ where: file, key: 'file', got, want: 'a readable file', cure }])
  }
}

function* entries(map: unknown): Generator<[string, Node, Node | null]> {
  if (!isMap(map)) return
  for (const pair of map.items) {
    const key = pair.key as Node
    yield [isScalar(key) ? String(key.value) : '?', key, (pair.value ?? null) as Node | null]
  }
}

/** True when a map has the key, whatever its value is worth. */
function entriesHave(map: unknown, name: string): boolean {
  return [...entries(map)].some(([key, , value]) => key === name && value !== null && plain(value) !== null)
}

function plain(node: Node | null): unknown {
  if (node === null) return null
  if (isScalar(node)) return node.value
  return (node as unknown as { toJSON(): unknown }).toJSON()
}

function faultOf(rule: Key, value: unknown): Pick<Complaint, 'got' | 'want' | 'cure'> {
  return rule.explain?.(value) ?? { got: shown(value), want: `${rule.want}, such as ${rule.example}` }
}

function unknownKey(where: string, key: string, known: readonly string[], typed = key): Complaint {
  const meant = closestWord(typed, known)
  return {
    where,
    key,
    got: 'an unknown key',
    want: `one of ${known.join(', ')}`,
    ...(meant === undefined ? {} : { cure: `did you mean ${meant}?` }),
  }
}
