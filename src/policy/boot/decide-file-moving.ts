import type { Decision } from '../decision.ts'
import { TOKEN_LIFE_MS } from './boot-token.ts'
import type { FileSentSnapshot } from './decide-file-sent.ts'

/**
 * Image bytes move, or wait in the line: the tokens of the machine's attempt have their time anew, within their cap
 * (design §7.3). Who spoofs this gains nothing but time for a token that it does not have.
 */
export function decideFileMoving({ machine, latestAttempt, nowMs }: FileSentSnapshot): Decision<undefined> {
  if (machine === undefined || latestAttempt === undefined || latestAttempt.endedAtMs !== undefined) {
    return { reply: undefined, reason: 'no-attempt', effects: [] }
  }
  const { bootId } = latestAttempt
  return {
    reply: undefined,
    reason: 'moving',
    effects: [
      { kind: 'heard-from', bootId, atMs: nowMs },
      { kind: 'extend-boot-tokens', bootId, atMs: nowMs, untilMs: nowMs + TOKEN_LIFE_MS },
    ],
  }
}
