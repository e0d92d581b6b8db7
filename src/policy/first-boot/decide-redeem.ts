import type { BootAttempt } from '../../model/boot-attempt.ts'
import type { Cluster, JoinSlot, Member, ServiceFounding } from '../../model/cluster.ts'
import type { NewEvent } from '../../model/event.ts'
import type { Machine } from '../../model/machine.ts'
import { servicesApiOf, serviceUrl } from '../../model/services.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'
import { foundingAtRedeem, newStart } from '../cluster/founding.ts'
import { freshIncarnation, memberIdOf } from '../cluster/membership.ts'
import type { Decision, Moment } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { clusterConfigText } from './cluster-config.ts'

/** A request for a machine's configuration; the token itself was hashed on receipt. */
export interface RedeemRequest {
  readonly mac: Mac
  readonly address: Ipv4
  /** The node's own 16 random bytes, lower-case hex. */
  readonly nonce: string
  /** The node's clock in ms since 1970, where it said. */
  readonly clockMs?: number
  /** HEAD and Range look at it and spend nothing. */
  readonly spends: boolean
}

/** The boot token as recorded. */
export interface BootToken {
  readonly bootId: string
  readonly machineId: string
  readonly expiresAtMs: number
  readonly isSpent: boolean
  readonly isRevoked: boolean
}

export interface RedeemSnapshot extends Moment {
  /** The machine that owns the MAC in the URL. */
  readonly machine?: Machine
  /** The token by the hash of what was sent; undefined: never minted. */
  readonly token?: BootToken
  readonly attempt?: BootAttempt
  /** The machine that the asking address is leased to. */
  readonly leasedToMachineId?: string
  /** What this boot redeemed before, while the text is still kept. */
  readonly earlier?: { readonly nonce: string; readonly address: Ipv4; readonly configText?: string }
  readonly cluster?: Cluster
  readonly members: readonly Member[]
  readonly slots: readonly JoinSlot[]
  readonly serviceFoundings: readonly ServiceFounding[]
  /** Addresses of the cluster's other control-plane machines, as far as known. */
  readonly controlPlaneAddresses: readonly Ipv4[]
  readonly holderAddress?: Ipv4
  readonly serverId: string
  readonly bootUrl: string
  /** The report token of the token's boot. */
  readonly reportToken: string
}

export type RedeemReply =
  | { readonly kind: 'config'; readonly text: string }
  | { readonly kind: 'refused' }
  | { readonly kind: 'not-now'; readonly retryAfterSeconds: number }

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
  if (snapshot.leasedToMachineId !== machine.id) return refuse(snapshot, request, 'wrong-address')

  const { earlier } = snapshot
  if (earlier !== undefined) {
    const isRepeat = earlier.nonce === request.nonce && earlier.address === request.address
    if (!isRepeat || earlier.configText === undefined) return refuse(snapshot, request, 'already-redeemed')
    return { reply: { kind: 'config', text: earlier.configText }, reason: 'repeated', effects: [] }
  }
  if (token.isSpent || token.isRevoked) return refuse(snapshot, request, 'used-token')
  if (token.expiresAtMs <= nowMs) return refuse(snapshot, request, 'expired-token')
  if (machine.state !== 'booting' && machine.state !== 'armed') return refuse(snapshot, request, 'not-armed')
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
  const founding = foundingAtRedeem(cluster, machine, bootId)
  if (founding.outcome === 'refused') {
    if (founding.row === 'F20') return refuse(snapshot, request, founding.reason)
    const event = machineEvent(snapshot, machine, bootId, 'redeem.not-now', { reason: founding.reason })
    return { reply: { kind: 'not-now', retryAfterSeconds: 10 }, reason: founding.reason, effects: [event] }
  }

  const bootstrap = founding.outcome === 'bootstrap'
  const ownRows = snapshot.members.filter((member) => member.machineId === machine.id)
  const kept =
    bootstrap || cluster.stateKind === 'ephemeral' ? undefined : keptData(ownRows, snapshot.slots, machine.id)
  const memberId = kept?.memberId ?? memberIdOf(machine.name, freshIncarnation(ownRows))
  const peers = [
    ...new Set([
      ...snapshot.controlPlaneAddresses,
      ...(machine.role === 'control-plane' ? [request.address] : []),
    ]),
  ]
  const configText = clusterConfigText({
    serverId: snapshot.serverId,
    machine,
    mac: request.mac,
    cluster,
    address: request.address,
    memberId,
    keepData: kept?.memberId ?? null,
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
  if (bootstrap) {
    effects.push({ kind: 'put-founding', clusterId: cluster.id, founding: founding.founding })
    effects.push({ kind: 'bind-attempt-epoch', bootId, epoch: founding.founding.epoch })
    if (founding.row === 'F4')
      effects.push(...newStart(snapshot.slots, snapshot.serviceFoundings, snapshot.members))
    effects.push(
      machineEvent(snapshot, machine, bootId, 'cluster.founding-granted', {
        epoch: founding.founding.epoch,
        row: founding.row,
      }),
    )
  } else if (cluster.stateKind === 'ephemeral') {
    for (const row of ownRows) {
      if (row.state === 'member' || row.state === 'joining') {
        effects.push({ kind: 'put-member', member: { ...row, state: 'lost' } })
      }
    }
  }
  effects.push(
    machineEvent(snapshot, machine, bootId, 'config.redeemed', {
      bootstrap,
      member_id: memberId,
      address: request.address,
    }),
  )
  return { reply: { kind: 'config', text: configText }, reason: founding.row, effects }
}

/** Its member row's data, or what it was joining with while the join slot is still its own. */
function keptData(
  rows: readonly Member[],
  slots: readonly JoinSlot[],
  machineId: string,
): Member | undefined {
  const chainfire = rows.filter((row) => row.service === 'chainfire')
  const member = chainfire.find((row) => row.state === 'member')
  if (member !== undefined) return member
  const holdsSlot = slots.some((slot) => slot.machineId === machineId && slot.state !== 'free')
  return holdsSlot ? chainfire.find((row) => row.state === 'joining') : undefined
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

function machineEvent(
  snapshot: RedeemSnapshot,
  machine: Machine,
  bootId: string,
  type: string,
  data: NewEvent['data'],
): Effect {
  return {
    kind: 'append-event',
    event: {
      atMs: snapshot.nowMs,
      type,
      machineId: machine.id,
      bootId,
      data: { name: machine.name, ...data },
      ...(machine.clusterId === undefined ? {} : { clusterId: machine.clusterId }),
    },
  }
}
