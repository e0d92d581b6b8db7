import type { Logger } from 'pino'
import type { Subnet } from '../../../model/subnet.ts'
import type { Ipv4 } from '../../../net/ipv4.ts'
import type { Store } from '../../../store/store.ts'
import type { LoaderManifest } from '../../files/loader-manifest.ts'

/** What every route of the operator side is given. */
export interface OperatorContext {
  readonly store: Store
  readonly loaders: LoaderManifest
  readonly subnets: readonly Subnet[]
  readonly serverAddress: Ipv4
  /** Where imported images are kept. */
  readonly imagesDir: string
  readonly log: Logger
  /** What `/readyz` reports: problems that stop machines from booting; empty when ready. */
  problems(): readonly string[]
  /** Drops and errors by reason since start, by server. */
  counters(): Readonly<Record<string, Readonly<Record<string, number>>>>
  isStopping(): boolean
}
