import { createHash } from 'node:crypto'
import { fromHex } from '../../src/net/bytes.ts'

/** A UDP payload as a client of a known kind sends it. */
export interface Vector {
  readonly name: string
  readonly title: string
  readonly bytes: Uint8Array
}

/** Pieces that several vectors share: UUID, option 55 of EDK2, of a BIOS ROM and of iPXE, the empty fields, a VCI. */
const PIECES: Readonly<Record<string, string>> = {
  '<U>': '61110003000200040005000006000700080009',
  '<E>': '37230102030405060c0d0f111216171c28292a2b3233363a3b3c4243618081828384858687',
  '<B>': '37240102030405060b0c0d0f10111216171c28292a2b3233363a3b3c42438081828384858687',
  '<I>': '3719010306070c0f111a2a2b3c424377798081828384858687afcb',
  '<K>': '00*202 63825363',
  '<A>': '505845436c69656e743a417263683a',
}

/** Name, what it is, length, first 12 hex digits of its SHA-256, compact hex (`00*17` is 17 zero bytes). */
const ROWS: readonly (readonly [string, string, number, string, string])[] = [
  [
    'V1',
    'BIOS PXE ROM DISCOVER',
    548,
    '77cf0a257813',
    '010106009b4e0557000880 00*17 020000000001 <K>350101<B>390204ec<U>5d0200005e030102013c20<A>30303030303a554e44493a303032303031ff 00*200',
  ],
  [
    'V2',
    'BIOS PXE ROM REQUEST (SELECTING)',
    548,
    '8818e75ca22c',
    '010106009b4e0557000880 00*17 020000000001 <K>3501033204c00002323604c0000201<B>390204ec<U>5d0200005e030102013c20<A>30303030303a554e44493a303032303031ff 00*188',
  ],
  [
    'V3',
    'UEFI x64 (EDK2) PXE DISCOVER',
    347,
    '1abeb9f03214',
    '0101060011110003000080 00*17 020000000002 <K>350101390205c0<E><U>5e030103005d0200073c20<A>30303030373a554e44493a303033303030ff',
  ],
  [
    'V4',
    'UEFI x64 (EDK2) boot-file REQUEST to port 4011, 192.0.2.51:4011 to 192.0.2.1:4011',
    347,
    '1d9e2c6e5068',
    '010106002222000400000000c0000233 00*12 020000000002 <K>350103390205c0<E><U>5e030103005d0200073c20<A>30303030373a554e44493a303033303030ff',
  ],
  [
    'V5',
    'UEFI x64 (EDK2) HTTP Boot DISCOVER',
    340,
    '94e4c7049f45',
    '0101060011110005000080 00*17 020000000002 <K>350101390205c0371b0102030405060c0d0f111216171c28292a2b3233363a3b3c004361<U>5e030103005d0200103c2148545450436c69656e743a417263683a30303031363a554e44493a303033303030ff',
  ],
  [
    'V6',
    'iPXE (EFI x64) DISCOVER, bare user class',
    387,
    '57d80406771f',
    '01010600111100060004 00*18 020000000002 <K>350101390205c05d0200075e0301030a3c20<A>30303030373a554e44493a3030333031304d0469505845<I>af21b105018086100e240101130101140101150101170101260101270101eb030200003d0701020000000002<U>ff',
  ],
  [
    'V7',
    'iPXE (BIOS) DISCOVER, RFC 3004 framed user class',
    385,
    'bb8d319405ea',
    '01010600111100070004 00*18 020000000001 <K>350101390205c05d0200005e030102013c20<A>30303030303a554e44493a3030323030314d050469505845<I>af1eb105018086100e210101130101150101170101180101270101eb030115013d0701020000000001<U>ff',
  ],
  [
    'V8',
    'systemd-networkd DISCOVER (DUID client id)',
    291,
    '03cbf7be5063',
    '01010600111100080001 00*18 020000000002 <K>3501013d13ff0000000100020000ab110123456789abcdef370b0103060c0f1a212a777879390205dc0c076e6f64652d3032ff',
  ],
  [
    'V9',
    'ISC dhclient INIT-REBOOT REQUEST, wrong subnet',
    300,
    '1cc786c4e4c2',
    '0101060011110009 00*20 020000000003 <K>3501033204c633644d0c076e6f64652d3033370d011c02030f06770c2c2f1a792aff 00*26',
  ],
  [
    'V10',
    'relayed PXE DISCOVER, option 82 with sub-options 1,2,5,11, 198.51.100.2:67 to 192.0.2.1:67',
    378,
    '2abcd73b880d',
    '0101060111110010000480 00*13 c6336402020000000004 <K>350101390205c0<E><U>5e030103005d02000b3c20<A>30303031313a554e44493a303033303030521d01074769312f302f37020602aabbccddee0504cb0071000b04cb007101ff',
  ],
  [
    'V11',
    'RENEWING REQUEST (unicast), 192.0.2.51:68 to 192.0.2.1:67',
    291,
    '7ebf72c8a7c8',
    '010106001111001100020000c0000233 00*12 020000000002 <K>3501033d13ff0000000100020000ab110123456789abcdef370b0103060c0f1a212a777879390205dc0c076e6f64652d3032ff',
  ],
  [
    'V12',
    'DECLINE',
    300,
    'e7bd168fa589',
    '0101060011110012 00*20 020000000003 <K>3501043604c00002013204c0000278ff 00*44',
  ],
  [
    'V13',
    'INFORM, 192.0.2.200:68 to 255.255.255.255:67',
    300,
    'df10c663dd88',
    '010106001111001300000000c00002c8 00*12 020000000003 <K>35010837040103060fff 00*50',
  ],
  [
    'V14',
    'Raspberry Pi boot ROM DISCOVER (claims arch 0)',
    322,
    '1f013971c16d',
    '0101060011110014 00*20 dca632000014 <K>350101370e01032b3c424380818283848586875d0200005e03010201611100525069345250693452506934525069343c20<A>30303030303a554e44493a303032303031ff',
  ],
  [
    'V15',
    'boot-menu item REQUEST to 4011 (option 43.71), 192.0.2.50:4011 to 192.0.2.1:4011',
    357,
    'a1852bf6d9c8',
    '010106001111001500000000c0000232 00*12 020000000001 <K>350103<B>390204ec<U>5d0200005e030102013c20<A>30303030303a554e44493a3030323030312b07470400000000ffff',
  ],
  [
    'B1',
    'option length runs past the end',
    248,
    '5bb07f1cd40a',
    '01010600bad00001 00*20 020000000003 <K>3501010cc8616263',
  ],
  ['B2', 'hlen 17 (> 16)', 244, '15b6ceefa9c0', '01011100bad00002 00*20 020000000003 <K>350101ff'],
  ['B3', 'truncated header (235 bytes)', 235, '2a9c9e2062b8', '01010600bad00003 00*20 020000000003 00*201'],
  [
    'B4',
    'wrong magic cookie',
    244,
    '521690b7e964',
    '01010600bad00004 00*20 020000000003 00*202 63825364350101ff',
  ],
  [
    'B5',
    'op = 2 (reply) sent to the server',
    244,
    'c403da97ea8c',
    '02010600bad00005 00*20 020000000003 <K>350102ff',
  ],
  ['B6', 'no END, zero padded', 300, '56ce69bc28ad', '01010600bad00006 00*20 020000000003 <K>350101 00*57'],
  [
    'B7',
    'option 53 hidden in file by overload',
    244,
    '8cf3a1626386',
    '01010600bad00007 00*20 020000000003 00*74 350101ff 00*124 63825363340101ff',
  ],
  [
    'B8',
    'option 93 with odd length 1',
    258,
    '0782ae3b67cf',
    '01010600bad00008 00*20 020000000003 <K>3501015d01073c09505845436c69656e74ff',
  ],
  [
    'B9',
    'control characters in host name and vendor class',
    303,
    'de10e5b814c0',
    '01010600bad00009 00*20 020000000003 <K>3501010c1d780d0a6c6576656c3d6572726f72206d73673d2266616b65221b5b324a3c1a505845436c69656e74247b6e6574302f69707d0a232169707865ff',
  ],
  [
    'B10',
    'option 82 claimed with giaddr 0 (spoofed relay data)',
    255,
    '20909a3d2d12',
    '01010600bad00010 00*20 020000000003 <K>350101520901074769312f302f37ff',
  ],
  [
    'B11',
    'two different option 53',
    247,
    'fe4fda1ae244',
    '01010600bad00011 00*20 020000000003 <K>350101350103ff',
  ],
]

function expand(compact: string): Uint8Array {
  const flat = compact.replace(/<[A-Z]>/g, (name) => ` ${PIECES[name]} `)
  const hex = flat
    .replace(/\s+(?=\*)/g, '')
    .replace(/([0-9a-f]{2})\*(\d+)/g, (_, byte: string, count: string) => byte.repeat(Number(count)))
  const bytes = fromHex(hex)
  if (bytes === undefined) throw new Error(`no hex: ${compact}`)
  return bytes
}

/** All vectors; a slip of the pen in the table above is caught here by length and hash. */
export const VECTORS: readonly Vector[] = ROWS.map(([name, title, length, sha256, compact]) => {
  const bytes = expand(compact)
  const digest = createHash('sha256').update(bytes).digest('hex').slice(0, 12)
  if (bytes.length !== length || digest !== sha256) {
    throw new Error(`vector ${name}: ${bytes.length} bytes ${digest}, want ${length} bytes ${sha256}`)
  }
  return { name, title, bytes }
})

export function vector(name: string): Uint8Array {
  const found = VECTORS.find((one) => one.name === name)
  if (found === undefined) throw new Error(`no vector ${name}`)
  return found.bytes
}
