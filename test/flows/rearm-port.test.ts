import t from 'tap'
import { macInPath } from '../../src/net/mac.ts'
import { readBootScript } from '../../src/sim/boot-script.ts'
import { exchange } from '../../src/sim/http-exchange.ts'
import { mac } from '../support/builders.ts'
import { ServerProcess, tokenIn } from '../support/server-process.ts'

// A machine that was accepted boots again without a person where it stood, and at no other port of its relay (option 82).

const MAC = mac('02:89:00:00:00:01')

t.test('a machine that comes back by another port of the relay is held', { timeout: 120_000 }, async (t) => {
  const server = await ServerProcess.start(t)
  await server.api('POST', '/clusters', { name: 'prod', expected_control_plane: 1 })
  const image = await server.importImage()
  const machine = { name: 'node01', macs: [MAC], role: 'worker', cluster: 'prod', image }
  await server.api('POST', '/machines', { ...machine, address: server.addressOf(1) })
  await server.api('POST', '/machines/node01/arm', {})
  const bootAt = async (relayPort: string) => {
    const { address } = await server.lease(MAC, 'ipxe-bios', { relayPort })
    const url = `${server.bootUrl}/boot/${macInPath(MAC)}.ipxe?uuid=90909090-0000-4000-8000-028900000001`
    const answer = await exchange({ url, localAddress: address })
    return { answer, action: readBootScript(answer.body.toString(), url, {}) }
  }
  const redeemed = async (relayPort: string) => {
    const { answer, action } = await bootAt(relayPort)
    if (action.kind !== 'boot') throw new Error(`no image: ${answer.body}`)
    return (await server.redeem(MAC, tokenIn(action.cmdline), server.addressOf(1))).status
  }
  t.equal(await redeemed('ge-0/0/7'), 200, 'armed by an operator')
  t.equal(await redeemed('ge-0/0/7'), 200, 'again, without one')
  t.not((await bootAt('ge-0/0/8')).action.kind, 'boot')
  t.match(await server.api('GET', '/machines/node01'), { state: 'held' })
  const { items } = await server.api<{ items: { type: string; data: { detail?: string } }[] }>(
    'GET',
    '/events?limit=1000',
  )
  const port = (name: string) => Buffer.from(name).toString('hex')
  t.match(items.filter(({ type }) => type === 'machine.held').at(-1)?.data, {
    why: 'identity',
    detail: new RegExp(
      `^the relay’s port is 127\\.\\S+ ${port('ge-0/0/8')}/, was 127\\.\\S+ ${port('ge-0/0/7')}/$`,
    ),
  })
})

t.test(
  'a machine whose board was exchanged is known by the new one, once it was armed with it',
  async (t) => {
    const server = await ServerProcess.start(t)
    await server.api('POST', '/clusters', { name: 'prod', expected_control_plane: 1 })
    const image = await server.importImage()
    const [oldBoard, newBoard, third] = ['1', '2', '3'].map((n) => `90909090-0000-4000-8000-00000000000${n}`)
    const machine = { name: 'node01', macs: [MAC], role: 'worker', cluster: 'prod', image, uuid: oldBoard }
    await server.api('POST', '/machines', { ...machine, address: server.addressOf(1) })
    await server.api('POST', '/machines/node01/arm', {})
    const boot = async (uuid: string | undefined) => {
      const { address } = await server.lease(MAC, 'ipxe-bios')
      const url = `${server.bootUrl}/boot/${macInPath(MAC)}.ipxe?uuid=${uuid}`
      const answer = await exchange({ url, localAddress: address })
      const action = readBootScript(answer.body.toString(), url, {})
      if (action.kind !== 'boot') return action.kind
      return (await server.redeem(MAC, tokenIn(action.cmdline), address)).status
    }
    t.equal(await boot(newBoard), 200, 'armed by an operator')
    t.equal(await boot(newBoard), 200, 'again, without one: it is as it was accepted')
    t.equal(await boot(third), 'wait')
    t.match(await server.api('GET', '/machines/node01'), { state: 'held' })
  },
)
