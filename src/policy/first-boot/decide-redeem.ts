import type { BootAttempt } from '../../model/boot-attempt.ts'
import type { Cluster } from '../../model/cluster.ts'
import type { NewEvent } from '../../model/event.ts'
import { GATED_STEPS } from '../../model/first-boot.ts'
import { type AcceptedIdentity, isControlPlane, type Machine } from '../../model/machine.ts'
import { servicesApiOf, serviceUrl } from '../../model/services.ts'
import { type FoundingAtRedeem, foundingAtRedeem, newStart } from '../cluster/founding.ts'
import { freshIncarnation, memberIdOf } from '../cluster/membership.ts'
import type { Decision } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { machineEvent } from '../machine/machine-event.ts'
import { isOwnAddress, isTokenGoodFrom } from '../machine/own-address.ts'
import { clusterConfigText } from './cluster-config.ts'
import { keptData } from './kept-data.ts'
import { rebooted, wordTakenBack } from './reboot-effects.ts'
import type { RedeemReply, RedeemRequest, RedeemSnapshot } from './redeem-snapshot.ts'

/**
 * Redeems a boot token: that boot becomes the machine's current one, older ones are superseded, and the arm is spent.
 * The same nonce gets the same bytes until the first report. Everything else is one uniform refusal, so that nobody
 * learns which part was wrong (founding.md §2).
 */
export function decideRedeem(snapshot: RedeemSnapshot, request: RedeemRequest): Decision<RedeemReply> {
  const { machine, token, attempt, cluster, nowMs } = snapshot
  if (machine === undefined) return refuse(snapshot, request, 'unknown-machine')
  if (token === undefined) return refuse(snapshot, request, 'unknown-token')
  if (token.machineId !== machine.id) return refuse(snapshot, request, 'foreign-token')
  if (!isOwnAddress(machine, request.address, snapshot)) return refuse(snapshot, request, 'wrong-address')
  if (!isTokenGoodFrom(request.address, token.address, snapshot.foreign))
    return refuse(snapshot, request, 'wrong-address')

  const { earlier } = snapshot
  if (earlier !== undefined) {
    const isRepeat = earlier.nonce === request.nonce && earlier.address === request.address
    if (!isRepeat || earlier.configText === undefined) return refuse(snapshot, request, 'already-redeemed')
    return { reply: { kind: 'config', text: earlier.configText }, reason: 'repeated', effects: [] }
  }
  if (token.isSpent || token.isRevoked) return refuse(snapshot, request, 'used-token')
  if (token.expiresAtMs <= nowMs) return refuse(snapshot, request, 'expired-token')
  // The arm counts, not the state: a late report of the boot before may have changed that.
  if (machine.armedUntilMs === undefined || machine.state === 'held')
    return refuse(snapshot, request, 'not-armed')
  if (attempt === undefined || attempt.status === 'superseded')
    return refuse(snapshot, request, 'superseded-boot')
  if (cluster === undefined) return refuse(snapshot, request, 'no-cluster')
  if (!request.spends)
    return { reply: { kind: 'not-now', retryAfterSeconds: 1 }, reason: 'not-a-plain-get', effects: [] }
  return redeem(snapshot, request, machine, attempt, cluster)
}

