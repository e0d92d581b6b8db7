import type { GatedStep } from '../../model/first-boot.ts'
import type { GateSnapshot } from '../../policy/first-boot/gate-snapshot.ts'
import type { View } from '../store.ts'
import { given } from '../tables/rows.ts'

const PASSWORD_BYTES = 24

/** Reads what a gate needs; undefined when the boot, its machine or its cluster is not there. */
export function readGateSnapshot(view: View, bootId: string, step: GatedStep): GateSnapshot | undefined {
  const attempt = view.attempts.byId(bootId)
  const machine = attempt === undefined ? undefined : view.machines.byId(attempt.machineId)
  const cluster = machine?.clusterId === undefined ? undefined : view.clusters.byId(machine.clusterId)
  const redeemed = view.redemptions.ofBoot(bootId)
  if (attempt === undefined || machine === undefined || cluster === undefined || redeemed === undefined)
    return undefined
  const slots = view.membership.allSlots(cluster.id)
  const { holderMachineId, holderBootId } = cluster.founding
  const holderBoot = holderBootId === undefined ? undefined : view.attempts.byId(holderBootId)
  return {
    nowMs: view.nowMs,
    machine,
    attempt,
    cluster,
    steps: view.attempts.steps(bootId),
    slot: slots.find((row) => row.step === step) ?? view.membership.slot(cluster.id, step),
    slots,
    queue: view.membership.queue(cluster.id, step).map((entry) => ({
      ...entry,
      role: view.machines.byId(entry.machineId)?.role ?? 'worker',
      isHolder: entry.machineId === holderMachineId && entry.bootId === holderBootId,
      heardAtMs: view.attempts.byId(entry.bootId)?.heardAtMs ?? 0,
    })),
    passes: view.membership.passes(cluster.id, step).map((pass) => ({
      ...pass,
      heardAtMs: view.attempts.byId(pass.bootId)?.heardAtMs ?? 0,
    })),
    members: view.membership.members(cluster.id),
    serviceFoundings: view.membership.serviceFoundings(cluster.id),
    address: redeemed.address,
    configuredFor: redeemed.clusterId,
    freshPassword: Buffer.from(view.freshBytes().subarray(0, PASSWORD_BYTES)).toString('base64url'),
    ...given('holderHeardAtMs', holderBoot?.status === 'current' ? holderBoot.heardAtMs : undefined),
    ...given('fleetHold', view.calls.fleetHold()),
    ...given('adminPassword', view.secrets.clusterSecret(cluster.id, 'iam-admin-password')),
  }
}
