import { randomUUID } from 'node:crypto'
import type { Machine } from '../../model/machine.ts'
import type { Subnet } from '../../model/subnet.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import { parseMac } from '../../net/mac.ts'
import type { ClusterPicture } from '../../policy/cluster/picture.ts'
import type { ImageLimits } from '../../policy/image/preflight.ts'
import type { AddressKeeping } from '../../policy/machine/arm-fault.ts'
import type { ArmSnapshot } from '../../policy/machine/decide-arm.ts'
import type { HoldSnapshot } from '../../policy/machine/decide-hold.ts'
import type { LeavingSnapshot } from '../../policy/machine/decide-leaving.ts'
import type { MachineWish, RegistrationSnapshot } from '../../policy/machine/decide-registration.ts'
import type { View } from '../store.ts'
import { given } from '../tables/rows.ts'
import { assignedImage } from './image.ts'
import { readPicture } from './picture.ts'

/** A machine by id, name or MAC, as operators write it. */
export function findMachine(tables: Pick<View, 'machines'>, ref: string): Machine | undefined {
  const mac = parseMac(ref)
  const byMac = mac === undefined ? undefined : tables.machines.byMac(mac)
  return byMac ?? tables.machines.byName(ref) ?? tables.machines.byId(ref)
}

/** Reads what a registration or an edit is checked against; `ref` names the machine to edit. */
export function readRegistrationSnapshot(
  view: View,
  place: {
    readonly loaders: ReadonlySet<string>
    readonly subnets: readonly Subnet[]
    readonly serverAddress: Ipv4
    readonly imageLimits: ImageLimits
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
    ...given('picture', machine === undefined ? undefined : pictureOf(view, machine)),
    ...given('image', wishedImage(view, machine, wish)),
    ...given(
      'architecture',
      machine === undefined ? undefined : view.attempts.latestOf(machine.id)?.architecture,
    ),
  }
}

/** The image after the edit: the wished one, or the one that the machine keeps. */
function wishedImage(view: View, machine: Machine | undefined, { imageId, imageName }: MachineWish) {
  if (imageId === undefined && imageName === undefined)
    return machine === undefined ? undefined : assignedImage(view, machine)
  const id = typeof imageName === 'string' ? view.images.promoted(imageName)?.imageId : imageId
  return typeof id === 'string' ? view.images.byId(id) : undefined
}

/** Reads what arming is checked against; undefined when there is no such machine. */
export function readArmSnapshot(
  view: View,
  ref: string,
  place: { readonly addresses: AddressKeeping; readonly imageLimits: ImageLimits },
): ArmSnapshot | undefined {
  const machine = findMachine(view, ref)
  if (machine === undefined) return undefined
  return {
    nowMs: view.nowMs,
    machine,
    addresses: place.addresses,
    imageLimits: place.imageLimits,
    freeBytes: view.freeBytes(),
    ...given('picture', pictureOf(view, machine)),
    ...given('image', assignedImage(view, machine)),
    ...given('architecture', view.attempts.latestOf(machine.id)?.architecture),
  }
}

/** Reads what holding, leaving and deleting are checked against; undefined when there is no such machine. */
export function readLeavingSnapshot(view: View, ref: string): (LeavingSnapshot & HoldSnapshot) | undefined {
  const machine = findMachine(view, ref)
  if (machine === undefined) return undefined
  const boot = machine.currentBootId === undefined ? undefined : view.attempts.byId(machine.currentBootId)
  return {
    nowMs: view.nowMs,
    machine,
    ...given('picture', pictureOf(view, machine)),
    ...given('currentBoot', boot),
  }
}

function pictureOf(view: View, machine: Machine): ClusterPicture | undefined {
  return machine.clusterId === undefined ? undefined : readPicture(view, machine.clusterId, view.nowMs)
}
