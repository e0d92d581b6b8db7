import { type Ipv4, UNSPECIFIED } from '../net/ipv4.ts'

/** Writes the four bytes of an address at `at`, network order, without a temporary: every reply has a dozen of them. */
export function putAddress(bytes: Uint8Array, at: number, address: Ipv4): void {
  if (address === UNSPECIFIED) {
    bytes.fill(0, at, at + 4)
    return
  }
  let part = 0
  let offset = at
  for (let index = 0; index < address.length; index += 1) {
    const char = address.charCodeAt(index)
    if (char === 0x2e) {
      bytes[offset] = part
      offset += 1
      part = 0
    } else {
      part = part * 10 + (char - 0x30)
    }
  }
  bytes[offset] = part
}
