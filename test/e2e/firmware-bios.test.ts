import t from 'tap'
import { chooseDemoMode } from '../../src/cli/demo-mode.ts'
import { aFirmwareMachine, parkedLine } from '../support/firmware-machine.ts'
import { FirmwareRack } from '../support/firmware-rack.ts'

const { mode, why } = chooseDemoMode(false)
const skip = mode === 'qemu' ? false : `not possible here: ${why}`

const YAML = `interface: eth0
dhcp: { mode: authoritative }
subnets:
  - { cidr: 10.77.0.0/24, pool: 10.77.0.100-10.77.0.199, router: 10.77.0.1 }
`

t.test('BIOS machines reach their boot scripts', { skip, timeout: 300_000 }, async (t) => {
  const rack = await FirmwareRack.start({ yaml: YAML })
  t.teardown(() => rack.close())
  await rack.capture('machines')

  await t.test('a ROM that is iPXE gets its script at once, and no loader', async (t) => {
    const machine = aFirmwareMachine(1, 'bios', { address: '10.77.0.11' })
    await parkedLine(await rack.boot(machine), machine)
    t.match(await rack.machine('node1'), { uuid: machine.uuid, serial: machine.serial })
    const [boot] = await rack.boots('node1')
    t.strictSame(
      boot?.stages.map(({ stage }) => stage),
      ['offered'],
    )
    t.equal(await rack.toldRamMib(boot), 256, 'it tells how much RAM it has')
  })

  for (const [number, loader, least] of [
    [2, 'undionly.kpxe', 50_000],
    [3, 'ipxe.pxe', 200_000],
  ] as const) {
    await t.test(
      `a ROM that is treated as plain PXE is chained with ${loader} and then gets its script`,
      async (t) => {
        const machine = aFirmwareMachine(number, 'bios', { loader })
        await parkedLine(await rack.boot(machine), machine)
        t.match(await rack.machine(machine.name), { uuid: machine.uuid, serial: machine.serial })
        const boots = await rack.boots(machine.name)
        t.equal(boots.length, 1, 'ROM and loader are one boot attempt')
        t.strictSame(
          boots[0]?.stages.map(({ stage }) => stage),
          ['offered', 'loader-sent'],
        )
        t.ok((boots[0]?.stages[1]?.bytes ?? 0) > least, 'the whole loader')
      },
    )
  }

  await t.test('on the wire every reply is clean, and one machine keeps one address', async (t) => {
    const messages = await rack.captured('machines')
    const replies = messages.filter(({ from }) => from.startsWith('10.77.0.1:'))
    t.strictSame([...new Set(replies.map(({ warning }) => warning))], [''])
    t.strictSame(
      [...new Set(replies.map(({ from, to }) => `${from} ${to}`))],
      ['10.77.0.1:67 255.255.255.255:68'],
    )
    t.strictSame([...new Set(replies.map(({ type }) => type))], [2, 5])
    const addresses = new Set(replies.map(({ yiaddr }) => yiaddr))
    t.equal(addresses.size, 3, `three machines: ${[...addresses]}`)
    t.ok(addresses.has('10.77.0.11'), 'the reservation')
    const files = new Set(replies.map(({ file }) => file))
    t.ok(files.has('http://10.77.0.1:8080/boot/52-54-00-77-00-01.ipxe'), 'the script as file name')
  })
})
