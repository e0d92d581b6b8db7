import type { Cause } from '../cause.ts'

/** Below this the server refuses to arm and to import. */
const LOW_DISK_BYTES = 200_000_000

/** What is worth knowing wherever a machine stands. */
export const ALWAYS_CAUSES: readonly Cause[] = [
  {
    code: 'clock-skew',
    title: 'the node’s clock is wrong: certificates fail, and its gates may stay shut',
    when: 'always',
    detect(c) {
      const { clockSkewMs, limits } = c.snapshot
      if (clockSkewMs === undefined || Math.abs(clockSkewMs) <= limits.clockSkewSeconds * 1000)
        return undefined
      const side = clockSkewMs < 0 ? 'behind' : 'ahead of'
      return {
        likelihood: 'certain',
        text: `its clock is ${Math.round(Math.abs(clockSkewMs) / 1000)} s ${side} this server (${limits.clockSkewSeconds} s are allowed)`,
      }
    },
    cure: () =>
      'give machines NTP (subnets[].ntp) or set their hardware clocks; check this server’s own clock too',
  },
  {
    code: 'server-disk',
    title: 'this server’s disk is full',
    when: 'always',
    detect(c) {
      const { diskFreeBytes } = c.snapshot.server
      if (diskFreeBytes === undefined || diskFreeBytes >= LOW_DISK_BYTES) return undefined
      return {
        likelihood: 'certain',
        text: `${Math.round(diskFreeBytes / 1e6)} MB are free in data_dir, 200 MB are wanted`,
      }
    },
    cure: () =>
      'free space in data_dir; nothing is acknowledged that is not on the disk, so machines wait meanwhile',
  },
]
