import t from 'tap'
import { Inbox, type Sender } from '../../../src/servers/tftp/inbox.ts'

const FROM: Sender = { address: '192.0.2.1', port: 2000 }

function receivers() {
  const got: string[] = []
  const receiver = (name: string) => ({
    receive: (bytes: Uint8Array, { port }: Sender) => void got.push(`${name} ${bytes[0]} of ${port}`),
  })
  return { got, one: receiver('one'), other: receiver('other') }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

t.test('the datagrams of one turn are handed over after it, in their order, each to its own', async (t) => {
  const { got, one, other } = receivers()
  const inbox = new Inbox()
  inbox.put(one, Uint8Array.of(1), FROM)
  inbox.put(other, Uint8Array.of(2), { ...FROM, port: 3000 })
  inbox.put(one, Uint8Array.of(3), FROM)
  t.strictSame(got, [])
  await turn()
  t.strictSame(got, ['one 1 of 2000', 'other 2 of 3000', 'one 3 of 2000'])
  inbox.put(other, Uint8Array.of(4), FROM)
  await turn()
  t.strictSame(got.slice(3), ['other 4 of 2000'], 'and so are those of the next')
})

t.test('a flood does not pile up: at 256 they are handed over at once, each once', async (t) => {
  const { got, one } = receivers()
  const inbox = new Inbox()
  for (let n = 0; n < 255; n += 1) inbox.put(one, Uint8Array.of(n), FROM)
  t.equal(got.length, 0)
  for (let n = 255; n < 300; n += 1) inbox.put(one, Uint8Array.of(n & 0xff), FROM)
  t.equal(got.length, 256)
  await turn()
  t.strictSame(
    got,
    Array.from({ length: 300 }, (_, n) => `one ${n & 0xff} of 2000`),
  )
})
