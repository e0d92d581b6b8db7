/** One line of a JUnit report: a stage of one machine. */
export interface TestCase {
  readonly name: string
  readonly seconds: number
  readonly outcome: 'passed' | 'failed' | 'skipped'
  /** For `failed`: what to read first, and all that is known. */
  readonly failure?: { readonly message: string; readonly text: string }
}

export interface TestSuite {
  readonly name: string
  readonly cases: readonly TestCase[]
  /** What a person reads beside the cases. */
  readonly output: string
}

/** Writes a JUnit XML report as CI systems read it: `testsuites`, a suite a machine, a case a stage. */
export function junitXml(suites: readonly TestSuite[]): string {
  const total = (outcome: TestCase['outcome']) =>
    count(
      suites.flatMap(({ cases }) => cases),
      outcome,
    )
  const all = suites.reduce((sum, { cases }) => sum + cases.length, 0)
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites tests="${all}" failures="${total('failed')}" skipped="${total('skipped')}">`,
    ...suites.flatMap(suiteLines),
    '</testsuites>',
    '',
  ].join('\n')
}

function suiteLines({ name, cases, output }: TestSuite): string[] {
  const seconds = cases.reduce((sum, one) => sum + one.seconds, 0)
  const counts = `tests="${cases.length}" failures="${count(cases, 'failed')}" skipped="${count(cases, 'skipped')}"`
  return [
    `  <testsuite name="${xmlText(name)}" ${counts} time="${seconds.toFixed(3)}">`,
    ...cases.map((one) => caseLine(name, one)),
    `    <system-out>${xmlText(output)}</system-out>`,
    '  </testsuite>',
  ]
}

function caseLine(suite: string, { name, seconds, outcome, failure }: TestCase): string {
  const head = `    <testcase classname="${xmlText(suite)}" name="${xmlText(name)}" time="${seconds.toFixed(3)}"`
  if (outcome === 'passed') return `${head}/>`
  if (outcome === 'skipped') return `${head}><skipped/></testcase>`
  const { message, text } = failure ?? { message: 'failed', text: '' }
  return `${head}><failure message="${xmlText(message)}">${xmlText(text)}</failure></testcase>`
}

function count(cases: readonly TestCase[], outcome: TestCase['outcome']): number {
  return cases.filter((one) => one.outcome === outcome).length
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/** Text for an attribute or an element; characters that XML 1.0 has no way to write become a question mark. */
function xmlText(text: string): string {
  return text
    .replace(/[&<>"]/g, (char) => ENTITIES[char] ?? char)
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ufffe\uffff]/g, '?')
}
