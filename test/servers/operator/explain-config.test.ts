import t from 'tap'
import { exchange } from '../../../src/sim/http-exchange.ts'
import { LoopbackServer, type TestMachine } from '../../support/loopback-server.ts'

interface Section {
  readonly section: string
  readonly summary: string
  readonly steps: readonly { readonly rule: string; readonly finding: string }[]
}

let server: LoopbackServer
let founder: TestMachine
let joiner: TestMachine

t.before(async () => {
  server = await LoopbackServer.start({ network: 91 })
  founder = await server.addMachine('node01')
  joiner = await server.addMachine('node02', { isArmed: false })
})
t.teardown(() => server.stop())

async function explained({ name }: TestMachine, wanted = 'config'): Promise<Section> {
  const { sections } = await server.api<{ sections: readonly Section[] }>('GET', `/machines/${name}/explain`)
  return sections.find(({ section }) => section === wanted)!
}

const finding = ({ steps }: Section, rule: string) => steps.find((step) => step.rule === rule)?.finding

/** Boots a machine up to its token, and redeems that. */
async function redeem(machine: TestMachine) {
  const token = /pilotlight\.token=(\S+)/.exec(await server.bootKernel(machine))?.[1]
  const answer = await exchange({
    url: `${server.bootUrl}/machines/${machine.mac.replaceAll(':', '-')}/cluster-config.json`,
    headers: { authorization: `Bearer ${token}`, 'pilotlight-nonce': '0123456789abcdef0123456789abcdef' },
    localAddress: machine.address,
  })
  return JSON.parse(answer.body.toString())
}

t.test('what is foretold is what the redemption gives, and foretelling changes nothing', async (t) => {
  const before = await explained(founder)
  t.match(before, { summary: 'it would get bootstrap true, epoch 1, member node01.1' })
  t.match(finding(before, 'rule'), /^F1: .* it founds it$/)
  t.equal(finding(before, 'founding'), 'prod is open, epoch 0')
  t.match(finding(before, 'image'), new RegExp(`^test:.* \\(${server.imageId}\\)$`))
  t.equal(finding(before, 'current boot'), 'none has redeemed')
  t.equal(finding(before, 'address'), founder.address)
  t.same(await explained(founder), before, 'a second look finds the same world')

  const config = await redeem(founder)
  t.match(config, { bootstrap: true, bootstrap_epoch: 1, member_id: 'node01.1', leader_url: null })
  t.equal(finding(before, 'peers'), config.initial_peers.join(', '))
  t.equal(finding(before, 'services'), config.services.join(', '))
})

t.test(
  'after the founding: the founder would found again, another machine joins once it is armed',
  async (t) => {
    const again = await explained(founder)
    t.equal(
      again.summary,
      'it would get none: it is not armed; armed, bootstrap true, epoch 2, member node01.1',
    )
    t.match(finding(again, 'rule'), /^F4: /)
    t.match(
      finding(again, 'current boot'),
      new RegExp(`redeemed from ${founder.address}; the same nonce gets`),
    )
    t.match(finding(again, 'founding'), /^prod is granted, epoch 1, held by \S+ at 127\.91\.6\.11$/)

    const other = await explained(joiner)
    t.equal(
      other.summary,
      'it would get none: it is not armed; armed, bootstrap false, epoch 1, member node02.1',
    )
    t.match(finding(other, 'rule'), /^F3: /)
    t.match(finding(other, 'leader'), /127\.91\.6\.11:2379/)
    await server.api('POST', '/machines/node02/arm')
    t.equal((await explained(joiner)).summary, 'it would get bootstrap false, epoch 1, member node02.1')
    t.match(await redeem(joiner), { bootstrap: false, bootstrap_epoch: 1, member_id: 'node02.1' })
  },
)

t.test(
  'a machine that boots again without a person is told of as that, and is given just that',
  async (t) => {
    const script = await explained(joiner, 'script')
    t.match(script.summary, /^it would boot image test:.*: rearmed$/)
    t.match(finding(script, 're-arm'), /^yes: /)
    t.equal((await explained(joiner)).summary, 'it would get bootstrap false, epoch 1, member node02.1')
    t.match(await redeem(joiner), { bootstrap: false, member_id: 'node02.1' })

    t.match(
      finding(await explained(founder, 'script'), 're-arm'),
      /^no/,
      'a second founding is a person’s word',
    )
    await server.api('PATCH', '/clusters/prod', { rearm: 'manual' })
    const manual = await explained(joiner, 'script')
    t.match(manual.summary, /^it would wait: an earlier boot took its configuration; arm it again/)
    t.match(finding(manual, 're-arm'), /^no/)
    await server.api('PATCH', '/clusters/prod', { rearm: 'same-identity' })
    await redeem(joiner)
    const loop = await explained(joiner, 'script')
    t.match(loop.summary, /^it would be held: 3 boots in 30 minutes, none became ready/)
  },
)

t.test('no secret is in it, and a machine without a cluster is told so', async (t) => {
  const { sections } = await server.api<{ sections: readonly Section[] }>('GET', '/machines/node01/explain')
  t.notMatch(JSON.stringify(sections), /report_token|token=|"nonce"/)
  await server.api('POST', '/machines', { name: 'node09', macs: ['02:82:06:00:00:99'], role: 'worker' })
  const alone = await explained({ name: 'node09' } as TestMachine)
  t.match(alone.summary, 'it would get none: it is not armed; armed, no configuration: no-cluster')
  t.equal(finding(alone, 'address'), 'none yet: the one that its lease will be')
})
