import t from 'tap'
import { toldRamMib } from '../../../../src/servers/http/boot/smbios-ram.ts'

t.test('the ranges that SMBIOS type 19 states are added up', async (t) => {
  const cases: readonly (readonly [ranges: readonly unknown[], mib: number | undefined, why: string])[] = [
    [['00000000ffff0700'], 512, 'QEMU with 512 MiB'],
    [['00000000ffff2f00', '00004000ffff8f00'], 3072 + 5120, 'a hole below 4 GiB'],
    [['00000000FFFF0700', ''], 512, 'one range, in capitals'],
    [['00000000ffffffff'], undefined, 'an address in the extended fields'],
    [['ffff070000000000'], undefined, 'it ends before it begins'],
    [['00000000ff030000'], 1, 'the least'],
    [['00000000fe030000'], undefined, 'less than a MiB'],
    [[], undefined, 'nothing'],
    [['', undefined], undefined, 'no such structure'],
    [['${smbios/19.4.8:hexraw}', ['00000000ffff0700'], 7, '00000000ffff07'], undefined, 'anything else'],
  ]
  for (const [ranges, mib, why] of cases) t.equal(toldRamMib(ranges), mib, why)
})
