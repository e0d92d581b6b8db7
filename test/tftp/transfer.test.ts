import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import type { TransferTerms } from '../../src/tftp/negotiate.ts'
import { Transfer, type TransferInput, type TransferStep } from '../../src/tftp/transfer.ts'

function terms(changes: Partial<TransferTerms> = {}): TransferTerms {
  return { blockBytes: 512, window: 1, timeoutMs: 1000, accepted: new Map(), ...changes }
}

const OACK = new Map([['blksize', '512']])
const ack = (block: number): TransferInput => ({ kind: 'ack', block })
const blocks = (first: number, last = first, isResend = false): TransferStep => ({
  kind: 'send-blocks',
  first,
  last,
  isResend,
})
const WAIT: TransferStep = { kind: 'wait' }
const SENT: TransferStep = { kind: 'ended', end: { kind: 'sent' } }

t.test('RFC 1350 §6: the last block is shorter, and empty when the size is a multiple', async (t) => {
  const cases: readonly [bytes: number, blocks: number][] = [
    [0, 1],
    [1, 1],
    [511, 1],
    [512, 2],
    [513, 2],
    [1024, 3],
  ]
  for (const [bytes, count] of cases) t.equal(new Transfer(terms(), bytes, 0).blocks, count, `${bytes} bytes`)
})

t.test('block by block, and sent when the last one is confirmed', async (t) => {
  const transfer = new Transfer(terms(), 1000, 0)
  t.strictSame(transfer.start(0), blocks(1))
  t.strictSame(transfer.take(ack(1), 1), blocks(2))
  t.strictSame(transfer.take(ack(2), 2), SENT)
  t.equal(transfer.resends, 0)
})

t.test('RFC 2347: an OACK waits for ACK 0, and only for that', async (t) => {
  const transfer = new Transfer(terms({ accepted: OACK }), 1000, 0)
  t.strictSame(transfer.start(0), { kind: 'send-oack' })
  t.strictSame(transfer.take(ack(1), 1), WAIT)
  t.strictSame(transfer.take(ack(0), 2), blocks(1))
  t.strictSame(transfer.take(ack(0), 3), WAIT, 'once')
})

t.test('RFC 1123 §4.2.3.1: a repeated ACK does not double the packets', async (t) => {
  const transfer = new Transfer(terms(), 2000, 0)
  transfer.start(0)
  t.strictSame(transfer.take(ack(1), 1), blocks(2))
  t.strictSame(transfer.take(ack(1), 2), WAIT)
  t.strictSame(transfer.take(ack(0), 2), WAIT)
  t.strictSame(transfer.take(ack(2), 3), blocks(3))
})

t.test('ACKs of blocks that were never sent change nothing', async (t) => {
  const transfer = new Transfer(terms({ window: 4 }), 100_000, 0)
  transfer.start(0)
  for (const block of [5, 6, 100, 40_000, 65_535])
    t.strictSame(transfer.take(ack(block), 1), WAIT, `${block}`)
  t.strictSame(transfer.take(ack(4), 2), blocks(5, 8))
})

t.test('RFC 7440 §4: an ACK inside the window sends again from there', async (t) => {
  const transfer = new Transfer(terms({ window: 4 }), 100_000, 0)
  t.strictSame(transfer.start(0), blocks(1, 4))
  t.strictSame(transfer.take(ack(2), 1), blocks(3, 6, true))
  t.strictSame(transfer.take(ack(6), 2), blocks(7, 10))
})

t.test(
  'EDK2 confirms every block that is out of order: one rewind for each value, then one a timeout',
  async (t) => {
    const transfer = new Transfer(terms({ window: 4 }), 100_000, 0)
    transfer.start(0)
    transfer.take(ack(4), 1)
    t.strictSame(transfer.take(ack(4), 10), blocks(5, 8, true), 'block 5 was lost')
    t.strictSame(transfer.take(ack(4), 11), WAIT)
    t.strictSame(transfer.take(ack(4), 12), WAIT)
    t.strictSame(transfer.take(ack(4), 1011), blocks(5, 8, true), 'lost again')
  },
)

