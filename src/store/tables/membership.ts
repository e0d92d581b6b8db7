import type { GatePass, JoinSlot, Member, QueueEntry, ServiceFounding } from '../../model/cluster.ts'
import { GATED_STEPS, type GatedStep } from '../../model/first-boot.ts'
import type { Db } from '../open-database.ts'
import { given, type Row } from './rows.ts'

/** Who belongs to a cluster's Raft groups, who is on the way in, and who waits. */
export class MembershipTable {
  readonly #statements

  constructor(db: Db) {
    this.#statements = {
      members: db.prepare(
        'SELECT * FROM member WHERE cluster_id = ? ORDER BY service, machine_id, incarnation',
      ),
      putMember: db.prepare(`
        INSERT INTO member (cluster_id, service, machine_id, incarnation, member_id, address, voter, epoch, boot_id, state,
          confirmed_by)
        VALUES (@clusterId, @service, @machineId, @incarnation, @memberId, @address, @voter, @epoch, @bootId, @state,
          @confirmedBy)
        ON CONFLICT DO UPDATE SET member_id = @memberId, address = @address, voter = @voter, epoch = @epoch,
          boot_id = @bootId, state = @state, confirmed_by = @confirmedBy`),
      serviceFoundings: db.prepare('SELECT * FROM service_founding WHERE cluster_id = ?'),
      putServiceFounding: db.prepare(`
        INSERT OR REPLACE INTO service_founding (cluster_id, service, state, epoch, machine_id, slot_no)
        VALUES (@clusterId, @service, @state, @epoch, @machineId, @slotNo)`),
      slots: db.prepare('SELECT * FROM join_slot WHERE cluster_id = ? ORDER BY step'),
      slot: db.prepare('SELECT * FROM join_slot WHERE cluster_id = ? AND step = ?'),
      putSlot: db.prepare(`
        INSERT OR REPLACE INTO join_slot (cluster_id, step, state, action, machine_id, boot_id, member_id, epoch, slot_no,
          heard_at_ms, failures, noted)
        VALUES (@clusterId, @step, @state, @action, @machineId, @bootId, @memberId, @epoch, @slotNo, @heardAtMs, @failures,
          @noted)`),
      queue: db.prepare('SELECT * FROM slot_queue WHERE cluster_id = ? AND step = ? ORDER BY arrived_seq'),
      queueUp: db.prepare(`
        INSERT INTO slot_queue (cluster_id, step, machine_id, boot_id) VALUES (@clusterId, @step, @machineId, @bootId)
        ON CONFLICT (cluster_id, step, machine_id) DO UPDATE SET boot_id = @bootId`),
      leaveQueue: db.prepare('DELETE FROM slot_queue WHERE cluster_id = ? AND step = ? AND machine_id = ?'),
      passes: db.prepare('SELECT * FROM gate_pass WHERE cluster_id = ? AND step = ?'),
      putPass: db.prepare(`
        INSERT OR REPLACE INTO gate_pass (cluster_id, step, machine_id, boot_id, passed_at_ms)
        VALUES (@clusterId, @step, @machineId, @bootId, @atMs)`),
      dropPass: db.prepare('DELETE FROM gate_pass WHERE cluster_id = ? AND step = ? AND machine_id = ?'),
      slotsHeard: db.prepare("UPDATE join_slot SET heard_at_ms = ? WHERE state IN ('held', 'server')"),
    }
  }

  members(clusterId: string): readonly Member[] {
    return this.#statements.members.all(clusterId).map((row) => memberOf(row as Row))
  }

  putMember(member: Member): void {
    this.#statements.putMember.run({ confirmedBy: null, ...member, voter: member.voter ? 1 : 0 })
  }

  serviceFoundings(clusterId: string): readonly ServiceFounding[] {
    return this.#statements.serviceFoundings.all(clusterId).map((row) => serviceFoundingOf(row as Row))
  }

  putServiceFounding(row: ServiceFounding): void {
    this.#statements.putServiceFounding.run({ machineId: null, slotNo: null, ...row })
  }

  slots(clusterId: string): readonly JoinSlot[] {
    return this.#statements.slots.all(clusterId).map((row) => slotOf(row as Row))
  }

  /** The slots of all three gated steps, those that were never taken too. */
  allSlots(clusterId: string): readonly JoinSlot[] {
    return GATED_STEPS.map((step) => this.slot(clusterId, step))
  }

  /** The slot of a step; one that was never taken is free and its next number is 1. */
  slot(clusterId: string, step: GatedStep): JoinSlot {
    const row = this.#statements.slot.get(clusterId, step)
    if (row !== undefined) return slotOf(row as Row)
    return { clusterId, step, state: 'free', slotNo: 0, failures: 0 }
  }

  putSlot(slot: JoinSlot): void {
    this.#statements.putSlot.run({
      action: null,
      machineId: null,
      bootId: null,
      memberId: null,
      epoch: null,
      heardAtMs: null,
      noted: null,
      ...slot,
    })
  }

  queue(clusterId: string, step: GatedStep): readonly QueueEntry[] {
    return this.#statements.queue.all(clusterId, step).map((row) => queueEntryOf(row as Row))
  }

  /** Queues a machine once; a new boot of a machine that waits keeps its place. */
  queueUp(entry: Omit<QueueEntry, 'arrivedSeq'>): void {
    this.#statements.queueUp.run(entry)
  }

  /** Machines that passed a gate without a slot and have not ended its step. */
  passes(clusterId: string, step: GatedStep): readonly GatePass[] {
    return this.#statements.passes.all(clusterId, step).map((row) => gatePassOf(row as Row))
  }

  putPass(pass: GatePass & { readonly atMs: number }): void {
    const { clusterId, step, machineId, bootId, atMs } = pass
    this.#statements.putPass.run({ clusterId, step, machineId, bootId, atMs })
  }

  dropPass(clusterId: string, step: GatedStep, machineId: string): void {
    this.#statements.dropPass.run(clusterId, step, machineId)
  }

  /** F14: a slot's holder was not silent while nobody could hear it. */
  countDowntimeAsHeard(nowMs: number): void {
    this.#statements.slotsHeard.run(nowMs)
  }

  leaveQueue(clusterId: string, step: GatedStep, machineId: string): void {
    this.#statements.leaveQueue.run(clusterId, step, machineId)
  }
}

