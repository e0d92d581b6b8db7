import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { ensurePackages } from '../../src/rack/debian-packages.ts'
import { TEST_PACKAGES } from './test-packages.ts'

/**
 * `npm test`: installs what the tests need of Debian's packages, runs the checks and every test, names what was skipped
 * and why, and ends with the line `N passed, N failed, N skipped`.
 *
 * `--quick` leaves out what boots machines; further arguments are test files to run instead of all.
 */

const ROOT = new URL('../..', import.meta.url).pathname
const BIN = path.join(ROOT, 'node_modules', '.bin')
const TAP = path.join(BIN, 'tap')
/** This very Node first: what the commands below start by the name `node` must not be the machine's older one. */
const ENV = { ...process.env, PATH: `${path.dirname(process.execPath)}:${BIN}:${process.env.PATH}` }

interface Tally {
  passed: number
  failed: number
  readonly skipped: string[]
  readonly failures: string[]
}

const args = process.argv.slice(2)
const isQuick = args.includes('--quick')
const files = args.filter((arg) => !arg.startsWith('--'))

await installPackages()
// After a clean install the first run would load the TypeScript plugin that .taprc switches off.
const built = await run(process.execPath, [TAP, 'build'])
if (built !== 0) throw new Error(`tap build ended with ${built}`)
const tally: Tally = { passed: 0, failed: 0, skipped: [], failures: [] }
if (files.length === 0) {
  const checked = await run('npm', ['run', '-s', 'check'])
  if (checked === 0) tally.passed += 1
  else noteFailure(tally, 'npm run check')
}
for (const selection of selections()) {
  const failedBefore = tally.failed
  const code = await runTap(selection, tally)
  if (code !== 0 && tally.failed === failedBefore) noteFailure(tally, `tap ended with ${code}`)
}
tell(tally)
process.exitCode = tally.failed === 0 && tally.passed > 0 ? 0 : 1

/** Two files at a time, then one by one those that boot machines: each of them takes both cores. */
function selections(): readonly (readonly string[])[] {
  if (files.length > 0) return [files]
  const quick = ['--exclude=test/e2e/**']
  return isQuick ? [quick] : [quick, ['--jobs=1', '--timeout=900', 'test/e2e/**/*.test.ts']]
}

async function installPackages(): Promise<void> {
  const say = (line: string) => console.log(line)
  try {
    await ensurePackages(TEST_PACKAGES, say)
  } catch (error) {
    // Without root or apt-get the tests that need a missing program say so, one by one.
    if (process.env.CI === 'true') throw error
    say(`not all packages could be installed: ${(error as Error).message}`)
  }
}

async function run(command: string, commandArgs: readonly string[]): Promise<number | string> {
  const child = spawn(command, commandArgs, {
    cwd: ROOT,
    env: ENV,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  return codeOf(await once(child, 'exit'))
}

/** Runs test files, says a line for each, and shows what failed as it fails. */
async function runTap(selection: readonly string[], tally: Tally): Promise<number | string> {
  const child = spawn(process.execPath, [TAP, '--reporter=tap', ...selection], {
    cwd: ROOT,
    env: ENV,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  let isDiagnosis = false
  for await (const line of createInterface({ input: child.stdout })) {
    const point = /^(\s*)(not )?ok \d+(?: - )?(.*)$/.exec(line)
    if (point !== null) {
      addPoint(tally, point[2] === undefined, point[3] ?? '')
      isDiagnosis = point[2] !== undefined
      if (isDiagnosis || point[1] === '') console.log(line)
    } else if (isDiagnosis) {
      console.log(line)
      if (/^\s*\.\.\.$/.test(line) || /^\s*# Subtest/.test(line)) isDiagnosis = false
    }
  }
  return codeOf(await exited)
}

function codeOf([code, signal]: unknown[]): number | string {
  return (code as number | null) ?? `signal ${signal}`
}

/** Assertions count, and so do the tests and files that hold them. */
function addPoint(tally: Tally, isOk: boolean, text: string): void {
  const skip = /# (?:SKIP|TODO)\b\s*(.*)$/i.exec(text)
  if (skip !== null) tally.skipped.push(`${text.slice(0, skip.index).trim()}: ${skip[1]}`)
  else if (isOk) tally.passed += 1
  else noteFailure(tally, text)
}

function noteFailure(tally: Tally, what: string): void {
  tally.failed += 1
  tally.failures.push(what)
}

function tell({ passed, failed, skipped, failures }: Tally): void {
  console.log('')
  for (const name of failures) console.log(`failed: ${name}`)
  for (const name of skipped) console.log(`skipped: ${name}`)
  console.log(
    `${passed} passed, ${failed} failed${skipped.length === 0 ? '' : `, ${skipped.length} skipped`}`,
  )
}
