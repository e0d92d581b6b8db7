import type { Ipv4 } from '../../net/ipv4.ts'
import type { BeaconSnapshot } from '../../policy/boot/decide-beacon.ts'
import type { View } from '../store.ts'
import { given } from '../tables/rows.ts'
import { readFileSentSnapshot } from './file-sent.ts'

/** Reads whose boot attempt a beacon belongs to, and how far its root was the last time. */
export function readBeaconSnapshot(view: View, address: Ipv4): BeaconSnapshot {
  const snapshot = readFileSentSnapshot(view, address)
  const { latestAttempt } = snapshot
  if (latestAttempt === undefined) return snapshot
  const told = view.traces.oneOf(latestAttempt.bootId, 'http', 'squashfs-progress')?.facts.bytes
  const { imageId } = latestAttempt
  const image = imageId === undefined ? undefined : view.images.byId(imageId)
  const root = image?.files.find(({ role }) => role === 'squashfs')
  return {
    ...snapshot,
    ...given('rootBytesTold', typeof told === 'number' ? told : undefined),
    ...given('rootFileBytes', root?.bytes),
  }
}