function gatePassOf(row: Row): GatePass {
  return { clusterId: row.cluster_id, step: row.step, machineId: row.machine_id, bootId: row.boot_id }
}

function memberOf(row: Row): Member {
  return {
    clusterId: row.cluster_id,
    service: row.service,
    machineId: row.machine_id,
    incarnation: row.incarnation,
    memberId: row.member_id,
    address: row.address,
    voter: Boolean(row.voter),
    epoch: row.epoch,
    bootId: row.boot_id,
    state: row.state,
    ...given('confirmedBy', row.confirmed_by),
  }
}

function serviceFoundingOf(row: Row): ServiceFounding {
  return {
    clusterId: row.cluster_id,
    service: row.service,
    state: row.state,
    epoch: row.epoch,
    ...given('machineId', row.machine_id),
    ...given('slotNo', row.slot_no),
  }
}

function slotOf(row: Row): JoinSlot {
  return {
    clusterId: row.cluster_id,
    step: row.step,
    state: row.state,
    slotNo: row.slot_no,
    failures: row.failures,
    ...given('action', row.action),
    ...given('machineId', row.machine_id),
    ...given('bootId', row.boot_id),
    ...given('memberId', row.member_id),
    ...given('epoch', row.epoch),
    ...given('heardAtMs', row.heard_at_ms),
    ...given('noted', row.noted),
  }
}

function queueEntryOf(row: Row): QueueEntry {
  return {
    clusterId: row.cluster_id,
    step: row.step,
    machineId: row.machine_id,
    bootId: row.boot_id,
    arrivedSeq: row.arrived_seq,
  }
}
