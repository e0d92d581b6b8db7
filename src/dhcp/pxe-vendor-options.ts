import { concatBytes, textBytes } from '../net/bytes.ts'
import { type DhcpPacket, OPTION } from './packet.ts'
import { readSubOptions, writeSubOptions } from './sub-options.ts'

/** Codes inside option 43 of a PXE client (PXE 2.1, table 2-1). */
const PXE = { discoveryControl: 6, bootMenu: 9, menuPrompt: 10, bootItem: 71 } as const

const END = Uint8Array.of(255)

/** "Use the file of this reply": bit 3 of discovery control, no prompt, no menu, no discovery. */
export function directBootValue(): Uint8Array {
  return concatBytes([writeSubOptions([[PXE.discoveryControl, Uint8Array.of(8)]]), END])
}

/** The menu that a Raspberry Pi's boot ROM looks for, to the letter, before it asks this server for its files. */
export function raspberryPiMenuValue(): Uint8Array {
  const text = textBytes('Raspberry Pi Boot')
  const entry = concatBytes([Uint8Array.of(0, 0, text.length), text])
  const prompt = concatBytes([Uint8Array.of(0), textBytes('PXE')])
  const menu = writeSubOptions([
    [PXE.bootMenu, entry],
    [PXE.menuPrompt, prompt],
  ])
  return concatBytes([menu, END])
}

/** Sub-option 71: the item of a boot menu that a client chose. */
export interface BootItem {
  readonly type: number
  readonly layer: number
}

/** The boot item that a request to port 4011 names; undefined when it names none. */
export function bootItemOf(packet: DhcpPacket): BootItem | undefined {
  const vendorOptions = packet.options.get(OPTION.vendorOptions)
  if (vendorOptions === undefined) return undefined
  const value = readSubOptions(vendorOptions, true).get(PXE.bootItem)
  if (value?.length !== 4) return undefined
  const [a = 0, b = 0, c = 0, d = 0] = value
  return { type: a * 256 + b, layer: c * 256 + d }
}

/** True when the item asks for a signed file (bit 15 of the layer, PXE 2.1 §2.2.8), which we do not serve. */
export function wantsSignature(item: BootItem): boolean {
  return (item.layer & 0x8000) !== 0
}

/** Option 43 that confirms a boot item as asked. */
export function bootItemValue(item: BootItem): Uint8Array {
  const value = Uint8Array.of(item.type >>> 8, item.type, item.layer >>> 8, item.layer)
  return concatBytes([writeSubOptions([[PXE.bootItem, value]]), END])
}
