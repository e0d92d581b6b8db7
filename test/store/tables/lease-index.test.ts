import t from 'tap'
import type { Mac } from '../../../src/net/mac.ts'
import { LeaseIndex } from '../../../src/store/tables/lease-index.ts'
import { ip, mac } from '../../support/builders.ts'

const FIRST = mac('02:00:00:00:00:01')
const SECOND = mac('02:00:00:00:00:02')
const HIGH = ip('192.168.0.1')

function indexOf(rows: readonly (readonly [Mac, number])[]): LeaseIndex {
  return new LeaseIndex({
    macs: () => rows.map(([one]) => [one, rows.filter(([other]) => other === one).length]),
    addresses: () => rows.map(([, number]) => number),
  })
}

t.test('who has a row and which address has one: as read, put, moved and dropped', async (t) => {
  const index = indexOf([[FIRST, 0x0a4d000b]])
  t.ok(index.hasMac(FIRST))
  t.ok(index.hasAddress(ip('10.77.0.11')))
  t.notOk(index.hasMac(SECOND))
  t.notOk(index.hasAddress(HIGH))

  index.put(SECOND, HIGH, undefined)
  t.ok(index.hasMac(SECOND))
  t.ok(index.hasAddress(HIGH), 'beyond 127.255.255.255 too')
  index.put(FIRST, ip('10.77.0.12'), ip('10.77.0.11'))
  t.notOk(index.hasAddress(ip('10.77.0.11')))
  t.ok(index.hasAddress(ip('10.77.0.12')))
  t.ok(index.hasMac(FIRST))
  index.drop(SECOND, HIGH)
  t.notOk(index.hasMac(SECOND))
  t.notOk(index.hasAddress(HIGH))
})

t.test('a MAC that is in two subnets stays known until its last row goes', async (t) => {
  const index = indexOf([
    [FIRST, 0x0a4d000b],
    [FIRST, 0x0a4e000b],
  ])
  t.ok(index.hasMac(FIRST))
  index.drop(FIRST, ip('10.77.0.11'))
  t.ok(index.hasMac(FIRST))
  index.drop(FIRST, ip('10.78.0.11'))
  t.notOk(index.hasMac(FIRST))
})

t.test('a rollback has it read again', async (t) => {
  const index = indexOf([[FIRST, 0x0a4d000b]])
  index.drop(FIRST, ip('10.77.0.11'))
  t.notOk(index.hasMac(FIRST))
  index.forgetChanges()
  t.ok(index.hasMac(FIRST))
  index.put(SECOND, HIGH, undefined)
  index.settle()
  index.forgetChanges()
  t.ok(index.hasMac(SECOND), 'what was committed stays')
})
