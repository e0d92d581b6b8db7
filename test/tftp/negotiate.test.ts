import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { negotiate } from '../../src/tftp/negotiate.ts'

const LIMITS = { maxBlockBytes: 1468, maxWindow: 16 }

function asked(options: Record<string, string>, mode: 'octet' | 'netascii' = 'octet') {
  return { kind: 'rrq', fileName: 'a', mode, options: new Map(Object.entries(options)) } as const
}

function answer(options: Record<string, string>, mode: 'octet' | 'netascii' = 'octet') {
  return Object.fromEntries(negotiate(asked(options, mode), 74_213, LIMITS).accepted)
}

t.test('without options: blocks of 512, one at a time, no OACK', async (t) => {
  t.strictSame(negotiate(asked({}), 1, LIMITS), {
    blockBytes: 512,
    window: 1,
    timeoutMs: 1000,
    accepted: new Map(),
  })
})

t.test('each option, what is accepted and what is left out of the OACK', async (t) => {
  const cases: readonly [options: Record<string, string>, oack: Record<string, string>][] = [
    [{ blksize: '1432' }, { blksize: '1432' }],
    [{ blksize: '65464' }, { blksize: '1468' }],
    [{ blksize: '8' }, { blksize: '8' }],
    [{ blksize: '7' }, {}],
    [{ blksize: '65465' }, {}],
    [{ blksize: '0' }, {}],
    [{ blksize: '-8' }, {}],
    [{ blksize: '1e3' }, {}],
    [{ blksize: ' 1432' }, {}],
    [{ blksize: '' }, {}],
    [{ tsize: '0' }, { tsize: '74213' }],
    [{ tsize: 'x' }, {}],
    [{ tsize: '1' }, {}],
    [{ tsize: '74213' }, {}],
    [{ timeout: '1' }, { timeout: '1' }],
    [{ timeout: '255' }, { timeout: '255' }],
    [{ timeout: '0' }, {}],
    [{ timeout: '256' }, {}],
    [{ windowsize: '4' }, { windowsize: '4' }],
    [{ windowsize: '65535' }, { windowsize: '16' }],
    [{ windowsize: '0' }, {}],
    [{ windowsize: '65536' }, {}],
    [{ multicast: '', rollover: '0', blksize: '1024' }, { blksize: '1024' }],
  ]
  for (const [options, oack] of cases) t.strictSame(answer(options), oack, JSON.stringify(options))
})

t.test('netascii has no exact size in advance and no window', async (t) => {
  t.strictSame(answer({ tsize: '0', windowsize: '4', blksize: '1024' }, 'netascii'), { blksize: '1024' })
  t.equal(negotiate(asked({ windowsize: '4' }, 'netascii'), 1, LIMITS).window, 1)
})

t.test('the timeout that was asked for is the time to a resend', async (t) => {
  t.equal(negotiate(asked({ timeout: '3' }), 1, LIMITS).timeoutMs, 3000)
})

t.test('property: EDK2 finds nothing in an OACK that it did not ask for, and nothing larger', async () => {
  const value = fc.oneof(fc.nat(70_000).map(String), fc.string({ maxLength: 8 }))
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom('blksize', 'tsize', 'timeout', 'windowsize', 'x'), value),
      fc.constantFrom('octet' as const, 'netascii' as const),
      (options, mode) => {
        const terms = negotiate(asked(options, mode), 74_213, LIMITS)
        for (const [name, text] of terms.accepted) {
          assert.ok(name in options)
          if (name === 'blksize' || name === 'windowsize') assert.ok(Number(text) <= Number(options[name]))
          if (name === 'timeout') assert.equal(Number(text), Number(options[name]))
        }
        assert.ok(terms.blockBytes >= 8 && terms.blockBytes <= LIMITS.maxBlockBytes)
        assert.ok(terms.window >= 1 && terms.window <= LIMITS.maxWindow)
      },
    ),
  )
})
