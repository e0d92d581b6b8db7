import { EXIT } from './exit-codes.ts'
import { CliFailure } from './failure.ts'

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const

/** `90s`, `30m`, `8h`, `1d` as seconds. */
export function secondsOf(text: string): number {
  const match = /^(\d{1,6})([smhd])$/.exec(text)
  if (match === null)
    throw new CliFailure(
      `${JSON.stringify(text)} is no time, want a number with s, m, h or d: 30m`,
      EXIT.usage,
    )
  return Number(match[1]) * SECONDS[match[2] as keyof typeof SECONDS]
}
