import {
  type AttemptEnd,
  type BootAttempt,
  type Stage,
  type StageRecord,
  stageRank,
} from '../../model/boot-attempt.ts'
import type { StepRecord } from '../../model/first-boot.ts'
import type { Db } from '../open-database.ts'
import { RowCache } from './row-cache.ts'
import { given, type Row } from './rows.ts'

const COLUMNS = `boot_id, machine_id, status, stage, started_at_ms, heard_at_ms, ended_at_ms, ending, pass_epoch,
  architecture, loader_sent_at_ms, clock_skew_ms, image_id, installed_at_ms`

/** Boot attempts with their stages and steps. What is read for every message is remembered: see `RowCache`. */
export class BootAttemptsTable {
  readonly #byId: RowCache<string, BootAttempt>
  /** Boot ids by machine. */
  readonly #latest: RowCache<string, string>
  readonly #statements

  constructor(db: Db, mostCached: number) {
    this.#byId = new RowCache(mostCached)
    this.#latest = new RowCache(mostCached)
    this.#statements = {
      byId: db.prepare(`SELECT ${COLUMNS} FROM boot_attempt WHERE boot_id = ?`),
      // `+?`: see machines.ts.
      latest: db
        .prepare('SELECT boot_id FROM boot_attempt WHERE machine_id = +? ORDER BY begun_seq DESC LIMIT 1')
        .pluck(),
      idsOf: db.prepare('SELECT boot_id FROM boot_attempt WHERE machine_id = ?').pluck(),
      ofMachine: db.prepare(
        `SELECT ${COLUMNS} FROM boot_attempt WHERE machine_id = ? ORDER BY begun_seq DESC LIMIT ?`,
      ),
      begin: db.prepare(`
        INSERT INTO boot_attempt (boot_id, machine_id, status, stage, started_at_ms, heard_at_ms, architecture, begun_seq)
        SELECT @bootId, @machineId, @status, @stage, @startedAtMs, @heardAtMs, @architecture,
          1 + coalesce(max(begun_seq), 0) FROM boot_attempt WHERE machine_id = @machineId`),
      abandonOthers: db.prepare(`
        UPDATE boot_attempt SET ended_at_ms = @atMs, ending = 'abandoned'
        WHERE machine_id = @machineId AND boot_id <> @bootId AND ended_at_ms IS NULL AND status = 'tentative'`),
      end: db.prepare(
        'UPDATE boot_attempt SET ended_at_ms = ?, ending = ? WHERE boot_id = ? AND ended_at_ms IS NULL',
      ),
      heard: db.prepare('UPDATE boot_attempt SET heard_at_ms = max(heard_at_ms, ?) WHERE boot_id = ?'),
      moveTo: db.prepare(
        'UPDATE boot_attempt SET stage = ?, heard_at_ms = max(heard_at_ms, ?) WHERE boot_id = ?',
      ),
      putStage: db.prepare(`
        INSERT INTO stage (boot_id, stage, entered_at_ms, bytes, retries) VALUES (@bootId, @stage, @atMs, @bytes, @retries)
        ON CONFLICT (boot_id, stage) DO UPDATE SET bytes = bytes + @bytes, retries = retries + @retries`),
      stages: db.prepare('SELECT * FROM stage WHERE boot_id = ?'),
      markStalled: db.prepare('UPDATE stage SET stalled_at_ms = ? WHERE boot_id = ? AND stage = ?'),
      open: db.prepare(`
        SELECT ${COLUMNS} FROM boot_attempt WHERE ended_at_ms IS NULL AND machine_id > ? ORDER BY machine_id LIMIT ?`),
      loaderSent: db.prepare('UPDATE boot_attempt SET loader_sent_at_ms = ? WHERE boot_id = ?'),
      pinImage: db.prepare('UPDATE boot_attempt SET image_id = ? WHERE boot_id = ?'),
      makeCurrent: db.prepare(
        "UPDATE boot_attempt SET status = 'current', heard_at_ms = ?, ended_at_ms = NULL, ending = NULL WHERE boot_id = ?",
      ),
      supersede: db.prepare(`
        UPDATE boot_attempt SET status = 'superseded', ended_at_ms = coalesce(ended_at_ms, @atMs),
          ending = coalesce(ending, 'superseded')
        WHERE machine_id = @machineId AND boot_id <> @bootId AND status <> 'superseded'`),
      noteInstalled: db.prepare('UPDATE boot_attempt SET installed_at_ms = ? WHERE boot_id = ?'),
      bindEpoch: db.prepare('UPDATE boot_attempt SET pass_epoch = ? WHERE boot_id = ?'),
      boundElsewhere: db
        .prepare(`
          SELECT count(*) FROM boot_attempt JOIN machine USING (machine_id)
          WHERE cluster_id = ? AND pass_epoch = ? AND machine_id <> ? AND status = 'current'`)
        .pluck(),
      noteClock: db.prepare(
        'UPDATE boot_attempt SET clock_skew_ms = ?, heard_at_ms = max(heard_at_ms, ?) WHERE boot_id = ?',
      ),
      clockSkew: db.prepare('SELECT clock_skew_ms FROM boot_attempt WHERE boot_id = ?').pluck(),
      steps: db.prepare('SELECT * FROM step WHERE boot_id = ?'),
      putStep: db.prepare(`
        INSERT INTO step (boot_id, step, state, sequence, slot_no, reason, started_at_ms, ended_at_ms)
        VALUES (@bootId, @step, @state, @sequence, @slotNo, @reason, @startedAtMs, @endedAtMs)
        ON CONFLICT (boot_id, step) DO UPDATE SET state = @state, sequence = @sequence, slot_no = @slotNo,
          reason = @reason, started_at_ms = @startedAtMs, ended_at_ms = @endedAtMs`),
      allHeard: db.prepare(
        'UPDATE boot_attempt SET heard_at_ms = max(heard_at_ms, ?) WHERE ended_at_ms IS NULL',
      ),
    }
  }

  byId(bootId: string): BootAttempt | undefined {
    return this.#byId.get(bootId, () => optional(this.#statements.byId.get(bootId)))
  }

  /** The machine's latest attempt, ended ones included. */
  latestOf(machineId: string): BootAttempt | undefined {
    const bootId = this.#latest.get(
      machineId,
      () => this.#statements.latest.get(machineId) as string | undefined,
    )
    return bootId === undefined ? undefined : this.byId(bootId)
  }

  ofMachine(machineId: string, limit: number): readonly BootAttempt[] {
    return this.#statements.ofMachine.all(machineId, limit).map((row) => attemptOf(row as Row))
  }

  /** Begins an attempt; one of the same machine that never redeemed is abandoned by it. */
  begin(attempt: BootAttempt): void {
    this.#statements.begin.run({ architecture: null, ...attempt })
    const { bootId, machineId, startedAtMs: atMs } = attempt
    this.#statements.abandonOthers.run({ bootId, machineId, atMs })
    this.#statements.putStage.run({ bootId, stage: attempt.stage, atMs, bytes: 0, retries: 0 })
    this.#forgetOf(machineId)
  }

  end(bootId: string, end: AttemptEnd, atMs: number): void {
    this.#statements.end.run(atMs, end, bootId)
    this.#byId.forget(bootId)
  }

  heard(bootId: string, atMs: number): void {
    this.#statements.heard.run(atMs, bootId)
    this.#byId.forget(bootId)
  }

  /** Enters a stage, or adds to one that was entered; an attempt never moves back. */
  reachStage(bootId: string, stage: Stage, atMs: number, bytes: number, retries: number): void {
    const attempt = this.byId(bootId)
    if (attempt === undefined) return
    this.#statements.putStage.run({ bootId, stage, atMs, bytes, retries })
    const further = stageRank(stage) > stageRank(attempt.stage) ? stage : attempt.stage
    this.#statements.moveTo.run(further, atMs, bootId)
    this.#byId.forget(bootId)
  }

  markStalled(bootId: string, stage: Stage, atMs: number): void {
    this.#statements.markStalled.run(atMs, bootId, stage)
  }

  /** Attempts that have not ended, by machine; `after` is the last machine of the page before. */
  open(after: string, limit: number): readonly BootAttempt[] {
    return this.#statements.open.all(after, limit).map((row) => attemptOf(row as Row))
  }

  stages(bootId: string): readonly StageRecord[] {
    const rows = this.#statements.stages.all(bootId).map((row) => stageOf(row as Row))
    return rows.sort((a, b) => stageRank(a.stage) - stageRank(b.stage))
  }

  /** The image that the attempt was given, from now on its own. */
  pinImage(bootId: string, imageId: string): void {
    this.#statements.pinImage.run(imageId, bootId)
    this.#byId.forget(bootId)
  }

  loaderSent(bootId: string, atMs: number): void {
    this.#statements.loaderSent.run(atMs, bootId)
    this.#byId.forget(bootId)
  }

  /** Its redemption makes it the machine's; also one that a later script fetch had abandoned. */
  makeCurrent(bootId: string, machineId: string, atMs: number): void {
    this.#statements.makeCurrent.run(atMs, bootId)
    this.#statements.supersede.run({ bootId, machineId, atMs })
    this.#forgetOf(machineId)
  }

  noteInstalled(bootId: string, atMs: number): void {
    this.#statements.noteInstalled.run(atMs, bootId)
    this.#byId.forget(bootId)
  }

  bindEpoch(bootId: string, epoch: number): void {
    this.#statements.bindEpoch.run(epoch, bootId)
    this.#byId.forget(bootId)
  }

  /** Current boots of a cluster's other machines that are bound to an epoch. */
  boundElsewhere(clusterId: string, epoch: number, machineId: string): number {
    return this.#statements.boundElsewhere.get(clusterId, epoch, machineId) as number
  }

  noteClock(bootId: string, skewMs: number, atMs: number): void {
    this.#statements.noteClock.run(skewMs, atMs, bootId)
    this.#byId.forget(bootId)
  }

  clockSkewMs(bootId: string): number | undefined {
    return (this.#statements.clockSkew.get(bootId) as number | null | undefined) ?? undefined
  }

  steps(bootId: string): readonly StepRecord[] {
    return this.#statements.steps.all(bootId).map((row) => stepOf(row as Row))
  }

  putStep(record: StepRecord): void {
    this.#statements.putStep.run({ slotNo: null, startedAtMs: null, endedAtMs: null, ...record })
  }

  /** F14: the time in which the server was down is nobody's silence. */
  countDowntimeAsHeard(nowMs: number): void {
    this.#statements.allHeard.run(nowMs)
    this.forgetCache()
  }

  forgetCache(): void {
    this.#byId.forgetAll()
    this.#latest.forgetAll()
  }

  #forgetOf(machineId: string): void {
    this.#latest.forget(machineId)
    for (const bootId of this.#statements.idsOf.all(machineId)) this.#byId.forget(bootId as string)
  }
}

