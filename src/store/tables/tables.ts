import type { Db } from '../open-database.ts'
import type { ServerKey } from '../server-key.ts'
import { BootAttemptsTable } from './boot-attempts.ts'
import { BootTracesTable } from './boot-traces.ts'
import { ClustersTable } from './clusters.ts'
import { EventsTable } from './events.ts'
import { ImagesTable } from './images.ts'
import { LeasesTable } from './leases.ts'
import { MachineFilesTable } from './machine-files.ts'
import { MachinesTable } from './machines.ts'
import { MembershipTable } from './membership.ts'
import { Offers } from './offers.ts'
import { OperatorCallsTable } from './operator-calls.ts'
import { PoolCounts } from './pool-counts.ts'
import { QuarantinesTable } from './quarantines.ts'
import { RecentFacts } from './recent.ts'
import { RedemptionsTable } from './redemptions.ts'
import { SecretsTable } from './secrets.ts'

/** All tables over one connection. */
export interface Tables {
  readonly machines: MachinesTable
  readonly machineFiles: MachineFilesTable
  readonly leases: LeasesTable
  readonly offers: Offers
  readonly quarantines: QuarantinesTable
  readonly poolCounts: PoolCounts
  readonly attempts: BootAttemptsTable
  readonly traces: BootTracesTable
  readonly redemptions: RedemptionsTable
  readonly clusters: ClustersTable
  readonly membership: MembershipTable
  readonly calls: OperatorCallsTable
  readonly images: ImagesTable
  readonly events: EventsTable
  readonly secrets: SecretsTable
  readonly recent: RecentFacts
}

/** Rows that each cache keeps: a hall of machines; what is read again beyond that costs a query each. */
const MOST_CACHED = 32_768

/**
 * @param mostCached 0 for a connection that is not told of changes.
 */
export function tablesOn(db: Db, key: ServerKey, mostCached = MOST_CACHED): Tables {
  const offers = new Offers()
  const quarantines = new QuarantinesTable(db, mostCached)
  const leases = new LeasesTable(db, offers, quarantines, mostCached)
  return {
    machines: new MachinesTable(db, mostCached),
    machineFiles: new MachineFilesTable(db, mostCached),
    leases,
    offers,
    quarantines,
    poolCounts: new PoolCounts(leases, offers, quarantines),
    attempts: new BootAttemptsTable(db, mostCached),
    traces: new BootTracesTable(db),
    redemptions: new RedemptionsTable(db, key, mostCached),
    clusters: new ClustersTable(db, mostCached),
    membership: new MembershipTable(db),
    calls: new OperatorCallsTable(db, mostCached),
    images: new ImagesTable(db, mostCached),
    events: new EventsTable(db),
    secrets: new SecretsTable(db, key),
    recent: new RecentFacts(),
  }
}

/** Called after COMMIT: what was changed in memory stays. */
export function settleCaches({ offers, machines, leases, quarantines }: Tables): void {
  offers.settle()
  machines.settle()
  leases.settle()
  quarantines.settle()
}

/** What a transaction took back may be remembered: everything is read again. */
export function forgetCaches(tables: Tables): void {
  const {
    machines,
    machineFiles,
    leases,
    quarantines,
    attempts,
    redemptions,
    clusters,
    calls,
    images,
    recent,
  } = tables
  for (const table of [
    machines,
    machineFiles,
    leases,
    quarantines,
    attempts,
    redemptions,
    clusters,
    calls,
    images,
  ]) {
    table.forgetCache()
  }
  recent.forgetAll()
}
