import { latin1, printable, toHex } from '../net/bytes.ts'
import { ipv4FromBytes } from '../net/ipv4.ts'
import { type OptionType, optionEntry } from './option-dictionary.ts'

/** An option as a person reads it. */
export interface OptionText {
  readonly code: number
  readonly name: string
  readonly value: string
}

/** Writes an option for a person: by its name and type where both are known and the value fits, else in hex. */
export function optionText(code: number, value: Uint8Array): OptionText {
  const entry = optionEntry(code)
  const text = entry === undefined ? undefined : valueText(entry.type, value)
  return { code, name: entry?.name ?? `option-${code}`, value: text ?? toHex(value) }
}

function valueText(type: OptionType, value: Uint8Array): string | undefined {
  const view = new DataView(value.buffer, value.byteOffset, value.length)
  switch (type) {
    case 'address':
      return value.length === 4 ? ipv4FromBytes(value) : undefined
    case 'addresses':
      return value.length > 0 && value.length % 4 === 0 ? addressesText(value) : undefined
    case 'text':
      return printable(latin1(value).replace(/\0+$/, ''))
    case 'uint8':
      return value.length === 1 ? String(view.getUint8(0)) : undefined
    case 'uint16':
      return value.length === 2 ? String(view.getUint16(0)) : undefined
    case 'uint32':
      return value.length === 4 ? String(view.getUint32(0)) : undefined
    case 'int32':
      return value.length === 4 ? String(view.getInt32(0)) : undefined
    case 'flag':
      return value.length === 1 ? String(view.getUint8(0) !== 0) : undefined
    case 'domains':
    case 'routes':
    case 'hex':
      return undefined
  }
}

function addressesText(value: Uint8Array): string {
  const addresses: string[] = []
  for (let at = 0; at < value.length; at += 4) addresses.push(ipv4FromBytes(value, at))
  return addresses.join(' ')
}
