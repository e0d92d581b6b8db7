/** What an image is needed by, in the words that an operator is told. */
export interface ImageUses {
  /** Names of machines that are assigned it, or a name whose promoted image it is. */
  readonly machines: readonly string[]
  /** Names whose promoted image it is. */
  readonly promotedAs: readonly string[]
  /** Names that a roll-back would take back to it. */
  readonly rollsBackFor: readonly string[]
  /** Boot attempts that run, or whose system still does. */
  readonly boots: readonly string[]
}

export const NO_USES: ImageUses = { machines: [], promotedAs: [], rollsBackFor: [], boots: [] }

/** `machines node01, node02; promoted as control-plane`; undefined: nothing needs it. */
export function usesSentence({ machines, promotedAs, rollsBackFor, boots }: ImageUses): string | undefined {
  const parts = [
    ['assigned to', machines],
    ['promoted as', promotedAs],
    ['what a roll-back goes to of', rollsBackFor],
    ['run by boot', boots],
  ] as const
  const said = parts.filter(([, names]) => names.length > 0)
  if (said.length === 0) return undefined
  return said
    .map(([word, names]) => `${word} ${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''}`)
    .join('; ')
}