t.test('silence: 1 s, 2, 4, 8, 16, and after five resends it is over', async (t) => {
  const transfer = new Transfer(terms(), 2000, 0)
  transfer.start(0)
  transfer.take(ack(1), 0)
  let nowMs = 0
  const waits: number[] = []
  for (;;) {
    t.strictSame(transfer.take({ kind: 'tick' }, transfer.deadlineMs - 1), WAIT, 'not before its time')
    waits.push(transfer.deadlineMs - nowMs)
    nowMs = transfer.deadlineMs
    const step = transfer.take({ kind: 'tick' }, nowMs)
    if (step.kind === 'ended') {
      t.strictSame(step.end, { kind: 'timed-out' })
      break
    }
    t.strictSame(step, blocks(2, 2, true))
  }
  t.strictSame(waits, [1000, 2000, 4000, 8000, 16_000, 16_000])
  t.equal(transfer.resends, 5)
})

t.test('RFC 2349: who asks for a longer time is never sent a block again before it', async (t) => {
  const transfer = new Transfer(terms({ timeoutMs: 30_000 }), 2000, 0)
  transfer.start(0)
  for (const atMs of [30_000, 60_000, 90_000]) {
    t.equal(transfer.deadlineMs, atMs)
    t.strictSame(transfer.take({ kind: 'tick' }, atMs), blocks(1, 1, true))
  }
  t.match(transfer.take({ kind: 'tick' }, 120_000), { kind: 'ended' }, 'two minutes are enough all the same')
})

t.test('progress takes the patience back to its beginning', async (t) => {
  const transfer = new Transfer(terms(), 5000, 0)
  transfer.start(0)
  transfer.take({ kind: 'tick' }, 1000)
  t.equal(transfer.deadlineMs, 3000)
  transfer.take(ack(1), 1500)
  t.equal(transfer.deadlineMs, 2500)
})

t.test('a client that never confirms the last block has the file all the same', async (t) => {
  const transfer = new Transfer(terms({ window: 4 }), 1000, 0)
  transfer.start(0)
  transfer.take(ack(1), 1)
  let step: TransferStep = WAIT
  while (step.kind !== 'ended') step = transfer.take({ kind: 'tick' }, transfer.deadlineMs)
  t.strictSame(step.end, { kind: 'sent-unconfirmed' })
})

t.test('nobody has the file who never answered', async (t) => {
  const transfer = new Transfer(terms(), 100, 0)
  transfer.start(0)
  let step: TransferStep = WAIT
  while (step.kind !== 'ended') step = transfer.take({ kind: 'tick' }, transfer.deadlineMs)
  t.strictSame(step.end, { kind: 'timed-out' })
})

t.test('§6: an ERROR before the first ACK is a probe, one after it breaks off', async (t) => {
  const error: TransferInput = { kind: 'error', code: 8, message: 'User aborted the transfer' }
  const probe = new Transfer(terms({ accepted: OACK }), 1000, 0)
  probe.start(0)
  t.strictSame(probe.take(error, 1), { kind: 'ended', end: { kind: 'probe' } })
  const aborted = new Transfer(terms({ accepted: OACK }), 1000, 0)
  aborted.start(0)
  aborted.take(ack(0), 1)
  t.strictSame(aborted.take(error, 2), {
    kind: 'ended',
    end: { kind: 'aborted', code: 8, message: 'User aborted the transfer' },
  })
})

t.test(
  '§6: the request again means another thing before, soon after and long after the first ACK',
  async (t) => {
    const transfer = new Transfer(terms({ accepted: OACK }), 2000, 0)
    const again: TransferInput = { kind: 'asked-again' }
    transfer.start(0)
    t.strictSame(transfer.take(again, 10), { kind: 'send-oack' }, 'our answer was lost')
    transfer.take(ack(0), 20)
    transfer.take(ack(1), 30)
    t.strictSame(transfer.take(again, 40), WAIT, 'a copy that the network held back')
    t.strictSame(transfer.take(again, 1030), { kind: 'send-oack' }, 'the client was reset')
    t.strictSame(transfer.take(ack(0), 1040), blocks(1), 'and gets the file from its beginning')
    t.equal(transfer.acked, 0)
  },
)

