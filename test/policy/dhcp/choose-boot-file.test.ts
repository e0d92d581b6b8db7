import t from 'tap'
import { OPTION } from '../../../src/dhcp/packet.ts'
import type { BootAttempt } from '../../../src/model/boot-attempt.ts'
import { latin1 } from '../../../src/net/bytes.ts'
import {
  clientRequest,
  DhcpWorld,
  hexOf,
  ip,
  LOCAL,
  mac,
  machineOf,
  NOW_MS,
  settingsOf,
} from '../../support/dhcp-builders.ts'

const PXE = hexOf('PXEClient:Arch:00000:UNDI:002001')
const HTTP = hexOf('HTTPClient:Arch:00016:UNDI:003000')
const IPXE = hexOf('iPXE')
const HTTP_BZIMAGE = '130101180101'
const HTTP_EFI = '130101240101'
const SCRIPT = 'http://192.0.2.1:8080/boot/02-00-00-00-00-03.ipxe'

interface Row {
  readonly name: string
  readonly options: Readonly<Record<number, string>>
  readonly world?: (world: DhcpWorld) => void
  readonly file: string
  readonly boot: string
  readonly events?: readonly string[]
}

const loaderSends = (...agoMs: number[]) => {
  return (world: DhcpWorld) => {
    world.extra = { loaderSends: agoMs.map((ago) => NOW_MS - ago) }
  }
}

/** Option 93 as it stands on the wire. */
function codeHex(code: number): string {
  return code.toString(16).padStart(4, '0')
}

