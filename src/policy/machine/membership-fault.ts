import type { Machine } from '../../model/machine.ts'
import { rowsInGroup } from '../cluster/membership.ts'
import { type ClusterPicture, RAFT_SERVICES } from '../cluster/picture.ts'
import { type Refusal, refusal } from '../refusal.ts'

/**
 * Why a machine cannot leave its cluster, or gain or lose its vote, just so: it founds it, or may still be a member of one
 * of its groups.
 */
export function membershipFault(machine: Machine, picture: ClusterPicture | undefined): Refusal | undefined {
  const founding = foundingFault(machine, picture)
  if (founding !== undefined) return founding
  if (picture === undefined || picture.cluster.founding.state === 'closed') return undefined
  const row = RAFT_SERVICES.flatMap((service) => rowsInGroup(picture.members, picture.cluster, service)).find(
    (candidate) => candidate.machineId === machine.id,
  )
  if (row === undefined) return undefined
  return refusal(
    409,
    'still-member',
    `${row.memberId} of ${machine.name} is ${row.state} in ${row.service}`,
    machine.holdReason === 'decommissioned'
      ? `wait until it is out, or pilotlight cluster member forget ${picture.cluster.name} ${row.memberId}`
      : `pilotlight machine decommission ${machine.name} first`,
  )
}

/** Refuses a machine that founds its cluster, or is the one that is to. */
export function foundingFault(machine: Machine, picture: ClusterPicture | undefined): Refusal | undefined {
  const founding = picture?.cluster.founding
  const isFounding = founding?.state === 'granted' || founding?.state === 'doubtful'
  const isIt = (isFounding && founding.holderMachineId === machine.id) || founding?.reservedFor === machine.id
  if (picture === undefined || !isIt) return undefined
  return refusal(
    409,
    'holds-founding',
    `${machine.name} founds ${picture.cluster.name}`,
    `pilotlight cluster founding move ${picture.cluster.name} --to ANOTHER`,
  )
}
