import { createHash } from 'node:crypto'
import type { Machine } from '../../model/machine.ts'
import { cidrContains } from '../../net/ipv4.ts'
import type { ScriptRequest, ScriptSnapshot } from '../../policy/boot/decide-script.ts'
import { mayAskToRearm } from '../../policy/boot/may-rearm.ts'
import { relayPortOf } from '../../policy/boot/relay-port.ts'
import type { ImageLimits } from '../../policy/image/preflight.ts'
import type { View } from '../store.ts'
import { given } from '../tables/rows.ts'
import { type AddressSettings, readForeignAddress } from './foreign-address.ts'
import { readBootImageFacts } from './image.ts'
import { readFileArchive } from './machine-files.ts'

/** What the script's snapshot takes from the configuration. */
export interface ScriptPlace extends AddressSettings {
  readonly bootUrl: string
  readonly imageBaseUrl: string
  readonly imageLimits: ImageLimits
  readonly imageQueuePlace?: number
}

/** As many of its last boots as say whether it goes round in a circle. */
export const RECENT_BOOTS = 8
const DEFAULT_LEASE_SECONDS = 3600

/** Reads what the choice of a boot script needs. */
export function readScriptSnapshot(view: View, place: ScriptPlace, request: ScriptRequest): ScriptSnapshot {
  const { nowMs } = view
  const machine = view.machines.byMac(request.mac)
  const lease = view.leases.activeAt(request.address, nowMs)
  const token = Buffer.from(view.freshBytes()).toString('base64url')
  const subnet = place.subnets.find((candidate) => cidrContains(candidate.cidr, request.address))
  const recentBoots =
    machine !== undefined && mayAskToRearm(machine, nowMs)
      ? view.attempts.ofMachine(machine.id, RECENT_BOOTS)
      : []
  return {
    nowMs,
    hasCluster: machine?.clusterId !== undefined,
    recentBoots,
    // Read only where it is compared.
    ...given(
      'relayPort',
      machine?.acceptedAs?.relayPort === undefined || recentBoots[0] === undefined
        ? undefined
        : relayPortOf(view.traces.ofBoot(recentBoots[0].bootId)),
    ),
    ...given('cluster', machine?.clusterId === undefined ? undefined : view.clusters.byId(machine.clusterId)),
    ...given(
      'members',
      machine?.bootMode === 'install' && machine.clusterId !== undefined
        ? view.membership.members(machine.clusterId)
        : undefined,
    ),
    ...(machine === undefined ? {} : { isInstalled: isInstalled(view, machine) }),
    ...given('fleetHold', view.calls.fleetHold()),
    leaseSeconds: subnet?.leaseSeconds ?? DEFAULT_LEASE_SECONDS,
    bootUrl: place.bootUrl,
    imageBaseUrl: place.imageBaseUrl,
    imageLimits: place.imageLimits,
    ...given('imageQueuePlace', place.imageQueuePlace),
    freshBytes: view.freshBytes(),
    freshToken: { text: token, sha256: createHash('sha256').update(token).digest('hex') },
    ...(machine === undefined ? {} : readBootImageFacts(view, machine)),
    ...given('filesSha256', machine === undefined ? undefined : readFileArchive(view, machine.id)?.sha256),
    ...given('lease', lease),
    ...given('foreign', readForeignAddress(view, place, request.address)),
    ...given('leasedToMachineId', lease === undefined ? undefined : view.machines.byMac(lease.mac)?.id),
  }
}

/** Whether the boot that a machine redeemed last put its system on its disk. */
export function isInstalled(view: Pick<View, 'attempts'>, { bootMode, currentBootId }: Machine): boolean {
  if (bootMode !== 'install' || currentBootId === undefined) return false
  return view.attempts.byId(currentBootId)?.installedAtMs !== undefined
}
