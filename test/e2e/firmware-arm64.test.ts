import t from 'tap'
import { chooseDemoMode } from '../../src/cli/demo-mode.ts'
import { aFirmwareMachine, parkedLine } from '../support/firmware-machine.ts'
import { FirmwareRack } from '../support/firmware-rack.ts'
import { unpackedFromNewerDebian } from '../support/newer-debian.ts'

const { mode, why } = chooseDemoMode(false)
// The stable suite has no iPXE for arm64; the next one has, as a package without an architecture.
const ipxe = mode === 'qemu' ? await unpackedFromNewerDebian('ipxe') : { why: `not possible here: ${why}` }
const skip = 'root' in ipxe ? false : ipxe.why

const YAML = `interface: eth0
dhcp: { mode: authoritative }
subnets:
  - { cidr: 10.77.0.0/24, pool: 10.77.0.100-10.77.0.199, router: 10.77.0.1 }
`

t.test('an arm64 UEFI machine reaches its boot script', { skip, timeout: 110_000 }, async (t) => {
  const loadersFrom = 'root' in ipxe ? `${ipxe.root}/usr/lib/ipxe` : ''
  const rack = await FirmwareRack.start({ yaml: YAML, loadersFrom })
  t.teardown(() => rack.close())
  await rack.capture('machines')
  const machine = aFirmwareMachine(1, 'uefi-arm64', { address: '10.77.0.11' })
  await parkedLine(await rack.boot(machine), machine)

  t.match(await rack.machine(machine.name), { uuid: machine.uuid, serial: machine.serial })
  const boots = await rack.boots(machine.name)
  t.equal(boots.length, 1)
  t.strictSame(
    boots[0]?.stages.map(({ stage }) => stage),
    ['offered', 'loader-sent'],
  )
  const replies = (await rack.captured('machines')).filter(({ from }) => from === '10.77.0.1:67')
  t.strictSame(
    [...new Set(replies.map(({ file }) => file))],
    ['snponly-arm64.efi', 'http://10.77.0.1:8080/boot/52-54-00-77-00-01.ipxe'],
  )
  t.strictSame([...new Set(replies.map(({ yiaddr }) => yiaddr))], ['10.77.0.11'])
  t.strictSame([...new Set(replies.map(({ warning }) => warning))], [''])
})
