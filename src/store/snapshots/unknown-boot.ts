import type { Mac } from '../../net/mac.ts'
import type { UnknownBootSnapshot } from '../../policy/first-boot/decide-unknown-boot.ts'
import type { View } from '../store.ts'
import { given } from '../tables/rows.ts'

/** Reads who a boot that the tables do not know says it is. */
export function readUnknownBoot(view: View, mac: Mac): UnknownBootSnapshot {
  return { nowMs: view.nowMs, told: view.recent.told, ...given('machine', view.machines.byMac(mac)) }
}
