import type { Db } from '../open-database.ts'
import type { ServerKey } from '../server-key.ts'
import { BootAttemptsTable } from './boot-attempts.ts'
import { ClustersTable } from './clusters.ts'
import { EventsTable } from './events.ts'
import { ImagesTable } from './images.ts'
import { LeasesTable } from './leases.ts'
import { MachinesTable } from './machines.ts'
import { MembershipTable } from './membership.ts'
import { RedemptionsTable } from './redemptions.ts'
import { SecretsTable } from './secrets.ts'

/** All tables over one connection. */
export interface Tables {
  readonly machines: MachinesTable
  readonly leases: LeasesTable
  readonly attempts: BootAttemptsTable
  readonly redemptions: RedemptionsTable
  readonly clusters: ClustersTable
  readonly membership: MembershipTable
  readonly images: ImagesTable
  readonly events: EventsTable
  readonly secrets: SecretsTable
}

export function tablesOn(db: Db, key: ServerKey): Tables {
  return {
    machines: new MachinesTable(db),
    leases: new LeasesTable(db),
    attempts: new BootAttemptsTable(db),
    redemptions: new RedemptionsTable(db, key),
    clusters: new ClustersTable(db),
    membership: new MembershipTable(db),
    images: new ImagesTable(db),
    events: new EventsTable(db),
    secrets: new SecretsTable(db, key),
  }
}
