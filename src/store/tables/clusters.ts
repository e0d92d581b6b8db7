import type { Cluster, Founding, Probe } from '../../model/cluster.ts'
import type { Db } from '../open-database.ts'
import { RowCache } from './row-cache.ts'
import { given, type Row } from './rows.ts'

const MOST_CLUSTERS_CACHED = 1024

/** Clusters with their founding lease and what the last probe saw. */
export class ClustersTable {
  /** Read for every script and every poll of a gate. */
  readonly #byId: RowCache<string, Cluster>
  readonly #statements

  constructor(db: Db, mostCached: number) {
    this.#byId = new RowCache(Math.min(mostCached, MOST_CLUSTERS_CACHED))
    this.#statements = {
      byId: db.prepare('SELECT * FROM cluster WHERE cluster_id = ?'),
      byName: db.prepare('SELECT * FROM cluster WHERE name = ?'),
      list: db.prepare('SELECT * FROM cluster WHERE name > ? ORDER BY name LIMIT ?'),
      put: db.prepare(`
        INSERT INTO cluster (cluster_id, name, state_kind, expected_control_plane, held, hold_step, settings, created_at_ms)
        VALUES (@id, @name, @stateKind, @expectedControlPlane, @held, @holdStep, @settings, @createdAtMs)
        ON CONFLICT (cluster_id) DO UPDATE SET name = @name, state_kind = @stateKind,
          expected_control_plane = @expectedControlPlane, held = @held, hold_step = @holdStep,
          settings = @settings`),
      putFounding: db.prepare(`
        UPDATE cluster SET founding = @state, epoch = @epoch, next_epoch = @nextEpoch, holder_machine_id = @holderMachineId,
          holder_boot_id = @holderBootId, reserved_for = @reservedFor, founded_at_ms = @foundedAtMs,
          frozen_from = @frozenFrom, frozen_by = @frozenBy, incarnation_floor = @incarnationFloor, rearm_paused = @rearmPaused
        WHERE cluster_id = @clusterId`),
      putProbe: db.prepare(`
        UPDATE cluster SET probe = @result, probed_at_ms = @probedAtMs, leader_url = @leaderUrl,
          flaredb_leader_url = @flaredbLeaderUrl, leader_seen_at_ms = @leaderSeenAtMs, two_leaders_at_ms = @twoLeadersAtMs,
          probe_groups = @groups, reported_leaders = @reported WHERE cluster_id = @clusterId`),
      leadersSeen: db.prepare(
        'UPDATE cluster SET leader_seen_at_ms = ? WHERE leader_seen_at_ms IS NOT NULL OR founded_at_ms IS NOT NULL',
      ),
    }
  }

  byId(id: string): Cluster | undefined {
    return this.#byId.get(id, () => optional(this.#statements.byId.get(id)))
  }

  byName(name: string): Cluster | undefined {
    return optional(this.#statements.byName.get(name))
  }

  /** Clusters after a name, in the order of names. */
  list(afterName: string, limit: number): readonly Cluster[] {
    return this.#statements.list.all(afterName, limit).map((row) => clusterOf(row as Row))
  }

  put(cluster: Omit<Cluster, 'founding' | 'probe'>): void {
    const { held, settings, ...rest } = cluster
    this.#statements.put.run({
      holdStep: null,
      ...rest,
      held: held ? 1 : 0,
      settings: JSON.stringify(settings),
    })
    this.#byId.forget(cluster.id)
  }

  putFounding(clusterId: string, founding: Founding): void {
    const { isRearmPaused, ...rest } = founding
    this.#statements.putFounding.run({
      holderMachineId: null,
      holderBootId: null,
      reservedFor: null,
      foundedAtMs: null,
      frozenFrom: null,
      frozenBy: null,
      ...rest,
      rearmPaused: isRearmPaused ? 1 : 0,
      clusterId,
    })
    this.#byId.forget(clusterId)
  }

  /** F14: the time in which the server was down is not one without a leader. */
  countDowntimeAsLed(nowMs: number): void {
    this.#statements.leadersSeen.run(nowMs)
    this.forgetCache()
  }

  putProbe(clusterId: string, probe: Probe): void {
    const { groups, reported, ...rest } = probe
    this.#statements.putProbe.run({
      result: null,
      probedAtMs: null,
      leaderUrl: null,
      flaredbLeaderUrl: null,
      leaderSeenAtMs: null,
      twoLeadersAtMs: null,
      ...rest,
      groups: groups === undefined ? null : JSON.stringify(groups),
      reported: reported === undefined ? null : JSON.stringify(reported),
      clusterId,
    })
    this.#byId.forget(clusterId)
  }

  forgetCache(): void {
    this.#byId.forgetAll()
  }
}

function parsed(text: string | null): never {
  return (text === null ? undefined : JSON.parse(text)) as never
}

function optional(row: unknown): Cluster | undefined {
  return row === undefined ? undefined : clusterOf(row as Row)
}

function clusterOf(row: Row): Cluster {
  return {
    id: row.cluster_id,
    name: row.name,
    stateKind: row.state_kind,
    expectedControlPlane: row.expected_control_plane,
    held: Boolean(row.held),
    settings: JSON.parse(row.settings),
    createdAtMs: row.created_at_ms,
    ...given('holdStep', row.hold_step),
    founding: {
      state: row.founding,
      epoch: row.epoch,
      nextEpoch: row.next_epoch,
      incarnationFloor: row.incarnation_floor,
      isRearmPaused: Boolean(row.rearm_paused),
      ...given('frozenFrom', row.frozen_from),
      ...given('frozenBy', row.frozen_by),
      ...given('holderMachineId', row.holder_machine_id),
      ...given('holderBootId', row.holder_boot_id),
      ...given('reservedFor', row.reserved_for),
      ...given('foundedAtMs', row.founded_at_ms),
    },
    probe: {
      ...given('result', row.probe),
      ...given('probedAtMs', row.probed_at_ms),
      ...given('leaderUrl', row.leader_url),
      ...given('flaredbLeaderUrl', row.flaredb_leader_url),
      ...given('leaderSeenAtMs', row.leader_seen_at_ms),
      ...given('twoLeadersAtMs', row.two_leaders_at_ms),
      ...given('groups', parsed(row.probe_groups)),
      ...given('reported', parsed(row.reported_leaders)),
    },
  }
}