const ROWS: readonly Row[] = [
  { name: 'no mark of a boot client', options: {}, file: '', boot: 'no-boot-client' },
  {
    name: 'option 60 alone is not to be believed',
    options: { 60: PXE },
    file: '',
    boot: 'no-boot-client',
  },
  {
    name: 'option 93 without a boot client’s option 60 is not either',
    options: { 93: '0007' },
    file: '',
    boot: 'no-boot-client',
  },
  ...(
    [
      ['0000', 'undionly.kpxe'],
      ['0006', 'snponly-i386.efi'],
      ['0007', 'snponly.efi'],
      ['0009', 'snponly.efi'],
      ['000a', 'snponly-arm32.efi'],
      ['000b', 'snponly-arm64.efi'],
      ['001b', 'snponly-riscv64.efi'],
      ['0027', 'snponly-loong64.efi'],
      ['00630007', 'snponly.efi'],
    ] as const
  ).map(([code, file]) => ({
    name: `PXE of architecture ${code}`,
    options: { 60: PXE, 93: code },
    file,
    boot: 'loader',
  })),
  ...[1, 2, 3, 4, 5, 8, 12, 13, 25, 29, 31, 32, 33, 34, 35, 36, 37].map((code) => ({
    name: `PXE of architecture ${code}, which nobody has a loader for`,
    options: { 60: PXE, 93: codeHex(code) },
    file: '',
    boot: 'no-loader-for-architecture',
  })),
  {
    name: 'PXE of a number in no table',
    options: { 60: PXE, 93: '0063' },
    file: '',
    boot: 'unknown-architecture',
    events: ['boot.unknown-architecture'],
  },
  {
    name: '93 and the number in 60 disagree: 93 counts',
    options: { 60: PXE, 93: '000b' },
    file: 'snponly-arm64.efi',
    boot: 'loader',
  },
  {
    name: 'a loader that is not on hand is not promised',
    options: { 60: PXE, 93: '0007' },
    world: (world) => {
      world.settings = settingsOf({ loaders: new Set(['undionly.kpxe']) })
    },
    file: '',
    boot: 'loader-missing',
    events: ['boot.loader-missing'],
  },
  {
    name: 'our own iPXE needs no features',
    options: { 77: hexOf('pilotlight') },
    file: SCRIPT,
    boot: 'script',
  },
  {
    name: 'iPXE on BIOS with HTTP and bzImage',
    options: { 60: PXE, 77: IPXE, 93: '0000', 175: HTTP_BZIMAGE },
    file: SCRIPT,
    boot: 'script',
  },
  {
    name: 'iPXE on UEFI with HTTP and EFI',
    options: { 60: PXE, 77: IPXE, 93: '0007', 175: HTTP_EFI },
    file: SCRIPT,
    boot: 'script',
  },
  {
    name: 'iPXE chained from UEFI HTTP Boot is iPXE first',
    options: { 60: HTTP, 77: IPXE, 93: '0010', 175: HTTP_EFI },
    file: SCRIPT,
    boot: 'script',
  },
  {
    name: 'iPXE on BIOS without bzImage is chained to a full one',
    options: { 60: PXE, 77: IPXE, 93: '0000', 175: '130101' },
    file: 'tftp://192.0.2.1/ipxe.pxe',
    boot: 'chain-loader',
  },
  {
    name: 'iPXE on UEFI without HTTP is chained by architecture',
    options: { 60: PXE, 77: IPXE, 93: '000b', 175: '240101' },
    file: 'tftp://192.0.2.1/snponly-arm64.efi',
    boot: 'chain-loader',
  },
  {
    name: 'iPXE that says nothing of its features is chained',
    options: { 60: PXE, 77: IPXE, 93: '0000' },
    file: 'tftp://192.0.2.1/ipxe.pxe',
    boot: 'chain-loader',
  },
  {
    name: 'iPXE that was chained within a minute and still lacks features: a loop',
    options: { 60: PXE, 77: IPXE, 93: '0000', 175: '130101' },
    world: loaderSends(30_000),
    file: '',
    boot: 'boot-loop',
    events: ['boot.loop'],
  },
  {
    name: 'iPXE that was chained longer ago gets another try',
    options: { 60: PXE, 77: IPXE, 93: '0000', 175: '130101' },
    world: loaderSends(61_000),
    file: 'tftp://192.0.2.1/ipxe.pxe',
    boot: 'chain-loader',
  },
  {
    name: 'iPXE without HTTPS where scripts are served by HTTPS',
    options: { 60: PXE, 77: IPXE, 93: '0007', 175: HTTP_EFI },
    world: (world) => {
      world.settings = settingsOf({ bootUrl: 'https://192.0.2.1:8443' })
    },
    file: 'tftp://192.0.2.1/snponly.efi',
    boot: 'chain-loader',
  },
  {
    name: 'iPXE with HTTPS where scripts are served by HTTPS',
    options: { 60: PXE, 77: IPXE, 93: '0007', 175: `${HTTP_EFI}140101` },
    world: (world) => {
      world.settings = settingsOf({ bootUrl: 'https://192.0.2.1:8443' })
    },
    file: 'https://192.0.2.1:8443/boot/02-00-00-00-00-03.ipxe',
    boot: 'script',
  },
  {
    name: 'the third loader in three minutes without a script: told, and served all the same',
    options: { 60: PXE, 93: '0007' },
    world: loaderSends(170_000, 90_000, 20_000),
    file: 'snponly.efi',
    boot: 'loader',
    events: ['boot.loop'],
  },
  {
    name: 'three loaders over a longer time are three boots',
    options: { 60: PXE, 93: '0007' },
    world: loaderSends(190_000, 90_000, 20_000),
    file: 'snponly.efi',
    boot: 'loader',
  },
  ...(
    [
      [15, 'snponly-i386.efi'],
      [16, 'snponly.efi'],
      [17, 'snponly.efi'],
      [18, 'snponly-arm32.efi'],
      [19, 'snponly-arm64.efi'],
      [20, 'undionly.kpxe'],
      [28, 'snponly-riscv64.efi'],
      [40, 'snponly-loong64.efi'],
    ] as const
  ).map(([code, loader]) => ({
    name: `HTTP Boot of architecture ${code}`,
    options: { 60: HTTP, 93: codeHex(code) },
    file: `http://192.0.2.1:8080/assets/${loader}`,
    boot: 'http-loader',
  })),
  ...[23, 24, 26, 30, 38].map((code) => ({
    name: `HTTP Boot of architecture ${code}, which nobody has a loader for`,
    options: { 60: HTTP, 93: codeHex(code) },
    file: '',
    boot: 'no-loader-for-architecture',
  })),
  {
    name: 'UEFI HTTP Boot that tells its architecture in option 60 alone',
    options: { 60: hexOf('HTTPClient:Arch:00019:UNDI:003000') },
    file: 'http://192.0.2.1:8080/assets/snponly-arm64.efi',
    boot: 'http-loader',
  },
  {
    name: 'HTTP Boot of a number in no table',
    options: { 60: hexOf('HTTPClient:Arch:00099:UNDI:003000'), 93: '0063' },
    file: '',
    boot: 'unknown-architecture',
    events: ['boot.unknown-architecture'],
  },
  {
    name: 'HTTPClient without an architecture is no boot client',
    options: { 60: hexOf('HTTPClient') },
    file: '',
    boot: 'no-boot-client',
  },
  {
    name: 'U-Boot looks for its own configuration file',
    options: { 60: hexOf('U-Boot.armv8'), 93: '0016' },
    file: '',
    boot: 'config-file',
  },
  {
    name: 'U-Boot that boots as UEFI gets the UEFI loader',
    options: { 60: hexOf('U-Boot.armv8'), 93: '000b' },
    file: 'snponly-arm64.efi',
    boot: 'loader',
  },
  { name: 'GRUB’s own DHCP', options: { 55: '0103060c0f' }, file: '', boot: 'no-boot-client' },
  {
    name: 'the operator’s loader for plain PXE',
    options: { 60: PXE, 93: '0007' },
    world: withLoader('ipxe.efi'),
    file: 'ipxe.efi',
    boot: 'loader-override',
  },
  {
    name: 'the operator’s loader for UEFI HTTP Boot',
    options: { 60: HTTP, 93: '0010' },
    world: withLoader('ipxe.efi'),
    file: 'http://192.0.2.1:8080/assets/ipxe.efi',
    boot: 'http-loader',
  },
  {
    name: 'the operator’s loader for a ROM that is itself an iPXE: a full URL',
    options: { 60: PXE, 77: IPXE, 93: '0000', 175: HTTP_BZIMAGE },
    world: withLoader('undionly.kpxe'),
    file: 'tftp://192.0.2.1/undionly.kpxe',
    boot: 'loader-override',
  },
  {
    name: 'the operator’s loader was sent whole in this attempt: the script follows',
    options: { 60: PXE, 77: IPXE, 93: '0000', 175: HTTP_BZIMAGE },
    world: withLoader('undionly.kpxe', { stage: 'loader-sent', loaderSentAtMs: NOW_MS - 3000 }),
    file: SCRIPT,
    boot: 'script',
  },
  {
    name: 'the operator’s loader is still on its way',
    options: { 60: PXE, 77: IPXE, 93: '0000', 175: HTTP_BZIMAGE },
    world: withLoader('undionly.kpxe', { startedAtMs: NOW_MS - 180_000 }),
    file: 'tftp://192.0.2.1/undionly.kpxe',
    boot: 'loader-override',
  },
  {
    name: 'the operator’s loader never arrived: after three minutes the script',
    options: { 60: PXE, 77: IPXE, 93: '0000', 175: HTTP_BZIMAGE },
    world: withLoader('undionly.kpxe', { startedAtMs: NOW_MS - 180_001 }),
    file: SCRIPT,
    boot: 'script',
  },
  {
    name: 'the operator’s loader in the next attempt again',
    options: { 60: PXE, 77: IPXE, 93: '0000', 175: HTTP_BZIMAGE },
    world: withLoader('undionly.kpxe', { stage: 'kernel-sent', loaderSentAtMs: NOW_MS - 3000 }),
    file: 'tftp://192.0.2.1/undionly.kpxe',
    boot: 'loader-override',
  },
  {
    name: 'the operator’s loader is not on hand',
    options: { 60: PXE, 93: '0007' },
    world: withLoader('gone.efi', {}, false),
    file: '',
    boot: 'loader-missing',
    events: ['boot.loader-missing'],
  },
]

