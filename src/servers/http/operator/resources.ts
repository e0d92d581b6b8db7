import type { BootAttempt, StageRecord } from '../../../model/boot-attempt.ts'
import type { Cluster, JoinSlot, Member, ServiceFounding } from '../../../model/cluster.ts'
import type { Event } from '../../../model/event.ts'
import { FIRST_BOOT_STEPS, type StepRecord } from '../../../model/first-boot.ts'
import type { Image } from '../../../model/image.ts'
import type { Lease } from '../../../model/lease.ts'
import type { Machine } from '../../../model/machine.ts'

/** A machine as the API shows it. */
export function machineResource(machine: Machine) {
  return {
    id: machine.id,
    name: machine.name,
    macs: machine.macs,
    uuid: machine.uuid ?? null,
    serial: machine.serial ?? null,
    role: machine.role,
    state: machine.state,
    cluster_id: machine.clusterId ?? null,
    image_id: machine.imageId ?? null,
    boot_mode: machine.bootMode,
    local_boot: machine.localBoot,
    loader: machine.loader ?? null,
    address: machine.reservedAddress ?? null,
    armed_until: isoOrNull(machine.armedUntilMs),
    current_boot_id: machine.currentBootId ?? null,
    created_at: iso(machine.createdAtMs),
  }
}

/** A cluster with its founding lease and how many of its control-plane machines are ready. */
export function clusterResource(cluster: Cluster, machines: readonly Machine[]) {
  const controlPlane = machines.filter((machine) => machine.role === 'control-plane')
  const ready = controlPlane.filter((machine) => machine.state === 'ready').length
  return {
    id: cluster.id,
    name: cluster.name,
    state_kind: cluster.stateKind,
    expected_control_plane: cluster.expectedControlPlane,
    ready_control_plane: ready,
    ready: ready >= cluster.expectedControlPlane,
    held: cluster.held,
    founding: {
      state: cluster.founding.state,
      epoch: cluster.founding.epoch,
      holder_machine_id: cluster.founding.holderMachineId ?? null,
      founded_at: isoOrNull(cluster.founding.foundedAtMs),
    },
    probe: {
      result: cluster.probe.result ?? null,
      probed_at: isoOrNull(cluster.probe.probedAtMs),
      leader_url: cluster.probe.leaderUrl ?? null,
      flaredb_leader_url: cluster.probe.flaredbLeaderUrl ?? null,
    },
    machines: machines.map((machine) => ({
      id: machine.id,
      name: machine.name,
      role: machine.role,
      state: machine.state,
    })),
    created_at: iso(cluster.createdAtMs),
  }
}

/** What is known of a cluster's members, slots and once-only services. */
export function membershipResource(
  members: readonly Member[],
  slots: readonly JoinSlot[],
  services: readonly ServiceFounding[],
) {
  return {
    members: members.map((row) => ({
      service: row.service,
      machine_id: row.machineId,
      member_id: row.memberId,
      address: row.address,
      voter: row.voter,
      epoch: row.epoch,
      state: row.state,
    })),
    slots: slots.map((slot) => ({
      step: slot.step,
      state: slot.state,
      slot_no: slot.slotNo,
      machine_id: slot.machineId ?? null,
      action: slot.action ?? null,
    })),
    services: services.map((row) => ({ service: row.service, state: row.state, epoch: row.epoch })),
  }
}

/** A boot attempt with its stages and steps, in order. */
export function bootResource(
  attempt: BootAttempt,
  stages: readonly StageRecord[],
  steps: readonly StepRecord[],
) {
  return {
    boot_id: attempt.bootId,
    machine_id: attempt.machineId,
    status: attempt.status,
    stage: attempt.stage,
    started_at: iso(attempt.startedAtMs),
    heard_at: iso(attempt.heardAtMs),
    ended_at: isoOrNull(attempt.endedAtMs),
    end: attempt.end ?? null,
    architecture: attempt.architecture ?? null,
    stages: stages.map((record) => ({
      stage: record.stage,
      at: iso(record.enteredAtMs),
      after_ms: record.enteredAtMs - attempt.startedAtMs,
      bytes: record.bytes,
      retries: record.retries,
    })),
    steps: FIRST_BOOT_STEPS.map((name) => {
      const record = steps.find((candidate) => candidate.step === name)
      return {
        step: name,
        state: record?.state ?? 'pending',
        reason: record?.reason ?? '',
        slot_no: record?.slotNo ?? null,
        started_at: isoOrNull(record?.startedAtMs),
        ended_at: isoOrNull(record?.endedAtMs),
      }
    }),
  }
}

export function imageResource(image: Image) {
  return {
    id: image.id,
    name: image.name,
    version: image.version,
    architecture: image.architecture,
    init: image.init,
    parameters: image.parameters,
    files: image.files,
    created_at: iso(image.createdAtMs),
  }
}

export function leaseResource(lease: Lease) {
  return {
    subnet: lease.subnet,
    mac: lease.mac,
    address: lease.address,
    state: lease.state,
    granted_at: iso(lease.grantedAtMs),
    expires_at: iso(lease.expiresAtMs),
  }
}

export function eventResource(event: Event) {
  return {
    seq: event.seq,
    at: iso(event.atMs),
    type: event.type,
    machine_id: event.machineId ?? null,
    cluster_id: event.clusterId ?? null,
    boot_id: event.bootId ?? null,
    data: event.data,
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}

function isoOrNull(ms: number | undefined): string | null {
  return ms === undefined ? null : iso(ms)
}
