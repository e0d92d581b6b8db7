import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { demoImage } from '../../src/rack/demo-image.ts'
import { RackLedger, sweepLeftovers } from '../../src/rack/leftovers.ts'
import type { PoweredMachine, Rack, RackMachine } from '../../src/rack/rack.ts'
import { RackNetwork } from '../../src/rack/rack-network.ts'
import { runCommand } from '../../src/rack/run-command.ts'

const SERVER = '10.77.0.1'
const RELAY = '10.77.0.2'
const SUPPORT = new URL('.', import.meta.url).pathname

/** The rack's server: the demo's addresses, so that the demo's cached image is good here too. */
const SERVER_YAML = `interface: br0
server_address: ${SERVER}
dhcp: { mode: authoritative }
subnets:
  - cidr: 10.77.0.0/24
    pool: 10.77.0.100-10.77.0.199
    router: ${SERVER}
    lease_seconds: 3600
`
/** Those that the demo's certificate is good for. */
const IMAGE_ADDRESSES = ['10.77.0.11', '10.77.0.12', '10.77.0.13']

export interface ContainerRack extends Rack {
  /** Runs a command in a machine's namespaces, as root of that machine. */
  inside(machine: RackMachine, command: readonly string[]): Promise<string>
  /** Cuts a machine's power; what it had is gone. */
  powerOff(machine: RackMachine): Promise<void>
}

interface Running {
  readonly child: ChildProcess
  /** The process number of its systemd, as this machine counts. */
  readonly pid: number
  readonly namespace: string
}

/**
 * A rack whose machines are containers: the root of the demo's image, with the real systemd as its first process and the
 * host's kernel. What firmware and loader would do is done for them; DHCP, units, scripts and services are the real ones.
 */
export async function makeContainerRack(
  workDir: string,
  programDir: string,
  machines: readonly RackMachine[],
): Promise<ContainerRack> {
  await sweepLeftovers()
  await sweepMachineNamespaces()
  const image = await demoImage({
    programDir,
    addresses: IMAGE_ADDRESSES,
    say: (line) => process.stderr.write(`${line}\n`),
    signal: new AbortController().signal,
  })
  const namespace = `pilotlight-${randomBytes(3).toString('hex')}`
  const ledger = new RackLedger(namespace)
  const network = await RackNetwork.create(namespace, `${SERVER}/24`)
  const squashfs = path.join(image.directory, 'container', 'root.squashfs')
  const running = new Map<string, Running>()
  const logOf = (machine: RackMachine) => path.join(workDir, `${machine.name}.console.log`)

  async function powerOn(machine: RackMachine): Promise<PoweredMachine> {
    const own = `${namespace}-${machine.name}`
    const directory = path.join(workDir, machine.name)
    // It has no disk: what it had is gone with its power.
    await rm(directory, { recursive: true, force: true })
    await mkdir(directory)
    await runCommand('ip', ['netns', 'add', own])
    const ip = (...args: string[]) => runCommand('ip', ['-n', own, ...args])
    const port = `v-${machine.name}`
    await runCommand('ip', [
      '-n',
      namespace,
      'link',
      'add',
      port,
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      own,
    ])
    await runCommand('ip', ['-n', namespace, 'link', 'set', port, 'master', network.bridge, 'up'])
    await ip('link', 'set', 'lo', 'up')
    await ip('link', 'set', 'eth0', 'address', machine.mac, 'up')
    for (const address of [RELAY, machine.address]) await ip('addr', 'add', `${address}/24`, 'dev', 'eth0')
    const cmdline = await runCommand('ip', [
      'netns',
      'exec',
      own,
      process.execPath,
      path.join(SUPPORT, 'container-boot.ts'),
      machine.mac,
      machine.uuid,
      SERVER,
      RELAY,
    ])
    await ip('addr', 'flush', 'dev', 'eth0')
    await writeFile(path.join(directory, 'cmdline'), cmdline)
    await writeFile(logOf(machine), '')
    const log = openSync(logOf(machine), 'a')
    const child = spawn(
      'ip',
      [
        ...[
          'netns',
          'exec',
          own,
          'unshare',
          '--mount',
          '--pid',
          '--fork',
          '--cgroup',
          '--uts',
          '--ipc',
          '--kill-child',
        ],
        ...[path.join(SUPPORT, 'container-init.sh'), squashfs, directory, logOf(machine)],
      ],
      { stdio: ['ignore', log, log] },
    )
    ledger.note(child.pid)
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`the container of ${machine.name} ended with ${code}; see ${logOf(machine)}`)
    })
    const pid = await childOf(child)
    running.set(machine.name, { child, pid, namespace: own })
    return { ended, powerOff: () => powerOff(machine.name) }
  }

  async function powerOff(name: string): Promise<void> {
    const machine = running.get(name)
    if (machine === undefined) return
    running.delete(name)
    // The first process of a process namespace takes all others with it.
    const exited = machine.child.exitCode === null ? once(machine.child, 'exit') : undefined
    process.kill(machine.pid, 'SIGKILL')
    await exited
    await runCommand('ip', ['netns', 'del', machine.namespace]).catch(() => undefined)
  }

  return {
    mode: 'simulated',
    machines,
    imageDirectory: image.directory,
    caPem: image.caPem,
    serverYaml: SERVER_YAML,
    commandPrefix: network.commandPrefix,
    captureOf: () => '',
    logOf,
    powerOn,
    powerOff: ({ name }) => powerOff(name),
    async inside(machine, command) {
      const target = running.get(machine.name)
      if (target === undefined) throw new Error(`${machine.name} is not switched on`)
      return runCommand('nsenter', [
        '-t',
        String(target.pid),
        '-m',
        '-p',
        '-n',
        '-u',
        '-i',
        '-C',
        '--',
        ...command,
      ])
    },
    async close() {
      for (const name of [...running.keys()]) await powerOff(name)
      await network.destroy()
      ledger.forget()
    },
  }
}

/** `unshare` forks once: its child is the first process of the container. */
async function childOf(child: ChildProcess): Promise<number> {
  const file = `/proc/${child.pid}/task/${child.pid}/children`
  for (let tries = 0; tries < 200; tries += 1) {
    const [first] = (await readFile(file, 'utf8').catch(() => '')).trim().split(' ')
    if (first !== undefined && first !== '') return Number(first)
    if (child.exitCode !== null) break
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('unshare started no container')
}

/** Namespaces of machines whose rack is gone: an earlier run that was killed left them. */
async function sweepMachineNamespaces(): Promise<void> {
  const names = await readdir('/run/netns').catch((): string[] => [])
  for (const name of names) {
    const rack = /^(pilotlight-[0-9a-f]{6})-node\d+$/.exec(name)?.[1]
    if (rack !== undefined && !names.includes(rack)) await runCommand('ip', ['netns', 'del', name])
  }
}
