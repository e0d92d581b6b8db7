import { serverIdOf } from '../../dhcp/options.ts'
import type { BootAttempt } from '../../model/boot-attempt.ts'
import { stageRank } from '../../model/boot-attempt.ts'
import type { TraceFacts } from '../../model/boot-trace.ts'
import { type BootClient, classifyClient } from '../dhcp/classify-client.ts'
import type { DhcpDecision } from '../dhcp/dhcp-case.ts'
import type { DhcpRequest } from '../dhcp/question.ts'
import type { DhcpSnapshot } from '../dhcp/snapshot.ts'
import type { Effect } from '../effect.ts'
import { relayPortIn } from './relay-port.ts'

/**
 * The decision with a note of the exchange in the boot attempt that it belongs to: the one that it begins or continues,
 * else the machine's open one. An operating system's DHCP is noted from `kernel-sent` on, where it shows that the kernel
 * runs and drives its network card.
 */
export function traceDhcp(
  snapshot: DhcpSnapshot,
  request: DhcpRequest,
  decision: DhcpDecision,
): DhcpDecision {
  const { latestAttempt } = snapshot
  if (latestAttempt === undefined && bootIdIn(decision.effects) === undefined) return decision
  const client = classifyClient(request.packet, snapshot.settings.raspberryPiPrefixes)
  const bootId = bootIdIn(decision.effects) ?? openAttemptFor(latestAttempt, client)
  if (bootId === undefined) return decision
  const note: Effect = {
    kind: 'note-trace',
    bootId,
    note: {
      kind: 'dhcp',
      key: `${request.packet.messageType}:${clientWord(client)}`,
      atMs: snapshot.nowMs,
      facts: factsOf(request, decision),
    },
  }
  return { ...decision, effects: [...decision.effects, note] }
}

function bootIdIn(effects: readonly Effect[]): string | undefined {
  for (const effect of effects) {
    if (effect.kind === 'begin-attempt') return effect.attempt.bootId
    if (effect.kind === 'reach-stage' || effect.kind === 'heard-from') return effect.bootId
  }
  return undefined
}

function openAttemptFor(attempt: BootAttempt | undefined, client: BootClient): string | undefined {
  if (attempt === undefined || attempt.endedAtMs !== undefined) return undefined
  const isSystem = client.kind === 'plain' || client.kind === 'unlisted'
  return isSystem && stageRank(attempt.stage) < stageRank('kernel-sent') ? undefined : attempt.bootId
}

/** `firmware`, `ipxe`, or `system` for what asks for an address and nothing to boot. */
function clientWord(client: BootClient): string {
  switch (client.kind) {
    case 'ipxe':
    case 'own-ipxe':
      return 'ipxe'
    case 'plain':
    case 'unlisted':
      return 'system'
    default:
      return 'firmware'
  }
}

function factsOf({ packet }: DhcpRequest, { reply, reason }: DhcpDecision): TraceFacts {
  const named = serverIdOf(packet)
  const relayPort = relayPortIn(packet)
  return {
    xid: packet.xid.toString(16).padStart(8, '0'),
    answer: reply?.packet.messageType ?? 'silence',
    reason,
    ...(reply === undefined ? {} : { boot: reply.boot }),
    ...(reply === undefined || reply.packet.yiaddr === '0.0.0.0' ? {} : { address: reply.packet.yiaddr }),
    ...(reply === undefined || reply.packet.file === '' ? {} : { file: reply.packet.file }),
    ...(packet.giaddr === '0.0.0.0' ? {} : { relay: packet.giaddr }),
    ...(relayPort === undefined ? {} : { relay_port: relayPort }),
    ...(reason === 'another-server-chosen' && named !== undefined ? { other_server: named } : {}),
  }
}
