/**
 * The known word that a mistyped one was most likely meant to be: `DCHP` -> `DHCP`.
 *
 * @returns undefined when none is near: at most one slip in every four letters begun.
 */
export function closestWord(typed: string, known: Iterable<string>): string | undefined {
  let closest: string | undefined
  let fewest = Math.ceil(typed.length / 4) + 1
  for (const word of known) {
    const slips = slipsBetween(typed, word)
    if (slips < fewest) {
      closest = word
      fewest = slips
    }
  }
  return closest
}

/** How many letters are missing, too many, wrong, or swapped with their neighbour (optimal string alignment). */
function slipsBetween(typed: string, word: string): number {
  let beforeLast: readonly number[] = []
  let last: readonly number[] = Array.from({ length: word.length + 1 }, (_, index) => index)
  for (let at = 1; at <= typed.length; at += 1) {
    const row = [at]
    for (let to = 1; to <= word.length; to += 1) {
      const isSame = typed[at - 1] === word[to - 1]
      const isSwapped = typed[at - 1] === word[to - 2] && typed[at - 2] === word[to - 1]
      row.push(
        Math.min(
          (row[to - 1] ?? 0) + 1,
          (last[to] ?? 0) + 1,
          (last[to - 1] ?? 0) + (isSame ? 0 : 1),
          isSwapped ? (beforeLast[to - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
        ),
      )
    }
    beforeLast = last
    last = row
  }
  return last[word.length] ?? 0
}
