import type { RaftService } from '../../model/cluster.ts'
import type { GatedStep } from '../../model/first-boot.ts'
import { serviceByName } from '../../model/services.ts'
import type { Decision } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { clusterEvent } from './cluster-event.ts'
import { freshGroup, knownLeader } from './leaders.ts'
import { rowsInGroup } from './membership.ts'
import { attemptOf, type ClusterPicture, machineOf, slotHeardAtMs, slotOf } from './picture.ts'

/** Before its first report a founder still boots, unpacks and starts. */
const FIRST_REPORT_WITHIN_MS = 10 * 60_000
/** Beyond systemd's own limit a node may take this long to say so. */
const GRACE_MS = 30_000
const NO_LEADER_FOR_MS = 60_000

/** How long a slot's holder may be silent before it is suspect: its unit's TimeoutStartSec and 30 s. */
export function silenceLimitMs(step: GatedStep): number {
  const service =
    step === 'iam-initial-setup' ? 'iam' : step === 'flaredb-cluster-join' ? 'flaredb' : 'chainfire'
  return serviceByName(service).timeoutStartSeconds * 1000 + GRACE_MS
}

/** What time alone makes true: F7, F10, S6. It frees, grants, founds and moves nothing (invariant 16). */
export function decideTick(picture: ClusterPicture): Decision<'ticked'> {
  if (picture.cluster.founding.state === 'closed') return { reply: 'ticked', reason: 'closed', effects: [] }
  const effects = [...silentFounder(picture), ...silentHolders(picture), ...tooFewLeft(picture)]
  return { reply: 'ticked', reason: effects.length === 0 ? 'nothing-due' : 'due', effects }
}

/** F7: a silent founder is unknown, never free. */
function silentFounder(picture: ClusterPicture): Effect[] {
  const { cluster, nowMs } = picture
  const { founding } = cluster
  if (founding.state !== 'granted') return []
  const boot = attemptOf(picture, founding.holderBootId)
  const limitMs = picture.holderHasReported
    ? silenceLimitMs('chainfire-cluster-join')
    : FIRST_REPORT_WITHIN_MS
  if (boot !== undefined && nowMs - boot.heardAtMs <= limitMs) return []
  const holder = machineOf(picture, founding.holderMachineId)
  return [
    { kind: 'put-founding', clusterId: cluster.id, founding: { ...founding, state: 'doubtful' } },
    clusterEvent(
      cluster,
      nowMs,
      'cluster.founder-silent',
      {
        epoch: founding.epoch,
        cure: `arm ${holder?.name ?? 'it'} again (it founds anew), or pilotlight cluster founding move ${cluster.name} --to ANOTHER`,
      },
      holder,
    ),
  ]
}

/** S6: nobody knows any more whether the join of a silent holder got in. */
function silentHolders(picture: ClusterPicture): Effect[] {
  const { cluster, nowMs } = picture
  return picture.slots
    .filter(
      (slot) => slot.state === 'held' && nowMs - slotHeardAtMs(picture, slot) > silenceLimitMs(slot.step),
    )
    .flatMap((slot): Effect[] => [
      { kind: 'put-slot', slot: { ...slot, state: 'suspect' } },
      clusterEvent(
        cluster,
        nowMs,
        'cluster.slot-suspect',
        { step: slot.step, slot_no: slot.slotNo, why: 'its holder is silent' },
        machineOf(picture, slot.machineId),
      ),
    ])
}

/**
 * F10: too few voters are left that still have their state, whether those on their way in count or not, and nobody has
 * led for a minute. Silence is never loss: only a reboot without data, or empty data seen, is. Where only FlareDB has
 * lost its state the cluster lives, and an event names the cure (docs/decisions/0006-founding-gaps.md).
 */
function tooFewLeft(picture: ClusterPicture): Effect[] {
  const { cluster, nowMs } = picture
  const { founding, probe } = cluster
  if (founding.state !== 'founded' || cluster.held) return []
  const lastLedAtMs = Math.max(probe.leaderSeenAtMs ?? 0, founding.foundedAtMs ?? 0)
  if (hasTooFewLeft(picture, 'chainfire') && nowMs - lastLedAtMs > NO_LEADER_FOR_MS) {
    return [
      { kind: 'put-founding', clusterId: cluster.id, founding: { ...founding, state: 'lost' } },
      clusterEvent(cluster, nowMs, 'cluster.lost', {
        cure: `pilotlight cluster refound ${cluster.name} --machine MACHINE`,
      }),
    ]
  }
  const slot = slotOf(picture, 'flaredb-cluster-join')
  if (!isFlaredbLost(picture) || slot.noted === 'flaredb-lost') return []
  return [
    { kind: 'put-slot', slot: { ...slot, noted: 'flaredb-lost' } },
    clusterEvent(cluster, nowMs, 'cluster.flaredb-lost', {
      cure: `pilotlight cluster founding move ${cluster.name} --service flaredb --to MACHINE`,
    }),
  ]
}

/**
 * Too few of FlareDB's voters have their state, and nobody leads it: who says that it leads has its majority, though we
 * count one more, lost on its way in, where no list tells that it never got there.
 */
export function isFlaredbLost(picture: ClusterPicture): boolean {
  const { cluster, nowMs } = picture
  return (
    hasTooFewLeft(picture, 'flaredb') &&
    knownLeader(cluster, 'flaredb', nowMs) === undefined &&
    freshGroup(cluster, 'flaredb', nowMs)?.leaderUrl === undefined
  )
}

/** True when the voters of a service that still have their state can never be a majority again. */
export function hasTooFewLeft(picture: ClusterPicture, service: RaftService): boolean {
  const rows = rowsInGroup(picture.members, picture.cluster, service).filter((row) => row.voter)
  // A restored server may know no voter at all: only where it could see a leader does that mean that there is none.
  const joining = rows.filter((row) => row.state === 'joining').length
  if (rows.length === joining)
    return service === 'chainfire' && picture.cluster.settings.healthCa !== undefined
  const lost = rows.filter((row) => row.state === 'lost').length
  if (lost === 0) return false
  const isBelow = (voters: number) => voters > 0 && voters - lost <= Math.floor(voters / 2)
  return isBelow(rows.length) || isBelow(rows.length - joining)
}
