import type { RaftService } from '../../model/cluster.ts'
import type { FirstBootStep } from '../../model/first-boot.ts'

/** The Raft service that a step joins; undefined for IAM and the health check, which join nothing. */
export function raftServiceOf(step: FirstBootStep): RaftService | undefined {
  switch (step) {
    case 'chainfire-cluster-join':
      return 'chainfire'
    case 'flaredb-cluster-join':
      return 'flaredb'
    case 'iam-initial-setup':
    case 'cluster-health-check':
      return undefined
  }
}
