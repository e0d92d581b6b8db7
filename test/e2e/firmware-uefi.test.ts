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
const PXE = aFirmwareMachine(1, 'uefi', { address: '10.77.0.11' })
const HTTP = aFirmwareMachine(2, 'uefi-http', { address: '10.77.0.12' })

t.test('UEFI x64 machines reach their boot scripts', { skip, timeout: 300_000 }, async (t) => {
  const rack = await FirmwareRack.start({ yaml: YAML })
  t.teardown(() => rack.close())
  await rack.capture('machines')
  const consoles = await Promise.all([rack.boot(PXE), rack.boot(HTTP)])
  await Promise.all([parkedLine(consoles[0], PXE), parkedLine(consoles[1], HTTP)])
  const messages = await rack.captured('machines')

  for (const machine of [PXE, HTTP]) {
    await t.test(
      `${machine.firmware}: one boot attempt, one address, the identity of the board`,
      async (t) => {
        t.match(await rack.machine(machine.name), { uuid: machine.uuid, serial: machine.serial })
        const boots = await rack.boots(machine.name)
        t.equal(boots.length, 1)
        t.strictSame(
          boots[0]?.stages.map(({ stage }) => stage),
          ['offered', 'loader-sent'],
        )
        t.ok((boots[0]?.stages[1]?.bytes ?? 0) > 100_000, 'the whole loader')
        t.equal(await rack.toldRamMib(boots[0]), 256)
        t.ok(messages.some(({ yiaddr, type }) => yiaddr === machine.address && type === 5))
      },
    )
  }

  await t.test('PXE takes the file of the plain offer, and never asks port 4011', async (t) => {
    const offers = messages.filter(({ type, yiaddr }) => type === 2 && yiaddr === PXE.address)
    t.equal(offers[0]?.file, 'snponly.efi')
    t.notOk(offers[0]?.options.includes(60), 'no vendor class: it is no BINL offer')
    t.strictSame(
      messages.filter(({ to }) => to.endsWith(':4011')),
      [],
    )
  })

  await t.test('HTTP Boot finds its own vendor class and a URL in the offer', async (t) => {
    const [offer] = messages.filter(({ type, yiaddr }) => type === 2 && yiaddr === HTTP.address)
    t.equal(offer?.file, 'http://10.77.0.1:8080/assets/snponly.efi')
    t.ok(offer?.options.includes(60))
  })

  await t.test('every reply on the wire is clean', async (t) => {
    const replies = messages.filter(({ from }) => from.startsWith('10.77.0.1:'))
    t.ok(replies.length >= 8, `${replies.length} replies`)
    t.strictSame([...new Set(replies.map(({ warning }) => warning))], [''])
  })
})
