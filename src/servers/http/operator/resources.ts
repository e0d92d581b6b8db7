import type { Cluster, JoinSlot, Member, ServiceFounding } from '../../../model/cluster.ts'
import type { Event } from '../../../model/event.ts'
import type { Image, ImageVersion, Promotion } from '../../../model/image.ts'
import type { Lease } from '../../../model/lease.ts'
import { isControlPlane, type Machine } from '../../../model/machine.ts'
import { wordsOf } from '../../../policy/dhcp/extra-options.ts'
import { type AttemptRecords, type TimelineStep, timelineOf } from '../../../policy/diagnosis/timeline.ts'

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
    image_name: machine.imageName ?? null,
    ram_mib: machine.ramMib ?? null,
    kernel_arguments: machine.kernelArguments ?? [],
    boot_mode: machine.bootMode,
    local_boot: machine.localBoot,
    loader: machine.loader ?? null,
    dhcp_options: wordsOf(machine.dhcpOptions ?? []),
    address: machine.reservedAddress ?? null,
    armed_until: isoOrNull(machine.armedUntilMs),
    current_boot_id: machine.currentBootId ?? null,
    created_at: iso(machine.createdAtMs),
  }
}

/** A cluster with its founding lease and how many of its control-plane machines are ready. */
export function clusterResource(cluster: Cluster, machines: readonly Machine[]) {
  const controlPlane = machines.filter((machine) => isControlPlane(machine.role))
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
export function bootResource(records: AttemptRecords, nowMs: number) {
  const { attempt } = records
  const timeline = timelineOf(records, nowMs)
  const at = (afterMs: number | undefined) =>
    isoOrNull(afterMs === undefined ? undefined : attempt.startedAtMs + afterMs)
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
    total_ms: timeline.totalMs,
    stages: timeline.stages.map((row) => ({
      stage: row.stage,
      at: at(row.afterMs),
      after_ms: row.afterMs,
      took_ms: row.tookMs,
      bytes: row.bytes,
      retries: row.retries,
      stalled_at: at(row.stalledAfterMs),
    })),
    steps: timeline.steps.map((row) => ({
      step: row.step,
      state: row.state,
      reason: row.reason,
      slot_no: row.slotNo ?? null,
      started_at: at(row.fromMs),
      ended_at: at(row.untilMs),
      after_ms: row.fromMs ?? null,
      took_ms: tookMs(row, timeline.totalMs),
      waits: row.waits.map((wait) => ({
        reason: wait.reason,
        detail: wait.detail,
        after_ms: wait.fromMs,
        took_ms: wait.untilMs - wait.fromMs,
        asked: wait.asked,
      })),
    })),
  }
}

/** The messages, transfers, scripts and gate answers of an attempt, repeats counted together. */
export function exchangeResources({ attempt, traces }: AttemptRecords) {
  return traces.map((row) => ({
    kind: row.kind,
    key: row.key,
    first_after_ms: row.firstAtMs - attempt.startedAtMs,
    last_after_ms: row.lastAtMs - attempt.startedAtMs,
    times: row.times,
    bytes: row.bytes,
    retries: row.retries,
    facts: row.facts,
  }))
}

/** How long a step took, or runs already; null before it begins. */
function tookMs({ fromMs, untilMs }: TimelineStep, totalMs: number): number | null {
  return fromMs === undefined ? null : (untilMs ?? totalMs) - fromMs
}

/** An image with every name and version that stands for it, and which of them are promoted. */
export function imageResource(
  image: Image,
  versions: readonly ImageVersion[],
  promoted: (name: string) => Promotion | undefined,
) {
  return {
    id: image.id,
    name: image.name,
    version: image.version,
    state: image.state,
    state_reason: image.stateReason ?? null,
    versions: versions.map(({ name, version }) => {
      const current = promoted(name)
      return { name, version, promoted: current?.imageId === image.id && current.version === version }
    }),
    architecture: image.architecture,
    init: image.init,
    parameters: image.parameters,
    bytes: image.files.reduce((sum, file) => sum + file.bytes, 0),
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
