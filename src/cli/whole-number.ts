import { InvalidArgumentError } from 'commander'

/** Reads an option's value that is a count: `3`. What is none is refused as wrong usage. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('Want a whole number, as in 3.')
  return Number(text)
}
