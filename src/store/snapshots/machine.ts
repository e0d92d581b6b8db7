import { randomUUID } from 'node:crypto'
import type { Machine } from '../../model/machine.ts'
import type { Subnet } from '../../model/subnet.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import { parseMac } from '../../net/mac.ts'
import type { ArmSnapshot } from '../../policy/machine/decide-arm.ts'
import type { MachineWish, RegistrationSnapshot } from '../../policy/machine/decide-registration.ts'
import type { View } from '../store.ts'
import { given } from '../tables/rows.ts'

/** A machine by id, name or MAC, as operators write it. */
export function findMachine(tables: Pick<View, 'machines'>, ref: string): Machine | undefined {
  const mac = parseMac(ref)
  const byMac = mac === undefined ? undefined : tables.machines.byMacUncached(mac)
  return byMac ?? tables.machines.byName(ref) ?? tables.machines.byId(ref)
}

/** Reads what a registration or an edit is checked against; `ref` names the machine to edit. */
export function readRegistrationSnapshot(
  view: View,
  place: {
    readonly loaders: ReadonlySet<string>
    readonly subnets: readonly Subnet[]
    readonly serverAddress: Ipv4
  },
  ref: string | undefined,
  wish: MachineWish,
): RegistrationSnapshot {
  const machine = ref === undefined ? undefined : findMachine(view, ref)
  const sameName = wish.name === undefined ? undefined : view.machines.byName(wish.name)
  const atAddress =
    typeof wish.reservedAddress === 'string'
      ? view.machines.byReservedAddress(wish.reservedAddress)
      : undefined
  const macsTaken = (wish.macs ?? []).flatMap((mac) => {
    const by = view.machines.byMac(mac)
    return by === undefined || by.id === machine?.id ? [] : [{ mac, by }]
  })
  return {
    nowMs: view.nowMs,
    macsTaken,
    ...place,
    freshId: randomUUID(),
    ...given('machine', machine),
    ...given('nameTakenBy', sameName?.id === machine?.id ? undefined : sameName?.name),
    ...given('addressTakenBy', atAddress?.id === machine?.id ? undefined : atAddress?.name),
    ...given('cluster', typeof wish.clusterId === 'string' ? view.clusters.byId(wish.clusterId) : undefined),
    ...given('image', typeof wish.imageId === 'string' ? view.images.byId(wish.imageId) : undefined),
  }
}

/** Reads what arming is checked against. */
export function readArmSnapshot(view: View, machine: Machine): ArmSnapshot {
  const cluster = machine.clusterId === undefined ? undefined : view.clusters.byId(machine.clusterId)
  return { nowMs: view.nowMs, machine, ...given('cluster', cluster) }
}
