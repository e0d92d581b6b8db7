import type { Operator } from './operator.ts'
import { Violation } from './violation.ts'
import type { World } from './world.ts'

/**
 * F20: every machine leaves for good, by force where a quorum is in the way, and the cluster is deleted. Whatever the
 * refusals say is done first; a deletion that is refused after all have left is a violation of L6.
 */
export function closeCluster(world: World, operator: Operator, say: (line: string) => void): void {
  const { rows } = world.store
  for (const node of world.nodes) {
    let outcome = operator.decommission(node.id)
    // Who holds the founding is given up with it: nobody is to found this cluster any more.
    if (outcome.kind === 'refused' && outcome.code === 'holds-founding') {
      const other = world.nodes.find((candidate) => candidate.id !== node.id)
      if (other !== undefined) say(`move to ${other.name}: ${operator.move(other.id).kind}`)
      outcome = operator.decommission(node.id)
    }
    if (outcome.kind === 'refused') outcome = operator.decommission(node.id, true)
    say(`decommission ${node.name}: ${outcome.kind === 'done' ? 'done' : outcome.code}`)
  }
  const all = [...rows.machines.values()]
  const left = all.filter((machine) => machine.holdReason !== 'decommissioned')
  const outcome = operator.deleteCluster()
  say(`cluster delete: ${outcome.kind === 'done' ? 'done' : outcome.code}`)
  if (outcome.kind === 'refused' && left.length === 0)
    throw new Violation('L6', `cluster delete is refused: ${outcome.code}, ${outcome.detail}`)
  if (outcome.kind === 'done' && left.length > 0)
    throw new Violation('F20', `the cluster is closed with ${left.map(({ name }) => name).join(' ')} in it`)
}

/** What may still arrive at a closed cluster changes no founding, member or slot. */
export function checkClosed(world: World, before: string): void {
  if (world.store.rows.cluster.founding.state !== 'closed') return
  const after = closedTables(world)
  if (after !== before) throw new Violation('F20', `a closed cluster changed: ${before} became ${after}`)
}

/** Founding, members, slots and services as text, without when a slot was heard: a restart of the server moves that. */
export function closedTables({ store }: World): string {
  const { cluster, members, slots, services } = store.rows
  const still = [...slots.values()].map(({ heardAtMs: _heard, ...slot }) => slot)
  return JSON.stringify([cluster.founding, [...members.values()], still, [...services.values()]])
}
