import type { Logger } from 'pino'
import type { Store } from '../../../store/store.ts'
import type { ClusterBell } from '../../cluster-bell.ts'
import type { LoaderManifest } from '../../files/loader-manifest.ts'
import type { ImageLibrary } from '../../images/image-library.ts'
import type { FileDelivery } from '../file-delivery.ts'
import type { BootSettings } from './boot-settings.ts'

/** What every route of the boot side is given. */
export interface BootContext {
  readonly store: Store
  readonly settings: BootSettings
  readonly bell: ClusterBell
  readonly loaders: LoaderManifest
  readonly images: ImageLibrary
  readonly delivery: FileDelivery
  readonly log: Logger
  /** True once the server has begun to stop: long polls answer at once. */
  isStopping(): boolean
}
