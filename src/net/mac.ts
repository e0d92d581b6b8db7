import { SpellingTable } from './spelling-table.ts'

/** An Ethernet address (EUI-48) in its one canonical spelling: lower case, colons, `02:00:00:00:00:01`. */
export type Mac = string & { readonly brand: 'Mac' }

const SPELLINGS =
  /^(?:[0-9a-f]{2}([:-]))(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}$|^[0-9a-f]{12}$|^(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}$/i

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/**
 * Reads a MAC as people and firmware write it: colons, hyphens (iPXE's `${mac:hexhyp}`), bare hex, or Cisco dots.
 *
 * @returns undefined when the text is none of these.
 */
export function parseMac(text: string): Mac | undefined {
  if (!SPELLINGS.test(text)) return undefined
  const digits = text.replace(/[^0-9a-f]/gi, '').toLowerCase()
  return (digits.match(/../g) ?? []).join(':') as Mac
}

/** The MAC in six bytes as they stand in `chaddr`. The first six bytes count; fewer than six is a bug. */
export function macFromBytes(bytes: Uint8Array): Mac {
  if (bytes.length < 6) throw new RangeError(`a MAC has ${bytes.length} bytes, want 6`)
  const high = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)
  const low = ((bytes[2] ?? 0) << 24) | ((bytes[3] ?? 0) << 16) | ((bytes[4] ?? 0) << 8) | (bytes[5] ?? 0)
  return spellings.get(high, low, () => spelled(bytes)) as Mac
}

/** A machine's MAC is read off each of its packets, several times. */
const spellings = new SpellingTable(14)

function spelled(bytes: Uint8Array): string {
  let text = HEX[bytes[0] ?? 0] ?? ''
  for (let index = 1; index < 6; index += 1) text += `:${HEX[bytes[index] ?? 0]}`
  return text
}

/** The six bytes of a MAC, in wire order. */
export function macToBytes(mac: Mac): Uint8Array {
  return Uint8Array.from(mac.split(':'), (pair) => Number.parseInt(pair, 16))
}

/** The spelling for file names and URLs, `02-00-00-00-00-01`: what iPXE expands `${mac:hexhyp}` to. */
export function macInPath(mac: Mac): string {
  return mac.replaceAll(':', '-')
}
