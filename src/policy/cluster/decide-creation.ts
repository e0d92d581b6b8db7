import type { Cluster, ClusterSettings } from '../../model/cluster.ts'
import type { Decision, Moment } from '../decision.ts'
import { type Refusal, refusal } from '../refusal.ts'
import { settingsFault } from './settings-fault.ts'

/** What an operator states when a cluster is created. */
export interface ClusterWish {
  readonly name: string
  readonly stateKind: Cluster['stateKind']
  readonly expectedControlPlane: number
  readonly settings: ClusterSettings
}

export interface CreationSnapshot extends Moment {
  readonly isNameTaken: boolean
  /** A UUID that nobody has seen. */
  readonly freshId: string
}

export type CreationReply = { readonly kind: 'done'; readonly clusterId: string } | Refusal

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/** Creates a cluster, open: its first armed control-plane machine will found it. */
export function decideCreation(snapshot: CreationSnapshot, wish: ClusterWish): Decision<CreationReply> {
  const wrong = fault(snapshot, wish)
  if (wrong !== undefined) return { reply: wrong, reason: wrong.code, effects: [] }
  const id = snapshot.freshId
  return {
    reply: { kind: 'done', clusterId: id },
    reason: 'created',
    effects: [
      {
        kind: 'put-cluster',
        cluster: {
          id,
          name: wish.name,
          stateKind: wish.stateKind,
          expectedControlPlane: wish.expectedControlPlane,
          held: false,
          settings: wish.settings,
          createdAtMs: snapshot.nowMs,
        },
      },
      {
        kind: 'append-event',
        event: {
          atMs: snapshot.nowMs,
          type: 'cluster.created',
          clusterId: id,
          data: { name: wish.name, expected_control_plane: wish.expectedControlPlane, state: wish.stateKind },
        },
      },
    ],
  }
}

function fault(snapshot: CreationSnapshot, wish: ClusterWish): Refusal | undefined {
  if (!NAME.test(wish.name)) {
    return refusal(
      422,
      'name-malformed',
      `name is ${JSON.stringify(wish.name)}, want 1 to 63 of a-z 0-9 -`,
      'choose another name',
      'name',
    )
  }
  if (snapshot.isNameTaken) {
    return refusal(
      409,
      'name-taken',
      `there is a cluster ${wish.name} already`,
      'choose another name',
      'name',
    )
  }
  return settingsFault(wish.expectedControlPlane, wish.settings)
}
