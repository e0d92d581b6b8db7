import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'

const ROOT = new URL('../..', import.meta.url).pathname
const SCRIPT_DIRECTORIES = ['boot-assets/first-boot', 'boot-assets/initrd']
const STAND_INS = path.join(ROOT, 'src/rack/stand-ins')

const scripts = SCRIPT_DIRECTORIES.flatMap((directory) =>
  readdirSync(path.join(ROOT, directory)).map((name) => path.join(directory, name)),
).filter((name) => name.endsWith('.sh'))
const skip =
  existsSync('/usr/bin/shellcheck') || process.env.CI === 'true' ? false : 'shellcheck is not installed'

t.test('the scripts that users run are POSIX shell without a complaint', { skip }, async (t) => {
  t.ok(scripts.length >= 10)
  for (const name of scripts) {
    const file = path.join(ROOT, name)
    t.equal(run('shellcheck', ['-x', '-s', 'sh', '-P', ROOT, file]), '', name)
    t.equal(run('dash', ['-n', file]), '', `${name} under dash`)
  }
})

t.test('so are the stand-ins and the script that builds the demo image', { skip }, async (t) => {
  for (const name of readdirSync(STAND_INS)) {
    t.equal(run('shellcheck', ['-x', '-P', ROOT, path.join(STAND_INS, name)]), '', name)
  }
})

function run(command: string, args: readonly string[]): string {
  try {
    return execFileSync(command, [...args], {
      encoding: 'utf8',
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  } catch (error) {
    return (
      String((error as { stdout?: string }).stdout ?? '') +
      String((error as { stderr?: string }).stderr ?? error)
    )
  }
}
