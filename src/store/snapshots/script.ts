import { createHash } from 'node:crypto'
import type { Subnet } from '../../model/subnet.ts'
import { cidrContains } from '../../net/ipv4.ts'
import type { ScriptRequest, ScriptSnapshot } from '../../policy/boot/decide-script.ts'
import type { View } from '../store.ts'
import { given } from '../tables/rows.ts'

/** What the script's snapshot takes from the configuration. */
export interface ScriptPlace {
  readonly subnets: readonly Subnet[]
  readonly bootUrl: string
  readonly imageBaseUrl: string
}

const DEFAULT_LEASE_SECONDS = 3600

/** Reads what the choice of a boot script needs. */
export function readScriptSnapshot(view: View, place: ScriptPlace, request: ScriptRequest): ScriptSnapshot {
  const { nowMs } = view
  const machine = view.machines.byMac(request.mac)
  const lease = view.leases.activeAt(request.address, nowMs)
  const token = Buffer.from(view.freshBytes()).toString('base64url')
  const subnet = place.subnets.find((candidate) => cidrContains(candidate.cidr, request.address))
  return {
    nowMs,
    hasCluster: machine?.clusterId !== undefined,
    leaseSeconds: subnet?.leaseSeconds ?? DEFAULT_LEASE_SECONDS,
    bootUrl: place.bootUrl,
    imageBaseUrl: place.imageBaseUrl,
    freshBytes: view.freshBytes(),
    freshToken: { text: token, sha256: createHash('sha256').update(token).digest('hex') },
    ...given('machine', machine),
    ...given('image', machine?.imageId === undefined ? undefined : view.images.byId(machine.imageId)),
    ...given('latestAttempt', machine === undefined ? undefined : view.attempts.latestOf(machine.id)),
    ...given('lease', lease),
    ...given('leasedToMachineId', lease === undefined ? undefined : view.machines.byMac(lease.mac)?.id),
  }
}
