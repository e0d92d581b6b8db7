import type { Cluster } from '../../model/cluster.ts'
import type { Machine } from '../../model/machine.ts'
import { type RunningState, settledConfigText } from '../../policy/diagnosis/drift.ts'
import { sha256Of } from '../tables/redemptions.ts'
import { given } from '../tables/rows.ts'
import type { Tables } from '../tables/tables.ts'

/** Reads what a machine runs in the boot that it took its configuration in; undefined where there is none. */
export function readRunningState(
  { redemptions, traces }: Tables,
  machine: Machine,
  cluster: Cluster,
): RunningState | undefined {
  const bootId = machine.currentBootId
  const hashes = bootId === undefined ? undefined : redemptions.hashesOf(bootId)
  if (bootId === undefined || hashes === undefined) return undefined
  const rows = traces.ofBoot(bootId)
  const image = rows.findLast((row) => row.kind === 'script' && row.facts.image !== undefined)?.facts.image
  const reported = rows.findLast((row) => row.kind === 'report' && row.facts.config_sha256 !== undefined)
  return {
    machine,
    settledSha256: hashes.settledSha256,
    settledNowSha256: sha256Of(settledConfigText(machine, cluster)),
    givenSha256: hashes.configSha256,
    ...given('imageId', image === undefined ? undefined : String(image)),
    ...given('reportedSha256', reported === undefined ? undefined : String(reported.facts.config_sha256)),
  }
}
