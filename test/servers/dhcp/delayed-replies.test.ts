import t from 'tap'
import { DelayedReplies } from '../../../src/servers/dhcp/delayed-replies.ts'

t.test('a reply leaves after its time, and none after it was forgotten', async (t) => {
  const delayed = new DelayedReplies()
  const sent: string[] = []
  await new Promise<void>((resolve) => {
    delayed.hold(20, () => {
      sent.push('later')
      resolve()
    })
    delayed.hold(1, () => sent.push('sooner'))
  })
  t.strictSame(sent, ['sooner', 'later'])
  delayed.hold(5, () => sent.push('forgotten'))
  delayed.forget()
  await new Promise((resolve) => setTimeout(resolve, 20))
  t.strictSame(sent, ['sooner', 'later'])
})

t.test('at most 256 wait; a place is free again when one has left', async (t) => {
  const delayed = new DelayedReplies()
  let left = 0
  const all = new Promise<void>((resolve) => {
    for (let number = 0; number < 256; number += 1) {
      t.ok(
        delayed.hold(10, () => {
          left += 1
          if (left === 256) resolve()
        }),
      )
    }
  })
  t.notOk(
    delayed.hold(1, () => t.fail('one too many was held')),
    'the 257th is not held',
  )
  await all
  t.ok(delayed.hold(3_600_000, () => undefined))
  delayed.forget()
})
