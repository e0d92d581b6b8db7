import t from 'tap'
import { decode } from '../../src/dhcp/decode.ts'
import { IPXE_FEATURE, ipxeFeaturesOf } from '../../src/dhcp/ipxe.ts'
import { parameterListOf, payloadMaxOf } from '../../src/dhcp/options.ts'
import { type DhcpPacket, OPTION, packetOf } from '../../src/dhcp/packet.ts'
import {
  architecturesOf,
  isIpxe,
  machineUuidOf,
  networkInterfaceOf,
  userClassesOf,
  vendorArchitectureOf,
  vendorClassOf,
} from '../../src/dhcp/pxe.ts'
import { bootItemOf, raspberryPiMenuValue, wantsSignature } from '../../src/dhcp/pxe-vendor-options.ts'
import { relayAgentOf } from '../../src/dhcp/relay-agent.ts'
import { fromHex, textBytes, toHex } from '../../src/net/bytes.ts'
import type { Ipv4 } from '../../src/net/ipv4.ts'
import { vector } from '../support/dhcp-vectors.ts'

function packetFrom(name: string): DhcpPacket {
  const decoded = decode(vector(name))
  if (!decoded.ok) throw new Error(`${name}: ${decoded.reason}`)
  return decoded.packet
}

function withOption(code: number, value: Uint8Array, giaddr = '0.0.0.0' as Ipv4): DhcpPacket {
  return packetOf({ op: 1, messageType: 'discover', xid: 1, giaddr, options: new Map([[code, value]]) })
}

t.test('option 93 is a list of 16-bit numbers or nothing', async (t) => {
  t.same(architecturesOf(packetFrom('V1')), [0])
  t.same(architecturesOf(packetFrom('V5')), [16])
  t.same(architecturesOf(withOption(93, fromHex('00070009')!)), [7, 9])
  t.same(architecturesOf(packetFrom('B8')), [], 'odd length')
  t.same(architecturesOf(withOption(93, new Uint8Array(0))), [], 'empty')
  t.same(architecturesOf(withOption(93, fromHex('ffff')!)), [], '0xffff means none')
})

t.test('option 60 names the kind of boot client by how it begins', async (t) => {
  t.equal(vendorClassOf(packetFrom('V3')), 'PXEClient')
  t.equal(vendorClassOf(packetFrom('V5')), 'HTTPClient')
  t.equal(vendorClassOf(withOption(60, textBytes('U-Boot.armv8'))), 'U-Boot')
  t.equal(vendorClassOf(withOption(60, textBytes('not a PXEClient'))), undefined)
  t.equal(vendorArchitectureOf(packetFrom('V5')), 16)
  t.equal(vendorArchitectureOf(withOption(60, textBytes('HTTPClient:Arch:16'))), undefined, 'five digits')
})

t.test('a user class is read bare and framed (RFC 3004), and compared whole', async (t) => {
  t.ok(isIpxe(packetFrom('V6')), 'bare')
  t.ok(isIpxe(packetFrom('V7')), 'framed')
  t.notOk(isIpxe(packetFrom('V3')))
  t.notOk(isIpxe(withOption(77, textBytes('iPXE-like'))))
  t.same(userClassesOf(withOption(77, fromHex('04695058450161')!)).slice(1), ['iPXE', 'a'])
  t.same(userClassesOf(withOption(77, fromHex('0469505845056162')!)).slice(1), [], 'half a list is no list')
  t.ok(isIpxe(withOption(175, new Uint8Array(0))), 'option 175 alone')
})

t.test('option 175 tells what an iPXE can do', async (t) => {
  const efi = ipxeFeaturesOf(packetFrom('V6'))
  t.ok(efi?.features.has(IPXE_FEATURE.http) && efi.features.has(IPXE_FEATURE.efi))
  t.notOk(efi?.features.has(IPXE_FEATURE.bzImage))
  t.equal(efi?.version, '2.0.0')
  const bios = ipxeFeaturesOf(packetFrom('V7'))
  t.ok(bios?.features.has(IPXE_FEATURE.bzImage))
  t.equal(ipxeFeaturesOf(packetFrom('V3')), undefined)
})

t.test('option 97 becomes the UUID that SMBIOS means: three fields turned round', async (t) => {
  const value = fromHex('00 33221100 5544 7766 8899 aabbccddeeff')!
  t.equal(machineUuidOf(withOption(97, value)), '00112233-4455-6677-8899-aabbccddeeff')
  t.equal(machineUuidOf(withOption(97, fromHex('01 33221100 5544 7766 8899 aabbccddeeff')!)), undefined)
  t.equal(machineUuidOf(withOption(97, value.subarray(0, 16))), undefined)
})

t.test('option 94 is the version of the network interface', async (t) => {
  t.same(networkInterfaceOf(packetFrom('V6')), { type: 1, major: 3, minor: 10 })
  t.equal(networkInterfaceOf(withOption(94, Uint8Array.of(1, 2))), undefined)
})

t.test('option 57 is read in the way that fits every client: headers counted in', async (t) => {
  t.equal(payloadMaxOf(packetFrom('V3')), 1472 - 28)
  t.equal(payloadMaxOf(packetFrom('V9')), 548, 'absent')
  t.equal(payloadMaxOf(withOption(57, fromHex('ff00')!)), 1472, 'EDK2 asks for 65280 in its REQUEST')
  t.equal(payloadMaxOf(withOption(57, fromHex('0001')!)), 548)
})

t.test('option 55 is read in its order; absent is not the same as empty', async (t) => {
  t.same([...parameterListOf(withOption(55, fromHex('030601')!))!], [3, 6, 1])
  t.equal(parameterListOf(packetFrom('B6')), undefined)
})

t.test('option 82 counts only behind a relay (giaddr), for any host can write it', async (t) => {
  const relay = relayAgentOf(packetFrom('V10'))
  t.equal(relay?.linkSelection, '203.0.113.0')
  t.equal(relay?.serverIdOverride, '203.0.113.1')
  t.equal(toHex(relay?.circuitId ?? new Uint8Array()), toHex(textBytes('Gi1/0/7')))
  t.equal(relay?.wantsSourcePort, false)
  t.equal(relayAgentOf(packetFrom('B10')), undefined)
  const relayed = withOption(OPTION.relayAgent, fromHex('1300')!, '10.0.0.2' as Ipv4)
  t.equal(relayAgentOf(relayed)?.wantsSourcePort, true, 'RFC 8357')
  const broken = withOption(OPTION.relayAgent, fromHex('05ff01')!, '10.0.0.2' as Ipv4)
  t.equal(relayAgentOf(broken)?.linkSelection, undefined)
})

t.test('option 43 of a boot menu: the item asked for, and what a Raspberry Pi wants to see', async (t) => {
  t.same(bootItemOf(packetFrom('V15')), { type: 0, layer: 0 })
  t.equal(bootItemOf(packetFrom('V3')), undefined)
  t.ok(wantsSignature({ type: 1, layer: 0x8000 }))
  t.equal(
    toHex(raspberryPiMenuValue()),
    `0914000011${toHex(textBytes('Raspberry Pi Boot'))}0a0400${toHex(textBytes('PXE'))}ff`,
  )
})
