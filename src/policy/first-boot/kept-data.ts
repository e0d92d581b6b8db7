import type { Cluster, JoinSlot, Member, RaftService } from '../../model/cluster.ts'
import { type FoundingAtRedeem, mayHaveForgotten } from '../cluster/founding.ts'
import { isInByItsWord, neverSeenIn } from '../cluster/membership.ts'

/** Which data on its disk a machine that boots may go on with. */
export interface KeptData {
  /** The member id in Chainfire that it goes on as; undefined: it comes as a new one. */
  readonly memberId?: string
  /** By group: the member whose data it is, `any` where only the disk can know, null for none. */
  readonly keepData: { readonly [Service in RaftService]: string | null }
}

/** Decides from the machine's own member rows and the row of the founding table that let it in (founding.md §2). */
export function keptData(
  cluster: Cluster,
  ownRows: readonly Member[],
  slots: readonly JoinSlot[],
  row: FoundingAtRedeem['row'],
): KeptData {
  const own = ownMembers(cluster, ownRows, slots, row === 'F9')
  // F17: frozen, so nobody can say which data is right.
  const isAny = (service: RaftService): boolean =>
    row === 'F17' || (row === 'F9' && mayBeForgotten(cluster, ownRows, service))
  const wordFor = (service: RaftService) => (isAny(service) ? 'any' : (own[service]?.memberId ?? null))
  return {
    keepData: { chainfire: wordFor('chainfire'), flaredb: wordFor('flaredb') },
    ...(own.chainfire === undefined ? {} : { memberId: own.chainfire.memberId }),
  }
}

/**
 * Its member row in each group, also on its way out: until it is out, its vote may be the one that its removal needs.
 * Or the row that it was joining with, while the slot is still its own, or until the list has been asked about its word.
 */
function ownMembers(
  cluster: Cluster,
  rows: readonly Member[],
  slots: readonly JoinSlot[],
  isMember: boolean,
): { readonly [Service in RaftService]?: Member } {
  if (!isMember || cluster.stateKind === 'ephemeral') return {}
  const keptOf = (service: RaftService) => {
    const own = rows.filter((row) => row.service === service && row.epoch === cluster.founding.epoch)
    const slot = slots.find((candidate) => candidate.step === `${service}-cluster-join`)
    return (
      own.find((row) => row.state === 'member' || row.state === 'removing') ??
      own.find(
        (row) =>
          isInByItsWord(row) ||
          (row.state === 'joining' && slot?.state !== 'free' && slot?.memberId === row.memberId),
      )
    )
  }
  const chainfire = keptOf('chainfire')
  const flaredb = keptOf('flaredb')
  return { ...(chainfire === undefined ? {} : { chainfire }), ...(flaredb === undefined ? {} : { flaredb }) }
}

/**
 * After a restore, as long as nothing newer is known: its disk may hold a member that the tables have forgotten. A join that
 * nobody has confirmed is nothing newer: a repeat on the wire may have asked for it, and the gate looks at the data again.
 */
function mayBeForgotten(cluster: Cluster, rows: readonly Member[], service: RaftService): boolean {
  const { incarnationFloor: floor } = cluster.founding
  if (!mayHaveForgotten(cluster.founding) || cluster.stateKind === 'ephemeral') return false
  return !rows.some(
    (row) =>
      row.service === service &&
      row.incarnation > floor &&
      (row.state === 'member' ||
        row.state === 'removing' ||
        (row.confirmedBy !== undefined && !neverSeenIn(row))),
  )
}
