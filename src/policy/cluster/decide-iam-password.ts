import type { Cluster, ServiceFounding } from '../../model/cluster.ts'
import type { Decision, Moment } from '../decision.ts'
import { type Refusal, refusal } from '../refusal.ts'

export interface IamPasswordSnapshot extends Moment {
  readonly cluster: Cluster
  readonly iam?: ServiceFounding
  /** The password that the server made for the set-up, while it is kept. */
  readonly password?: string
  /** When it was handed to an operator. */
  readonly handedOverAtMs?: number
}

export type IamPasswordReply =
  | { readonly kind: 'handed-over'; readonly user: 'admin'; readonly password: string }
  | Refusal

/**
 * Hands the password of IAM's first administrator to the operator: once, after the set-up succeeded, and with an event.
 * The answer leaves when it is on disk that it left, so that nobody can be given it twice.
 */
export function decideIamPassword(snapshot: IamPasswordSnapshot, by: string): Decision<IamPasswordReply> {
  const { cluster, iam, password, handedOverAtMs, nowMs } = snapshot
  if (handedOverAtMs !== undefined) {
    const at = new Date(handedOverAtMs).toISOString()
    return refuse(
      'already-handed-over',
      `the password of IAM's administrator was handed over at ${at}, and is kept no longer`,
      'ask who took it (event cluster.iam-password-handed-over), or reset it in IAM',
    )
  }
  if (iam?.state !== 'done' || password === undefined) {
    return refuse(
      'iam-not-set-up',
      `IAM of ${cluster.name} is not set up yet`,
      'wait for iam-initial-setup to succeed on one of its machines',
    )
  }
  return {
    reply: { kind: 'handed-over', user: 'admin', password },
    reason: 'handed-over',
    effects: [
      { kind: 'forget-cluster-secret', clusterId: cluster.id, name: 'iam-admin-password', atMs: nowMs },
      {
        kind: 'append-event',
        event: {
          atMs: nowMs,
          type: 'cluster.iam-password-handed-over',
          clusterId: cluster.id,
          data: { name: cluster.name, admin_user: 'admin', by },
        },
      },
    ],
  }
}

function refuse(code: string, detail: string, cure: string): Decision<IamPasswordReply> {
  return { reply: refusal(409, code, detail, cure), reason: code, effects: [] }
}
