import type { ForeignServer } from '../../model/foreign-server.ts'
import type { Decision, Moment } from '../decision.ts'
import type { Effect } from '../effect.ts'

/** A server that stays is told of again after so long. */
const TELL_AGAIN_AFTER_MS = 3_600_000

export interface ForeignServerSnapshot extends Moment {
  readonly mode: 'authoritative' | 'proxy' | 'off'
  /** When the feed was last told of a fact about a subject, by `type subject`. */
  readonly told: ReadonlyMap<string, number>
}

/**
 * Another DHCP server answered on the link. Beside an authoritative one it takes machines away, which is told. In proxy
 * mode it is what leases the addresses, and told only when it says what to boot, since firmware then follows it.
 */
export function decideForeignServer(
  { nowMs, mode, told }: ForeignServerSnapshot,
  server: ForeignServer,
): Decision<undefined> {
  const note: Effect = { kind: 'note-foreign-server', server }
  const type =
    server.hasBootData && mode !== 'authoritative' ? 'dhcp.foreign-boot-data' : 'dhcp.foreign-server'
  const isExpected = mode !== 'authoritative' && !server.hasBootData
  const subject = server.serverId
  const toldAtMs = told.get(`${type} ${subject}`)
  const isTold = toldAtMs !== undefined && nowMs - toldAtMs < TELL_AGAIN_AFTER_MS
  if (isExpected || isTold) {
    return { reply: undefined, reason: isExpected ? 'address-server' : 'told-already', effects: [note] }
  }
  const { serverId, sourceAddress, mac, message, offered } = server
  return {
    reply: undefined,
    reason: type,
    effects: [
      note,
      { kind: 'note-told', type, subject, atMs: nowMs },
      {
        kind: 'append-event',
        event: { atMs: nowMs, type, data: { serverId, sourceAddress, mac, message, offered } },
      },
    ],
  }
}