function redeem(
  snapshot: RedeemSnapshot,
  request: RedeemRequest,
  machine: Machine,
  attempt: BootAttempt,
  cluster: Cluster,
): Decision<RedeemReply> {
  const { nowMs } = snapshot
  const { bootId } = attempt
  const founding = foundingAtRedeem(cluster, machine, bootId, snapshot.othersBound, nowMs)
  if (founding.outcome === 'freeze') return freeze(snapshot, machine, cluster, founding, bootId)
  if (founding.outcome === 'refused') {
    if (founding.row === 'F20') return refuse(snapshot, request, founding.reason)
    const event = machineEvent(machine, nowMs, 'redeem.not-now', { reason: founding.reason }, bootId)
    return { reply: { kind: 'not-now', retryAfterSeconds: 10 }, reason: founding.reason, effects: [event] }
  }

  const bootstrap = founding.outcome === 'bootstrap'
  const ownRows = snapshot.members.filter((member) => member.machineId === machine.id)
  const kept = keptData(cluster, ownRows, snapshot.slots, founding.row)
  const memberId =
    kept.memberId ??
    memberIdOf(machine.name, freshIncarnation(snapshot.members, machine, cluster.founding.incarnationFloor))
  const peers = [
    ...new Set([
      ...snapshot.controlPlaneAddresses,
      ...(isControlPlane(machine.role) ? [request.address] : []),
    ]),
  ]
  const configText = clusterConfigText({
    serverId: snapshot.serverId,
    machine,
    mac: request.mac,
    cluster,
    address: request.address,
    memberId,
    keepData: kept.keepData.chainfire,
    keepDataByService: kept.keepData,
    bootstrap,
    bootId,
    leaderUrl: leaderUrlFor(snapshot, cluster, bootstrap),
    controlPlaneAddresses: peers,
    bootUrl: snapshot.bootUrl,
    reportToken: snapshot.reportToken,
  })

  const epoch = bootstrap ? founding.founding.epoch : undefined
  const effects: Effect[] = [
    {
      kind: 'redeem',
      redemption: {
        bootId,
        clusterId: cluster.id,
        bootstrap,
        nonce: request.nonce,
        address: request.address,
        ...(epoch === undefined ? {} : { epoch }),
      },
      configText,
      atMs: nowMs,
    },
    { kind: 'make-attempt-current', bootId, machineId: machine.id, atMs: nowMs },
    { kind: 'arm-machine', machineId: machine.id, untilMs: undefined },
    { kind: 'set-machine-state', machineId: machine.id, state: 'first-boot' },
    {
      kind: 'accept-machine-as',
      machineId: machine.id,
      identity: identityOf(machine, request, snapshot),
    },
    ...GATED_STEPS.flatMap((step): Effect[] => [
      { kind: 'leave-queue', clusterId: cluster.id, step, machineId: machine.id },
      { kind: 'drop-gate-pass', clusterId: cluster.id, step, machineId: machine.id },
    ]),
    {
      kind: 'reach-stage',
      bootId,
      stage: 'config-redeemed',
      atMs: nowMs,
      bytes: configText.length,
      retries: 0,
    },
  ]
  if (request.clockMs !== undefined) {
    effects.push({ kind: 'note-clock', bootId, skewMs: request.clockMs - nowMs, atMs: nowMs })
  }
  effects.push(
    ...otherAddress(snapshot, request, machine, bootId),
    ...wordTakenBack(cluster, request.address),
  )
  if (bootstrap) {
    effects.push({ kind: 'put-founding', clusterId: cluster.id, founding: founding.founding })
    effects.push({ kind: 'bind-attempt-epoch', bootId, epoch: founding.founding.epoch })
    if (founding.row === 'F4')
      effects.push(...newStart(snapshot.slots, snapshot.serviceFoundings, snapshot.members))
    effects.push(
      machineEvent(
        machine,
        nowMs,
        'cluster.founding-granted',
        {
          epoch: founding.founding.epoch,
          row: founding.row,
        },
        bootId,
      ),
    )
  } else if (founding.row !== 'F3') {
    effects.push(...rebooted(snapshot, cluster, machine, ownRows))
  }
  effects.push(
    machineEvent(
      machine,
      nowMs,
      'config.redeemed',
      {
        bootstrap,
        member_id: memberId,
        address: request.address,
      },
      bootId,
    ),
  )
  return { reply: { kind: 'config', text: configText }, reason: founding.row, effects }
}

/** Where another server leases, a boot may go on from another address than its script was fetched from: worth a note. */
function otherAddress(
  { token, foreign, nowMs }: RedeemSnapshot,
  { address }: RedeemRequest,
  machine: Machine,
  bootId: string,
): Effect[] {
  if (foreign === undefined || token === undefined || token.address === address) return []
  const facts = { minted_for: token.address, address }
  return [machineEvent(machine, nowMs, 'redeem.other-address', facts, bootId)]
}

/** F2 and F4: something is there that the tables do not know, so nothing is handed out and an operator looks. */
function freeze(
  snapshot: RedeemSnapshot,
  machine: Machine,
  cluster: Cluster,
  founding: Extract<FoundingAtRedeem, { outcome: 'freeze' }>,
  bootId: string,
): Decision<RedeemReply> {
  const isThere = founding.row === 'F2'
  const why = isThere ? 'a cluster is there already' : 'another boot is bound to the founding epoch'
  const cure = `pilotlight cluster unfreeze ${cluster.name} --as ${isThere ? 'founded (or switch it off and --as open)' : 'open|founded'}`
  return {
    reply: { kind: 'not-now', retryAfterSeconds: 10 },
    reason: founding.row,
    effects: [
      { kind: 'put-founding', clusterId: cluster.id, founding: founding.founding },
      machineEvent(
        machine,
        snapshot.nowMs,
        'cluster.frozen',
        {
          by: founding.founding.frozenBy ?? null,
          why,
          leader_url: cluster.probe.leaderUrl ?? null,
          cure,
        },
        bootId,
      ),
    ],
  }
}

/** As it is in this boot: an exchanged board has a UUID of its own, and an operator armed the machine with it. */
function identityOf(
  machine: Machine,
  request: RedeemRequest,
  { relayPort, said }: RedeemSnapshot,
): AcceptedIdentity {
  const { uuid, serial } = said ?? machine
  return {
    mac: request.mac,
    address: request.address,
    ...(uuid === undefined ? {} : { uuid }),
    ...(serial === undefined ? {} : { serial }),
    ...(relayPort === undefined ? {} : { relayPort }),
  }
}

function leaderUrlFor(snapshot: RedeemSnapshot, cluster: Cluster, bootstrap: boolean): string | null {
  if (bootstrap) return null
  if (cluster.probe.leaderUrl !== undefined) return cluster.probe.leaderUrl
  if (snapshot.holderAddress === undefined) return null
  return serviceUrl(servicesApiOf(cluster.settings.servicesApi), 'chainfire', snapshot.holderAddress)
}

function refuse(snapshot: RedeemSnapshot, request: RedeemRequest, reason: string): Decision<RedeemReply> {
  const { machine, token } = snapshot
  const event: NewEvent = {
    atMs: snapshot.nowMs,
    type: 'token.refused',
    data: { mac: request.mac, address: request.address, reason },
    ...(machine === undefined ? {} : { machineId: machine.id }),
    ...(token === undefined ? {} : { bootId: token.bootId }),
  }
  return { reply: { kind: 'refused' }, reason, effects: [{ kind: 'append-event', event }] }
}
