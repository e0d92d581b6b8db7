import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { call } from '../../src/cli/api-client.ts'
import { chooseDemoMode } from '../../src/cli/demo-mode.ts'
import { writeNewcArchive } from '../../src/model/newc-archive.ts'
import { kernelPackage, unpackPackage } from '../../src/rack/debian-packages.ts'
import { aFirmwareMachine } from '../support/firmware-machine.ts'
import { FirmwareRack } from '../support/firmware-rack.ts'
import { writeFiles } from '../support/image-files.ts'

const { mode, why } = chooseDemoMode(false)
const skip = mode === 'qemu' ? false : `not possible here: ${why}`
const YAML = `interface: eth0
dhcp: { mode: authoritative }
subnets:
  - { cidr: 10.77.0.0/24, pool: 10.77.0.100-10.77.0.199, router: 10.77.0.1 }
`
/** Says what it sees of the machine's own, and ends the machine. */
const INIT = `#!/bin/busybox sh
b=/bin/busybox
$b mkdir -p /proc
$b mount -t proc proc /proc
echo "arguments: $($b grep -o 'rack.position=[^ ]*' /proc/cmdline)"
echo "file: $($b cat /etc/rack/position) $($b stat -c %a /etc/rack/position)"
echo "image's own: $($b cat /etc/from-image)"
$b poweroff -f
`

t.test(
  "a kernel sees its machine's own files and arguments, by BIOS and by UEFI",
  { skip, timeout: 400_000 },
  async (t) => {
    const packages = mkdtempSync(path.join(tmpdir(), 'machine-files-'))
    t.teardown(() => rmSync(packages, { recursive: true, force: true }))
    const kernel = await unpackPackage(await kernelPackage('linux-image-cloud-amd64'), packages)
    const busybox = await unpackPackage('busybox-static', packages)
    const rack = await FirmwareRack.start({ yaml: YAML })
    t.teardown(() => rack.close())
    const api = <Answer>(method: string, route: string, body: unknown) =>
      call<Answer>(method, route, body, rack.server)
    const bytes = (text: string) => new TextEncoder().encode(text)
    const initrd = writeNewcArchive([
      { path: 'bin/busybox', mode: 0o755, content: readFileSync(fileBelow(busybox, /\/bin\/busybox$/)) },
      { path: 'etc/from-image', mode: 0o644, content: bytes('there') },
      { path: 'init', mode: 0o755, content: bytes(INIT) },
    ])
    const set = writeFiles(path.join(rack.workDir, 'set'), {
      bzImage: readFileSync(fileBelow(kernel, /\/boot\/vmlinuz-/)),
      initrd: gzipSync(initrd, { level: 1 }),
      'netboot.ipxe':
        '#!ipxe\nkernel bzImage init=/init initrd=initrd console=ttyS0 panic=-1 quiet ${cmdline}\ninitrd initrd\nboot\n',
    })
    await api('POST', '/images', { name: 'tiny', path: set, promote: true })
    await api('POST', '/clusters', { name: 'c', expected_control_plane: 1 })

    await Promise.all(
      (['bios', 'uefi'] as const).map(async (firmware, index) => {
        const number = index + 1
        const machine = aFirmwareMachine(number, firmware, { address: `10.77.0.1${number}` })
        const console = await rack.boot(machine)
        const own = { image: 'tiny', cluster: 'c', kernel_arguments: [`rack.position=A${number}`] }
        await api('PATCH', `/machines/${machine.name}`, own)
        const content_base64 = Buffer.from(`rack ${firmware}`).toString('base64')
        await api('PUT', `/machines/${machine.name}/files`, {
          path: 'etc/rack/position',
          mode: '640',
          content_base64,
        })
        await api('POST', `/machines/${machine.name}/arm`, {})
        await console.line(new RegExp(`arguments: rack.position=A${number}`))
        await console.line(new RegExp(`file: rack ${firmware} 640`))
        await console.line(/image's own: there/)
        t.pass(`${firmware}: both initrds and the arguments`)
      }),
    )
  },
)

/** The one file of an unpacked package whose path is like this. */
function fileBelow(directory: string, like: RegExp): string {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' })
  const found = names.map((name) => path.join(directory, name)).find((name) => like.test(name))
  if (found === undefined) throw new Error(`${directory} holds nothing like ${like}`)
  return found
}
