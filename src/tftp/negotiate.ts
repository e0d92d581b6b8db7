import type { ReadRequest } from './packet.ts'

const DEFAULT_BLOCK_BYTES = 512
const DEFAULT_TIMEOUT_MS = 1_000

/** What the server lets clients ask for. */
export interface TransferLimits {
  /** 1468 leaves room for IP and UDP in an MTU of 1500; a fragmented block is lost whole on many ROMs. */
  readonly maxBlockBytes: number
  readonly maxWindow: number
}

/** How one transfer goes, after negotiation. */
export interface TransferTerms {
  readonly blockBytes: number
  readonly window: number
  readonly timeoutMs: number
  /** What the OACK holds; empty: no OACK, DATA 1 comes at once. */
  readonly accepted: ReadonlyMap<string, string>
}

/**
 * Answers the options of a request (RFC 2347): blksize (2348), tsize and timeout (2349), windowsize (7440). Only what
 * was asked for and is understood stands in the OACK: EDK2 aborts on anything more, and on a value above its own.
 */
export function negotiate(request: ReadRequest, fileBytes: number, limits: TransferLimits): TransferTerms {
  const accepted = new Map<string, string>()
  let blockBytes = DEFAULT_BLOCK_BYTES
  let window = 1
  let timeoutMs = DEFAULT_TIMEOUT_MS
  for (const [name, text] of request.options) {
    const value = wholeNumber(text)
    if (value === undefined) continue
    if (name === 'blksize' && value >= 8 && value <= 65464) {
      blockBytes = Math.min(value, limits.maxBlockBytes)
      accepted.set(name, String(blockBytes))
    } else if (name === 'tsize' && value === 0 && request.mode === 'octet') {
      // RFC 2349: a read request asks with 0; a size of its own is what a write request has.
      accepted.set(name, String(fileBytes))
    } else if (name === 'timeout' && value >= 1 && value <= 255) {
      timeoutMs = value * 1000
      accepted.set(name, String(value))
    } else if (name === 'windowsize' && value >= 1 && value <= 65535 && request.mode === 'octet') {
      window = Math.min(value, limits.maxWindow)
      accepted.set(name, String(window))
    }
  }
  return { blockBytes, window, timeoutMs, accepted }
}

function wholeNumber(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined
}
