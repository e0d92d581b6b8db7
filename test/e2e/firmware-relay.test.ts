import t from 'tap'
import { chooseDemoMode } from '../../src/cli/demo-mode.ts'
import { unpackedPackages } from '../support/debian-programs.ts'
import { aFirmwareMachine, parkedLine } from '../support/firmware-machine.ts'
import { FirmwareRack } from '../support/firmware-rack.ts'

const { mode, why } = chooseDemoMode(false)
const skip = mode === 'qemu' ? false : `not possible here: ${why}`

const YAML = `interface: eth0
dhcp: { mode: authoritative }
subnets:
  - { cidr: 10.77.0.0/24, pool: 10.77.0.100-10.77.0.199 }
  - { cidr: 10.78.0.0/24, pool: 10.78.0.100-10.78.0.199, router: 10.78.0.1 }
`

t.test(
  'behind ISC dhcrelay, which adds option 82, BIOS and UEFI machines reach their boot scripts',
  { skip, timeout: 300_000 },
  async (t) => {
    const root = await unpackedPackages(['isc-dhcp-relay'])
    const rack = await FirmwareRack.start({ yaml: YAML, isBehindRouter: true })
    t.teardown(() => rack.close())
    await rack.capture('server')
    const relay = rack.namespaces.start(rack.router ?? '', [
      ...[
        `${root}/usr/sbin/dhcrelay`,
        '-4',
        '-d',
        '-a',
        '-m',
        'replace',
        '-iu',
        'up0',
        '-id',
        'down0',
        '10.77.0.1',
      ],
    ])
    await relay.line(/Sending on +Socket/)
    const bios = aFirmwareMachine(1, 'bios')
    const uefi = aFirmwareMachine(2, 'uefi', { address: '10.78.0.12' })
    const consoles = await Promise.all([rack.boot(bios), rack.boot(uefi)])
    await Promise.all([parkedLine(consoles[0], bios), parkedLine(consoles[1], uefi)])

    for (const machine of [bios, uefi]) {
      t.match(await rack.machine(machine.name), { uuid: machine.uuid, serial: machine.serial }, machine.name)
    }
    const ours = (await rack.captured('server')).filter(({ from }) => from === '10.77.0.1:67')
    t.strictSame([...new Set(ours.map(({ to, giaddr }) => `${to} ${giaddr}`))], ['10.78.0.1:67 10.78.0.1'])
    t.ok(
      ours.every(({ yiaddr }) => yiaddr.startsWith('10.78.0.')),
      'addresses of the relayed link',
    )
    t.ok(
      ours.some(({ yiaddr }) => yiaddr === '10.78.0.12'),
      'the reservation among them',
    )
    const last = ours.map(({ options }) => options.filter((code) => code !== 0 && code !== 255).at(-1))
    t.strictSame([...new Set(last)], [82], 'option 82 stands last')
    t.strictSame([...new Set(ours.map(({ warning }) => warning))], [''])
  },
)

t.test(
  'behind dnsmasq as a relay, a BIOS machine reaches its boot script',
  { skip, timeout: 200_000 },
  async (t) => {
    const rack = await FirmwareRack.start({ yaml: YAML, isBehindRouter: true })
    t.teardown(() => rack.close())
    const relay = rack.namespaces.start(rack.router ?? '', [
      ...[
        'dnsmasq',
        '--keep-in-foreground',
        '--port=0',
        '--conf-file=/dev/null',
        '--log-facility=-',
        '--log-dhcp',
      ],
      ...['--pid-file', '--user=root', '--dhcp-relay=10.78.0.1,10.77.0.1'],
    ])
    await relay.line(/DHCP relay from 10\.78\.0\.1/)
    const machine = aFirmwareMachine(3, 'bios')
    await parkedLine(await rack.boot(machine), machine)
    t.match(await rack.machine(machine.name), { uuid: machine.uuid, serial: machine.serial })
  },
)
