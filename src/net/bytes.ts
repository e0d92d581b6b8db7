const encoder = new TextEncoder()
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Lower-case hex of the bytes, two digits each, nothing between. */
export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += HEX[byte]
  return text
}

/** Reads hex, white space and colons allowed between pairs. Undefined when anything else stands there. */
export function fromHex(text: string): Uint8Array | undefined {
  const digits = text.replace(/[\s:]/g, '')
  if (digits.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(digits)) return undefined
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

/** The text's bytes in UTF-8; for ASCII text these are its characters. */
export function textBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    // Nearly all texts here are short and ASCII: a loop is then faster than the encoder behind it.
    if (code > 0x7f) return encoder.encode(text)
    bytes[index] = code
  }
  return bytes
}

/** Every byte as the character of the same number, so that nothing is lost and nothing throws. */
export function latin1(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return text
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}

const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\\]/g

/**
 * Makes text from a machine safe for one line of a terminal: C0, C1, DEL, line separators and bidi controls are
 * written as `\xNN` or `\uNNNN`, and at most 255 characters are kept.
 */
export function printable(text: string): string {
  const escaped = text.slice(0, 255).replace(UNPRINTABLE, (char) => {
    const code = char.charCodeAt(0)
    return code < 256
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`
  })
  return text.length > 255 ? `${escaped}...` : escaped
}
