import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import type { Test } from 'tap'
import { call } from '../../src/cli/api-client.ts'
import { chooseDemoMode } from '../../src/cli/demo-mode.ts'
import type { Role } from '../../src/model/machine.ts'
import type { Ipv4 } from '../../src/net/ipv4.ts'
import type { Mac } from '../../src/net/mac.ts'
import { type ChildServer, startChildServer } from '../../src/rack/child-server.ts'
import type { RackMachine } from '../../src/rack/rack.ts'
import type { ApiCall } from '../../src/rack/rack-run.ts'
import { DEBIAN_IPXE_DIR } from '../../src/servers/files/install-loaders.ts'
import { type ContainerRack, makeContainerRack } from './container-rack.ts'

const PROGRAM_DIR = new URL('../..', import.meta.url).pathname
const START = path.join(PROGRAM_DIR, 'src', 'start.js')
const LONGEST_WAIT_MS = 180_000
const { mode, why } = chooseDemoMode(false)

/** Why tests with containers are not possible on this machine; false where they are. */
export const noContainers = mode === 'qemu' ? false : `not possible here: ${why}`

/** Machine `number` (1 to 3: the addresses of the image's certificate); `racksByte` keeps the MACs of racks apart. */
export function containerMachine(number: number, racksByte: string, role?: Role): RackMachine {
  return {
    name: `node0${number}`,
    mac: `52:54:00:${racksByte}:00:0${number}` as Mac,
    uuid: `${racksByte.repeat(4)}-2222-4333-8444-55555555550${number}`,
    serial: `CONTAINER-${racksByte}-0${number}`,
    address: `10.77.0.1${number}` as Ipv4,
    firmware: 'container',
    ...(role === undefined ? {} : { role }),
  }
}

export interface SeenEvent {
  readonly seq: number
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
}

/** A rack of containers with the real server in it, its API and its command line. */
export interface ServedContainers {
  readonly rack: ContainerRack
  readonly server: ChildServer
  readonly api: ApiCall
  /** `pilotlight ARGS` against the server. */
  cli(...args: string[]): Promise<{ readonly code: number; readonly output: string }>
  events(type: string): Promise<readonly SeenEvent[]>
  /** Asks until it is so; rejects with the ends of all consoles when that takes too long. */
  until(what: string, isSo: () => Promise<boolean>): Promise<void>
  powerOn(machine: RackMachine): Promise<{ powerOff(): Promise<void> }>
  /** What the consoles said last. */
  consoles(): string
}

/** Makes a rack, starts the server in it with `yaml` added to its configuration, and takes both down after the test. */
export async function serveContainers(
  t: Test,
  machines: readonly RackMachine[],
  yaml = '',
): Promise<ServedContainers> {
  const workDir = await mkdtemp(path.join(os.tmpdir(), 'pilotlight-containers-'))
  let rack: ContainerRack | undefined
  let server: ChildServer | undefined
  t.teardown(async () => {
    await rack?.close()
    await server?.stop()
    if (t.passing()) await rm(workDir, { recursive: true, force: true })
  })
  const made = await makeContainerRack(workDir, PROGRAM_DIR, machines)
  rack = made
  const { commandPrefix, serverYaml } = made
  const served = { commandPrefix, serverYaml: serverYaml + yaml }
  const started = await startChildServer({
    rack: served,
    workDir,
    startScript: START,
    loadersFrom: DEBIAN_IPXE_DIR,
  })
  server = started
  const access = { url: started.url, token: started.token }
  const api: ApiCall = (method, route, body) => call(method, route, body, access)
  const consoles = () =>
    machines
      .map((each) => made.logOf(each))
      .filter((file) => existsSync(file))
      .map((file) => `${file}:\n${readFileSync(file, 'utf8').slice(-2500)}`)
      .join('\n')
  return {
    rack: made,
    server: started,
    api,
    consoles,
    cli: (...args) =>
      runProgram([START, ...args], {
        ...process.env,
        PILOTLIGHT_URL: started.url,
        PILOTLIGHT_TOKEN: started.token,
      }),
    async events(type) {
      const { items } = await api<{ items: SeenEvent[] }>('GET', '/events?limit=1000')
      return items.filter((event) => event.type === type)
    },
    async until(what, isSo) {
      const deadline = Date.now() + LONGEST_WAIT_MS
      while (!(await isSo())) {
        if (Date.now() > deadline) throw new Error(`never: ${what}\n${consoles()}`)
        await new Promise((resolve) => setTimeout(resolve, 300))
      }
    },
    async powerOn(machine) {
      const powered = await made.powerOn(machine)
      // It ends by a test's own hand; a machine that ends by itself is missed by who waits for it.
      powered.ended.catch(() => undefined)
      return powered
    },
  }
}

/** Not synchronous: the way to the server's socket file leads through this process. */
function runProgram(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ readonly code: number; readonly output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [...args], { env, encoding: 'utf8' }, (error, stdout, stderr) => {
      const code = typeof error?.code === 'number' ? error.code : 0
      resolve({ code, output: stdout === '' ? stderr : stdout })
    })
  })
}