t.test('numbers roll from 65535 to 0, as iPXE, EDK2 and GRUB expect', async (t) => {
  const transfer = new Transfer(terms({ blockBytes: 8, window: 4 }), 8 * 140_000, 0)
  transfer.start(0)
  for (let block = 4; block <= 140_000; block += 4) {
    const step = transfer.take(ack(block & 0xffff), 1)
    if (step.kind !== 'send-blocks' || step.first !== block + 1) throw new Error(`stuck at ${block}`)
  }
  t.strictSame(transfer.take(ack(140_001 & 0xffff), 2), SENT)
})

t.test('property: over a line that loses, repeats and reorders, the file arrives bit for bit', async () => {
  fc.assert(
    fc.property(
      fc.nat(6000),
      fc.integer({ min: 1, max: 16 }),
      fc.boolean(),
      fc.integer(),
      (fileBytes, window, hasOptions, seed) => {
        const chance = percentages(seed)
        const accepted = hasOptions ? OACK : new Map<string, string>()
        const received = runOverBadLine(terms({ blockBytes: 64, window, accepted }), fileBytes, chance)
        assert.deepEqual(
          received,
          Array.from({ length: Math.floor(fileBytes / 64) + 1 }, (_, n) => n + 1),
        )
      },
    ),
    { numRuns: 300 },
  )
})

/** Evenly spread numbers from 0 to 99; the line must be fair, since six losses in a row end a transfer rightly. */
function percentages(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * 100)
  }
}

/** A client as RFC 7440 has it, over a line on which chance decides; gives the blocks in the order it took them. */
function runOverBadLine(wanted: TransferTerms, fileBytes: number, chance: () => number): number[] {
  type Packet = { readonly to: 'client' | 'server'; readonly block: number; readonly atMs: number }
  const transfer = new Transfer(wanted, fileBytes, 0)
  const line: Packet[] = []
  const taken: number[] = []
  let nowMs = 0
  let sinceAck = 0
  const put = (to: Packet['to'], block: number) => {
    const luck = chance()
    if (luck < 10) return
    line.push({ to, block, atMs: nowMs + (luck % 7) })
    if (luck > 92) line.push({ to, block, atMs: nowMs + 9 })
  }
  const carryOut = (step: TransferStep): boolean => {
    if (step.kind === 'send-oack') put('client', 0)
    if (step.kind === 'send-blocks')
      for (let block = step.first; block <= step.last; block += 1) put('client', block)
    return step.kind === 'ended'
  }
  carryOut(transfer.start(0))
  let clientTickMs = 700
  for (let turns = 0; turns < 200_000; turns += 1) {
    line.sort((a, b) => a.atMs - b.atMs)
    const next = line[0]
    const timerMs = Math.min(transfer.deadlineMs, clientTickMs)
    if (next !== undefined && next.atMs <= timerMs) {
      line.shift()
      nowMs = Math.max(nowMs, next.atMs)
      if (next.to === 'server') {
        if (carryOut(transfer.take(ack(next.block & 0xffff), nowMs))) return taken
        continue
      }
      clientTickMs = nowMs + 700
      if (next.block === taken.length + 1) {
        taken.push(next.block)
        sinceAck += 1
        if (sinceAck >= wanted.window || next.block === transfer.blocks) {
          sinceAck = 0
          put('server', taken.length)
        }
      } else if (next.block === 0 ? taken.length === 0 : true) {
        sinceAck = 0
        put('server', taken.length)
      }
    } else {
      nowMs = timerMs
      if (clientTickMs <= nowMs) {
        clientTickMs = nowMs + 700
        sinceAck = 0
        if (taken.length > 0) put('server', taken.length)
      }
      if (carryOut(transfer.take({ kind: 'tick' }, nowMs))) return taken
    }
  }
  return taken
}
