import type { Cluster, Founding, Probe } from '../../model/cluster.ts'
import type { Db } from '../open-database.ts'
import { given, type Row } from './rows.ts'

/** Clusters with their founding lease and what the last probe saw. */
export class ClustersTable {
  readonly #statements

  constructor(db: Db) {
    this.#statements = {
      byId: db.prepare('SELECT * FROM cluster WHERE cluster_id = ?'),
      byName: db.prepare('SELECT * FROM cluster WHERE name = ?'),
      list: db.prepare('SELECT * FROM cluster WHERE name > ? ORDER BY name LIMIT ?'),
      put: db.prepare(`
        INSERT INTO cluster (cluster_id, name, state_kind, expected_control_plane, held, settings, created_at_ms)
        VALUES (@id, @name, @stateKind, @expectedControlPlane, @held, @settings, @createdAtMs)
        ON CONFLICT (cluster_id) DO UPDATE SET name = @name, state_kind = @stateKind,
          expected_control_plane = @expectedControlPlane, held = @held, settings = @settings`),
      putFounding: db.prepare(`
        UPDATE cluster SET founding = @state, epoch = @epoch, next_epoch = @nextEpoch, holder_machine_id = @holderMachineId,
          holder_boot_id = @holderBootId, reserved_for = @reservedFor, founded_at_ms = @foundedAtMs
        WHERE cluster_id = @clusterId`),
      putProbe: db.prepare(`
        UPDATE cluster SET probe = @result, probed_at_ms = @probedAtMs, leader_url = @leaderUrl,
          flaredb_leader_url = @flaredbLeaderUrl WHERE cluster_id = @clusterId`),
    }
  }

  byId(id: string): Cluster | undefined {
    return optional(this.#statements.byId.get(id))
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
    this.#statements.put.run({ ...rest, held: held ? 1 : 0, settings: JSON.stringify(settings) })
  }

  putFounding(clusterId: string, founding: Founding): void {
    this.#statements.putFounding.run({
      holderMachineId: null,
      holderBootId: null,
      reservedFor: null,
      foundedAtMs: null,
      ...founding,
      clusterId,
    })
  }

  putProbe(clusterId: string, probe: Probe): void {
    this.#statements.putProbe.run({
      result: null,
      probedAtMs: null,
      leaderUrl: null,
      flaredbLeaderUrl: null,
      ...probe,
      clusterId,
    })
  }
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
    founding: {
      state: row.founding,
      epoch: row.epoch,
      nextEpoch: row.next_epoch,
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
    },
  }
}