function withLoader(loader: string, attempt: Partial<BootAttempt> = {}, isOnHand = true) {
  return (world: DhcpWorld) => {
    const { loaders } = world.settings
    world.settings = settingsOf({ loaders: isOnHand ? new Set([...loaders, loader]) : loaders })
    world.machines[2] = machineOf(3, { loader })
    world.attempts.push({
      bootId: 'boot-1',
      machineId: 'machine-3',
      status: 'tentative',
      stage: 'offered',
      startedAtMs: NOW_MS - 5000,
      heardAtMs: NOW_MS - 5000,
      ...attempt,
    })
  }
}

for (const row of ROWS) {
  t.test(row.name, async (t) => {
    const world = new DhcpWorld()
    row.world?.(world)
    const { reply } = world.handle(clientRequest({ messageType: 'discover', last: 3, options: row.options }))
    t.equal(reply?.packet.file, row.file)
    t.equal(reply?.boot, row.boot)
    t.same(world.events, row.events ?? [])
    const namesServer = row.file !== '' || row.boot === 'config-file'
    t.equal(reply?.packet.siaddr, namesServer ? '192.0.2.1' : '0.0.0.0')
    t.equal(reply?.packet.yiaddr, '192.0.2.100', 'a lease in any case')
  })
}

t.test('a boot URL too long for the file field goes into option 67 alone', async (t) => {
  const world = new DhcpWorld()
  const bootUrl = `http://192.0.2.1:8080/${'a'.repeat(120)}`
  world.settings = settingsOf({ bootUrl })
  const { reply } = world.handle(
    clientRequest({ messageType: 'discover', last: 3, options: { 77: hexOf('pilotlight'), 55: '01' } }),
  )
  t.equal(reply?.packet.file, '')
  t.match(latin1(reply!.packet.options.get(OPTION.bootFile)!), bootUrl)
})

