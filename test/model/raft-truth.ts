import type { RaftService } from '../../src/model/cluster.ts'
import { majorityOf } from '../../src/policy/cluster/quorum.ts'

/** A Raft group as it really is, whatever our tables say. */
export interface TrueGroup {
  readonly id: number
  readonly service: RaftService
  /** Voters by member id, with the machine whose data they are; others do not vote. */
  readonly members: Map<string, { readonly machineId: string; readonly voter: boolean }>
}

/** What a machine's disk (or RAM) holds for one service. */
export interface ServiceData {
  marker: string
  groupId?: number
  memberId?: string
}

export interface DataHolder {
  readonly id: string
  /** On, booted, and its services started. */
  isUp: boolean
  data: { [Service in RaftService]?: ServiceData }
}

/** The true groups: who is in them, who of them is up, and whether they can agree on anything. */
export class RaftTruth {
  readonly groups: TrueGroup[] = []
  #nextId = 1

  found(service: RaftService, machineId: string, memberId: string): TrueGroup {
    const group: TrueGroup = {
      id: this.#nextId,
      service,
      members: new Map([[memberId, { machineId, voter: true }]]),
    }
    this.#nextId += 1
    this.groups.push(group)
    return group
  }

  groupOf(holder: DataHolder, service: RaftService): TrueGroup | undefined {
    const data = holder.data[service]
    if (!holder.isUp || data?.groupId === undefined || data.memberId === undefined) return undefined
    const group = this.groups.find((candidate) => candidate.id === data.groupId)
    return group?.members.has(data.memberId) ? group : undefined
  }

  /** The voters of a group that are up with its data, in a fixed order. */
  voting(group: TrueGroup, holders: readonly DataHolder[]): readonly DataHolder[] {
    return holders.filter((holder) => {
      const memberId = holder.data[group.service]?.memberId
      return (
        this.groupOf(holder, group.service) === group &&
        memberId !== undefined &&
        group.members.get(memberId)?.voter === true
      )
    })
  }

  voters(group: TrueGroup): number {
    return [...group.members.values()].filter((member) => member.voter).length
  }

  leader(group: TrueGroup, holders: readonly DataHolder[]): DataHolder | undefined {
    const voting = this.voting(group, holders)
    return voting.length >= majorityOf(this.voters(group)) ? voting[0] : undefined
  }

  /** True while enough data exists, up or not, that the group can ever agree again. */
  canLive(group: TrueGroup, holders: readonly DataHolder[]): boolean {
    const withData = holders.filter((holder) => {
      const data = holder.data[group.service]
      return data?.groupId === group.id && group.members.get(data.memberId ?? '')?.voter === true
    })
    return withData.length >= majorityOf(this.voters(group)) && this.voters(group) > 0
  }
}
