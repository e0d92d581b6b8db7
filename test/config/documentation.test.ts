import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { loadConfig } from '../../src/config/load.ts'
import { environmentName, KEYS, type Key, SUBNET_KEYS } from '../../src/config/schema.ts'
import { realSurroundings } from '../../src/config/surroundings.ts'
import { ROOT } from '../support/server-process.ts'

const FILE = path.join(ROOT, 'docs', 'configuration.md')
const TEXT = readFileSync(FILE, 'utf8')
const [EXPLANATIONS = '', AT_A_GLANCE = ''] = TEXT.split('## Every key')

const RULES: readonly (readonly [key: string, variable: string, rule: Key])[] = [
  ...Object.entries(KEYS).map(([key, rule]) => [key, `\`${environmentName(key)}\``, rule] as const),
  ...Object.entries(SUBNET_KEYS).map(([key, rule]) => [`subnets[].${key}`, 'none', rule] as const),
]

t.test('every key is explained in a table, with its default and its meaning', async (t) => {
  const rows = EXPLANATIONS.split('\n').filter((line) => line.startsWith('| `'))
  const explained = new Set<string>()
  for (const row of rows) {
    const [, keys = '', standard = '', meaning = ''] = row.split(/(?<!\\)\|/).map((cell) => cell.trim())
    if (standard !== '' && meaning !== '')
      for (const [, key = ''] of keys.matchAll(/`([^`]+)`/g)) explained.add(key)
  }
  const keys = RULES.map(([key]) => key)
  t.same(
    keys.filter((key) => !explained.has(key)),
    [],
    'none is left out',
  )
  t.same(
    [...explained].filter((key) => !keys.includes(key)),
    [],
    'none is gone',
  )
})

t.test('the table of all keys says what the schema says', async (t) => {
  const lines = AT_A_GLANCE.split('\n').filter((line) => line.startsWith('| `'))
  const wanted = RULES.map(([key, variable, rule]) => `| \`${key}\` | ${variable} | \`${rule.example}\` |`)
  if (process.env.UPDATE_DOCS === '1') {
    const table = ['| key | environment variable | example |', '| --- | --- | --- |', ...wanted].join('\n')
    const text = `${EXPLANATIONS}## Every key\n\nWith its environment variable, and an example of its value.\n\n${table}\n`
    writeFileSync(FILE, text)
    return
  }
  t.same(lines, wanted, 'UPDATE_DOCS=1 npx tap test/config/documentation.test.ts writes it')
})

t.test('the example of every key is one that the key takes', async (t) => {
  for (const [key, , rule] of RULES)
    t.not(rule.parse(parse(rule.example)), undefined, `${key}: ${rule.example}`)
})

t.test('the whole example loads', async (t) => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'pilotlight-config-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const blocks = [...TEXT.matchAll(/```yaml\n(.*?)```/gs)].map((match) => match[1] ?? '')
  t.ok(blocks.length >= 1, 'there is one')
  for (const [index, block] of blocks.entries()) {
    const file = path.join(dir, `example-${index}.yaml`)
    writeFileSync(file, block)
    t.doesNotThrow(() => loadConfig(file, { ...realSurroundings(ROOT, existsSync), isElsewhere: true }))
  }
})