t.test('files come from the subnet’s own boot address where it has one', async (t) => {
  const world = new DhcpWorld()
  world.subnets = [{ ...LOCAL, bootAddress: ip('192.0.2.9') }]
  const { reply } = world.handle(
    clientRequest({ messageType: 'discover', last: 3, options: { 60: PXE, 93: '0007' } }),
  )
  t.equal(reply?.packet.siaddr, '192.0.2.9')
  t.equal(reply?.packet.sname, '192.0.2.9')
})

t.test('Petitboot and U-Boot get option 209 when they ask for it', async (t) => {
  const configFile = (options: Record<number, string>) => {
    const { reply } = new DhcpWorld().handle(clientRequest({ messageType: 'discover', last: 3, options }))
    const value = reply?.packet.options.get(OPTION.configFile)
    return value && latin1(value)
  }
  t.equal(configFile({ 93: '000e', 55: '01d1' }), `${SCRIPT}?platform=petitboot`)
  t.equal(
    configFile({ 60: hexOf('U-Boot.armv8'), 93: '0016', 55: '01d1' }),
    'pxelinux.cfg/01-02-00-00-00-00-03',
  )
  t.equal(configFile({ 60: hexOf('U-Boot.armv8'), 93: '0016', 55: '01' }), undefined)
})

t.test('the Raspberry Pi prefixes can be configured', async (t) => {
  const world = new DhcpWorld()
  const ask = () =>
    world.handle(clientRequest({ messageType: 'discover', last: 3, options: { 60: PXE, 93: '0000' } })).reply
      ?.boot
  t.equal(ask(), 'loader')
  world.settings = settingsOf({ raspberryPiPrefixes: [mac(3).slice(0, 8)] })
  t.equal(ask(), 'raspberry-pi-menu')
})
