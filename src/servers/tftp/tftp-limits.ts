import os from 'node:os'
import type { TransferLimits } from '../../tftp/negotiate.ts'

/** What TFTP may take of the network and of this machine. */
export interface TftpLimits extends TransferLimits {
  readonly sessions: number
  /** 0: no limit. */
  readonly sessionsPerAddress: number
  /** Requests of one address in a second; 0: no limit. */
  readonly requestsPerSecond: number
  /** Everything through the listening port, for NAT and containers; the limits per address are off then. */
  readonly singlePort: boolean
  /** Threads that move blocks; 0: the main thread does. Not used in single-port mode. */
  readonly workers: number
  /** For prepared packets, all threads together. */
  readonly cacheBytes: number
}

export const DEFAULT_TFTP_LIMITS: TftpLimits = {
  maxBlockBytes: 1468,
  maxWindow: 16,
  sessions: 2048,
  sessionsPerAddress: 8,
  requestsPerSecond: 40,
  singlePort: false,
  workers: Math.min(os.availableParallelism(), 4),
  cacheBytes: 64 * 1024 * 1024,
}
