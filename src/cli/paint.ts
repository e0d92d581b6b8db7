/** What a colour says; the words beside it say the same. */
export type Tint = 'good' | 'warn' | 'bad' | 'dim'

export type Paint = (tint: Tint, text: string) => string

const CODES: { readonly [T in Tint]: string } = { good: '32', warn: '33', bad: '31', dim: '2' }

/** No colour: pipes, files, and whoever set NO_COLOR. */
export const PLAIN: Paint = (_tint, text) => text

const COLOURED: Paint = (tint, text) => `\u001b[${CODES[tint]}m${text}\u001b[0m`

/** Colour on a terminal only. */
export function paintFor(
  out: { readonly isTTY?: boolean },
  environment: NodeJS.ProcessEnv = process.env,
): Paint {
  const isPlain = out.isTTY !== true || (environment.NO_COLOR ?? '') !== '' || environment.TERM === 'dumb'
  return isPlain ? PLAIN : COLOURED
}
