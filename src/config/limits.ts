import { DEFAULT_STALL_LIMITS, MOVING_STAGES, type StallLimits } from '../policy/diagnosis/limits.ts'
import { DEFAULT_EVENT_RETENTION, type EventRetention } from '../policy/event-retention.ts'
import { DEFAULT_IMAGE_LIMITS } from '../policy/image/preflight.ts'
import { DEFAULT_DELIVERY } from '../servers/http/file-delivery.ts'
import type { Config } from './config.ts'
import { optional } from './optional.ts'
import type { Found } from './read-file.ts'
import { type KeyName, stallKey } from './schema.ts'

const DEFAULT_MAX_SET_MIB = 16_384

type Values = ReadonlyMap<KeyName, Found>

/** What differs from the limits that the file delivery has of its own. */
export function deliveryLimits(values: Values): NonNullable<Config['boot']['delivery']> {
  const get = (key: KeyName) => values.get(key)?.value as number | undefined
  const cacheMib = get('boot.cache_mib')
  const windowMs = 1000 * (get('boot.reader_window_seconds') ?? DEFAULT_DELIVERY.patience.windowMs / 1000)
  const minKib = get('boot.reader_min_kib')
  const minBytes = minKib === undefined ? DEFAULT_DELIVERY.patience.minBytes : minKib * 1024
  return {
    patience: { windowMs, minBytes },
    ...optional('maxStreams', get('boot.max_streams')),
    ...optional('cacheBytes', cacheMib === undefined ? undefined : cacheMib * 1024 * 1024),
  }
}

/** What differs from the limits that the TFTP server has of its own. */
export function tftpLimits(values: Values): NonNullable<Config['tftp']['limits']> {
  const get = <Value>(key: KeyName) => values.get(key)?.value as Value | undefined
  const cacheMib = get<number>('tftp.cache_mib')
  return {
    ...optional('maxBlockBytes', get<number>('tftp.max_block_bytes')),
    ...optional('maxWindow', get<number>('tftp.max_window')),
    ...optional('sessions', get<number>('tftp.max_transfers')),
    ...optional('sessionsPerAddress', get<number>('tftp.max_transfers_per_address')),
    ...optional('requestsPerSecond', get<number>('tftp.max_requests_per_second')),
    ...optional('singlePort', get<boolean>('tftp.single_port')),
    ...optional('workers', get<number>('tftp.workers')),
    ...optional('cacheBytes', cacheMib === undefined ? undefined : cacheMib * 1024 * 1024),
  }
}

export function stallLimits(values: Values): StallLimits {
  const get = (key: KeyName, otherwise: number) => (values.get(key)?.value as number | undefined) ?? otherwise
  const { stages, gateWaitSeconds, clockSkewSeconds } = DEFAULT_STALL_LIMITS
  const own = MOVING_STAGES.map((stage) => [stage, get(stallKey(stage), stages[stage])])
  return {
    stages: Object.fromEntries(own) as StallLimits['stages'],
    gateWaitSeconds: get('stall.gate_wait_seconds', gateWaitSeconds),
    clockSkewSeconds: get('stall.clock_skew_seconds', clockSkewSeconds),
  }
}

export function imageLimits(values: Values): Config['images'] {
  const get = <Value>(key: KeyName, otherwise: Value) =>
    (values.get(key)?.value as Value | undefined) ?? otherwise
  const { maxInitrdMib, ramFactor, ramExtraMib, whenTooLarge } = DEFAULT_IMAGE_LIMITS
  return {
    maxSetMib: get('images.max_set_mib', DEFAULT_MAX_SET_MIB),
    limits: {
      maxInitrdMib: get('images.max_initrd_mib', maxInitrdMib),
      ramFactor: get('images.ram_factor', ramFactor),
      ramExtraMib: get('images.ram_extra_mib', ramExtraMib),
      whenTooLarge: get('images.when_too_large', whenTooLarge),
    },
  }
}

export function eventRetention(values: Values): EventRetention {
  const get = (key: KeyName, otherwise: number) => (values.get(key)?.value as number | undefined) ?? otherwise
  return {
    keepDays: get('events.keep_days', DEFAULT_EVENT_RETENTION.keepDays),
    keepCount: get('events.keep_count', DEFAULT_EVENT_RETENTION.keepCount),
  }
}