function optional(row: unknown): BootAttempt | undefined {
  return row === undefined ? undefined : attemptOf(row as Row)
}

function attemptOf(row: Row): BootAttempt {
  return {
    bootId: row.boot_id,
    machineId: row.machine_id,
    status: row.status,
    stage: row.stage,
    startedAtMs: row.started_at_ms,
    heardAtMs: row.heard_at_ms,
    ...given('endedAtMs', row.ended_at_ms),
    ...given('end', row.ending),
    ...given('passEpoch', row.pass_epoch),
    ...given('imageId', row.image_id),
    ...given('architecture', row.architecture),
    ...given('clockSkewMs', row.clock_skew_ms),
    ...given('loaderSentAtMs', row.loader_sent_at_ms),
    ...given('installedAtMs', row.installed_at_ms),
  }
}

function stageOf(row: Row): StageRecord {
  return {
    bootId: row.boot_id,
    stage: row.stage,
    enteredAtMs: row.entered_at_ms,
    bytes: row.bytes,
    retries: row.retries,
    ...given('stalledAtMs', row.stalled_at_ms),
  }
}

function stepOf(row: Row): StepRecord {
  return {
    bootId: row.boot_id,
    step: row.step,
    state: row.state,
    sequence: row.sequence,
    reason: row.reason,
    ...given('slotNo', row.slot_no),
    ...given('startedAtMs', row.started_at_ms),
    ...given('endedAtMs', row.ended_at_ms),
  }
}
