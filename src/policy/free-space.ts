import { type Refusal, refusal } from './refusal.ts'

/**
 * Below this the data disk takes no image and no machine is armed: what is left is for leases, redemptions and reports
 * of the machines that are on their way.
 */
export const MIN_FREE_BYTES = 200 * 1024 * 1024

/** Undefined while there is room for `needed` more bytes above the floor. */
export function freeSpaceFault(freeBytes: number, needed = 0): Refusal | undefined {
  if (freeBytes - needed >= MIN_FREE_BYTES) return undefined
  const wants = needed === 0 ? '200 MiB' : `200 MiB beside the ${mib(needed)} MiB that are to come`
  return refusal(
    507,
    'disk-full',
    `the data disk has ${mib(freeBytes)} MiB free, want ${wants}`,
    'free space on the data disk: pilotlight image gc',
  )
}

function mib(bytes: number): number {
  return Math.floor(bytes / 1024 / 1024)
}
