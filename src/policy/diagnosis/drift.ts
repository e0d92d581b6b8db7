import type { Cluster } from '../../model/cluster.ts'
import type { Machine } from '../../model/machine.ts'

/** What a machine runs in its current boot, and what it would be given now. */
export interface RunningState {
  readonly machine: Machine
  /** The image of the script that this boot got; undefined where none is recorded. */
  readonly imageId?: string
  /** Hash of what was settled for it when it took its configuration, and of the same now. */
  readonly settledSha256?: string
  readonly settledNowSha256?: string
  /** Hash of the configuration that it was given, and of the file that it says it has. */
  readonly givenSha256?: string
  readonly reportedSha256?: string
}

/**
 * `image`: another one is assigned now. `config`: what the operator settled has changed since it took its configuration.
 * `config-on-node`: the node says that it has other bytes than it was given.
 */
export interface Drift {
  readonly what: 'image' | 'config' | 'config-on-node'
  readonly runs: string
  readonly should: string
}

/** What an operator settles in a machine's configuration: all but what each boot gets anew. Hashed by the store. */
export function settledConfigText(machine: Machine, cluster: Cluster): string {
  return JSON.stringify([machine.name, machine.role, cluster.id, cluster.name, cluster.settings])
}

/** How a machine that runs differs from what it should run; a fact that is not known is no difference. */
export function driftOf(state: RunningState): readonly Drift[] {
  return [
    ...differs('image', state.imageId, state.machine.imageId),
    ...differs('config', state.settledSha256, state.settledNowSha256),
    ...differs('config-on-node', state.reportedSha256, state.givenSha256),
  ]
}

function differs(what: Drift['what'], runs: string | undefined, should: string | undefined): Drift[] {
  return runs === undefined || should === undefined || runs === should ? [] : [{ what, runs, should }]
}
