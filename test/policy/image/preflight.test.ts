import t from 'tap'
import { DEFAULT_IMAGE_LIMITS, preflight } from '../../../src/policy/image/preflight.ts'
import { kernelArgumentsFault } from '../../../src/policy/machine/kernel-arguments.ts'
import { aMachine, anImage } from '../../support/builders.ts'

const MIB = 1024 * 1024
const BIOS = 0
const UEFI_X64 = 7
const UEFI_ARM64 = 11

function imageOf(initrdMib: number, squashfsMib = 0) {
  const [kernel] = anImage().files
  const squashfs = {
    name: 'root.squashfs',
    role: 'squashfs',
    bytes: squashfsMib * MIB,
    sha256: 'cc',
  } as const
  return anImage({
    files: [
      kernel!,
      { name: 'initrd', role: 'initrd', bytes: initrdMib * MIB, sha256: 'bb' },
      ...(squashfsMib === 0 ? [] : [squashfs]),
    ],
  })
}

type Case = readonly [
  what: string,
  facts: {
    mib?: number
    squashfsMib?: number
    ramMib?: number
    architecture?: number
    limits?: Partial<typeof DEFAULT_IMAGE_LIMITS>
  },
  expected: readonly string[],
]
const cases: readonly Case[] = [
  ['nothing known, nothing to say', {}, []],
  ['2048 MiB by BIOS is the most', { mib: 2048, architecture: BIOS }, []],
  ['2049 MiB by BIOS', { mib: 2049, architecture: BIOS }, ['image-too-large refuse']],
  ['2049 MiB by UEFI', { mib: 2049, architecture: UEFI_X64 }, ['image-too-large warn']],
  ['2049 MiB by who knows what', { mib: 2049 }, ['image-too-large warn']],
  [
    'another threshold',
    { mib: 600, architecture: BIOS, limits: { maxInitrdMib: 512 } },
    ['image-too-large refuse'],
  ],
  [
    'only warn',
    { mib: 2049, architecture: BIOS, limits: { whenTooLarge: 'warn' } },
    ['image-too-large warn'],
  ],
  ['RAM of exactly twice the initrd and 1 GiB', { mib: 500, ramMib: 2024 }, []],
  ['a MiB less', { mib: 500, ramMib: 2023 }, ['too-little-memory refuse']],
  ['a squashfs once beside them', { mib: 50, squashfsMib: 900, ramMib: 2024 }, []],
  ['a MiB less', { mib: 50, squashfsMib: 900, ramMib: 2023 }, ['too-little-memory refuse']],
  [
    'a MiB less, only warn',
    { mib: 500, ramMib: 2023, limits: { whenTooLarge: 'warn' } },
    ['too-little-memory warn'],
  ],
  [
    'other thresholds',
    { mib: 500, ramMib: 2000, limits: { ramFactor: 3, ramExtraMib: 512 } },
    ['too-little-memory refuse'],
  ],
  [
    'both',
    { mib: 4096, ramMib: 4096, architecture: BIOS },
    ['image-too-large refuse', 'too-little-memory refuse'],
  ],
  ['an arm64 machine', { architecture: UEFI_ARM64 }, ['wrong-architecture refuse']],
  [
    'an arm64 machine, however lenient',
    { architecture: UEFI_ARM64, limits: { whenTooLarge: 'warn' } },
    ['wrong-architecture refuse'],
  ],
  ['a BIOS says i386 and runs 64 bits', { architecture: BIOS }, []],
  ['a number that nobody knows', { architecture: 999 }, []],
]

for (const [what, { mib = 10, squashfsMib, ramMib, architecture, limits }, expected] of cases) {
  t.test(`preflight: ${what}`, async (t) => {
    const findings = preflight({
      machine: aMachine(ramMib === undefined ? {} : { ramMib }),
      image: imageOf(mib, squashfsMib),
      limits: { ...DEFAULT_IMAGE_LIMITS, ...limits },
      ...(architecture === undefined ? {} : { architecture }),
    })
    t.strictSame(
      findings.map(({ code, refuses }) => `${code} ${refuses ? 'refuse' : 'warn'}`),
      expected,
    )
    for (const finding of findings) t.ok(finding.detail.length > 20 && finding.cure.length > 10)
  })
}

t.test('a command line that Linux would cut is refused', async (t) => {
  const long = Array.from({ length: 8 }, (_, n) => `key${n}=${'v'.repeat(240)}`)
  const check = (kernelArguments: readonly string[]) =>
    preflight({ machine: aMachine({ kernelArguments }), image: imageOf(1), limits: DEFAULT_IMAGE_LIMITS })
  t.match(check(long), [{ code: 'command-line-too-long', refuses: true }])
  t.strictSame(check(long.slice(0, 6)), [])
  const machine = aMachine({ kernelArguments: [...long.slice(0, 6), `key=${'v'.repeat(50)}`] })
  const withRoot = (mib: number) =>
    preflight({ machine, image: imageOf(1, mib), limits: DEFAULT_IMAGE_LIMITS })
  t.strictSame(withRoot(0), [])
  t.match(withRoot(1), [{ code: 'command-line-too-long' }], 'a squashfs has parameters of its own')
})

t.test('kernel arguments: safe words only, and none that the script sets itself', async (t) => {
  t.equal(
    kernelArgumentsFault(['console=ttyS1,115200', 'nomodeset', 'ip=10.0.0.1::10.0.0.254:255.255.255.0']),
    undefined,
  )
  const bad = [
    '',
    'a b',
    'a;b',
    '$(id)',
    '${net0/mac}',
    'a"b',
    "a'b",
    'a|b',
    'a&b',
    '#',
    'ü',
    'a\nb',
    'x'.repeat(256),
  ]
  for (const word of [...bad, 'init=/bin/sh', 'initrd=other', 'pilotlight.token=x'])
    t.match(
      kernelArgumentsFault(['quiet', word]),
      { code: 'kernel-argument-refused', field: 'kernel_arguments' },
      word,
    )
  t.match(kernelArgumentsFault(Array(33).fill('quiet')), { code: 'kernel-argument-refused' })
})
