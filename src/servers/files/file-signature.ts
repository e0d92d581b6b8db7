import type { BigIntStats } from 'node:fs'

/** How often a file is hashed whose signature changed meanwhile: an import replaces it by the same bytes, others write on. */
export const MOST_LOOKS = 3

/**
 * What tells that a file was written to, replaced, cut or touched: the kernel sets the change time with every write,
 * and only whoever may set the clock can set it back.
 */
export function signatureOf(stats: BigIntStats): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = stats
  return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`
}
