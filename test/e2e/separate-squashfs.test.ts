import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { chooseDemoMode } from '../../src/cli/demo-mode.ts'
import type { DiagnosisAnswer } from '../../src/cli/print-diagnosis.ts'
import { FIRST_BOOT_STEPS } from '../../src/model/first-boot.ts'
import { demoImage } from '../../src/rack/demo-image.ts'
import { DEMO_MACHINES } from '../../src/rack/qemu-rack.ts'
import { aFirmwareMachine, type FirmwareMachine } from '../support/firmware-machine.ts'
import { FirmwareRack } from '../support/firmware-rack.ts'

// An initrd that holds stage 1 alone: the root is a squashfs of its own, which stage 1 fetches by HTTP from where the kernel
// command line says, compares with what it says, mounts and hands over to.

const ROOT = new URL('../..', import.meta.url).pathname
const TAMPERING = new URL('../support/tampering-image-server.ts', import.meta.url).pathname
const { mode, why } = chooseDemoMode(false)
const skip = mode === 'qemu' ? false : `not possible here: ${why}`
const YAML = `interface: eth0
dhcp: { mode: authoritative }
subnets:
  - { cidr: 10.77.0.0/24, pool: 10.77.0.100-10.77.0.199, router: 10.77.0.1 }
`
/** Measured as enough, with room to spare: docs/operators-guide.md. */
const MEMORY_MIB = 192

const aMachine = (number: number): FirmwareMachine =>
  aFirmwareMachine(number, 'bios', { address: `10.77.0.1${number}`, memoryMiB: MEMORY_MIB })

async function separateImage(say: (line: string) => void, signal: AbortSignal) {
  const addresses = DEMO_MACHINES.map(({ address }) => address)
  const { directory, caPem } = await demoImage({ programDir: ROOT, addresses, say, signal })
  return { directory: path.join(directory, 'separate'), caPem }
}

async function importInto(rack: FirmwareRack, directory: string): Promise<string> {
  const image = { path: directory, name: 'separate', promote: true }
  return (await rack.post<{ id: string }>('/images', image)).id
}

t.test('stage 1 fetches its root, and the machine becomes ready', { skip, timeout: 400_000 }, async (t) => {
  const signal = AbortSignal.timeout(300_000)
  const image = await separateImage((line) => t.comment(line), signal)
  const rack = await FirmwareRack.start({ yaml: YAML })
  t.teardown(() => rack.close())
  const id = await importInto(rack, image.directory)
  await rack.post('/clusters', {
    name: 'hall',
    expected_control_plane: 1,
    state_kind: 'ephemeral',
    health_ca: image.caPem,
  })
  const machine = aMachine(1)
  await rack.register(machine, { cluster: 'hall', image: id, role: 'control-plane' })
  await rack.post('/clusters/hall/arm')
  const startedAt = Date.now()
  const console = rack.powerOn(machine)
  const fetching = await console.line(/pilotlight: fetching/)
  t.match(fetching, `http://10.77.0.1:8080/images/${id}/root.squashfs, `)
  await console.line(/pilotlight: the root filesystem is here and whole/)
  await console.line(/stage 1: handing over/)
  t.comment(`stage 2 after ${Math.round((Date.now() - startedAt) / 100) / 10} s`)
  while ((await rack.get<{ state: string }>(`/machines/${machine.name}`)).state !== 'ready')
    await setTimeout(500, undefined, { signal })
  t.comment(`ready after ${Math.round((Date.now() - startedAt) / 1000)} s`)
  const [boot] = await rack.boots(machine.name)
  t.strictSame(
    boot?.steps.map(({ step, state }) => [step, state]),
    FIRST_BOOT_STEPS.map((step) => [step, 'succeeded']),
  )
  type Exchange = { readonly key: string; readonly times: number; readonly facts: object }
  const { exchanges } = await rack.get<{ exchanges: readonly Exchange[] }>(`/boots/${boot?.boot_id}`)
  const ofRoot = exchanges.filter(({ key }) => key.includes('squashfs')).map(({ key, times }) => [key, times])
  t.strictSame(ofRoot.sort(), [
    ['asked:squashfs:root.squashfs', 1],
    ['squashfs-loaded', 1],
    ['squashfs:root.squashfs', 1],
  ])
})

t.test(
  'an image server that breaks off, tampers, or has none: resumed, or said and started anew',
  { skip, timeout: 400_000 },
  async (t) => {
    const signal = AbortSignal.timeout(300_000)
    const image = await separateImage((line) => t.comment(line), signal)
    const rack = await FirmwareRack.start({
      yaml: `${YAML}boot: { image_base_url: "http://10.77.0.3:8000/images" }\n`,
    })
    t.teardown(() => rack.close())
    const host = rack.addHost('files', '10.77.0.3/24')
    const files = rack.namespaces.start(host, [
      process.execPath,
      TAMPERING,
      image.directory,
      '10.77.0.3',
      '8000',
    ])
    await files.line(/^listening$/)
    await importInto(rack, image.directory)
    await rack.post('/clusters', { name: 'hall', expected_control_plane: 1 })
    const [resumed, tampered, missing] = [aMachine(1), aMachine(2), aMachine(3)]
    for (const machine of [resumed, tampered, missing]) {
      await rack.register(machine, { cluster: 'hall', image: 'separate' })
      await rack.post(`/machines/${machine.name}/arm`)
    }
    const hopeless = async (machine: FirmwareMachine, sentence: RegExp, evidence: RegExp) => {
      const console = rack.powerOn(machine)
      t.match(await console.line(/pilotlight: no root filesystem: /), sentence)
      await console.line(/stage 1: no root filesystem; restarting in 10 s/)
      let findings: DiagnosisAnswer['findings'] = []
      while (findings.length === 0) {
        await setTimeout(100, undefined, { signal })
        findings = (await rack.get<DiagnosisAnswer>(`/machines/${machine.name}/diagnosis`)).findings
      }
      t.match(findings, [{ code: 'root-not-loaded', likelihood: 'certain', evidence }])
      return console
    }
    const goesOn = async (machine: FirmwareMachine) => {
      const console = rack.powerOn(machine)
      t.match(
        await console.line(/pilotlight: http:\S+ stopped after/),
        /after \d{8} of \d{8} bytes \(connection closed/,
      )
      await console.line(/pilotlight: the root filesystem is here and whole/)
      await console.line(/stage 1: handing over/)
      await console.end()
      await files.line(/^10\.77\.0\.11 root\.squashfs bytes=\d{8}-$/)
    }
    const [refused] = await Promise.all([
      hopeless(missing, /root\.squashfs: server returned error: HTTP\/1\.1 404/, /404 or another 4xx/),
      goesOn(resumed),
      hopeless(
        tampered,
        /is not the image's: its SHA-256 is [0-9a-f]{64}, want [0-9a-f]{64}/,
        /is not the image’s file by its SHA-256, twice/,
      ),
    ])
    // QEMU is told to end where the machine would start anew.
    await refused.ended()
  },
)
