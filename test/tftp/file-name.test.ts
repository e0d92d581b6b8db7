import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { cleanFileName } from '../../src/tftp/file-name.ts'

t.test('what firmware writes around a name is taken off', async (t) => {
  const cases: readonly [asked: string, clean: string][] = [
    ['snponly.efi', 'snponly.efi'],
    ['/snponly.efi', 'snponly.efi'],
    ['//boot\\x64/./snponly.efi', 'boot/x64/snponly.efi'],
    ['undionly.kpxe\u00ff', 'undionly.kpxe'],
    ['undionly.kpxe  \u00ff', 'undionly.kpxe'],
    ['...', '...'],
  ]
  for (const [asked, clean] of cases) t.equal(cleanFileName(asked), clean, JSON.stringify(asked))
})

t.test('names that nobody has a right to ask for', async (t) => {
  const hostile = [
    '',
    '/',
    './',
    '..',
    '../etc/passwd',
    'a/../../b',
    '..\\..\\boot.ini',
    '%2e%2e/etc/passwd',
    'a%00.efi',
    'a\nb',
    'a\tb',
    'a\u0000b',
    'a\u007fb',
    'a\u0085b',
    '\u00ff\u00ff',
  ]
  for (const name of hostile) t.equal(cleanFileName(name), undefined, JSON.stringify(name))
})

t.test('property: a clean name is relative, climbs nowhere and stays as it is', async () => {
  const piece = fc.constantFrom('..', '.', '/', '\\', 'a', 'Z', ' ', '%', '\0', '\u00ff', '\n', 'é', '-')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      const clean = cleanFileName(pieces.join(''))
      if (clean === undefined) return
      assert.doesNotMatch(clean, /^\/|\/$|\/\/|\\|%|[\u0000-\u001f]/)
      assert.ok(!clean.split('/').some((segment) => ['..', '.', ''].includes(segment)))
      assert.equal(cleanFileName(clean), clean)
    }),
    { numRuns: 3000 },
  )
})
