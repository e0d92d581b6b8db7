import path from 'node:path'
import type { Ipv4 } from '../../../src/net/ipv4.ts'
import type { Mac } from '../../../src/net/mac.ts'
import type { Effect } from '../../../src/policy/effect.ts'
import { Store } from '../../../src/store/store.ts'
import { CLIENT_PREFIX } from './file-link.ts'

const PROGRAM_DIR = path.join(import.meta.dirname, '..', '..', '..')
const DAY_MS = 86_400_000
const CLUSTER_ID = '6d1f3f6e-0000-4000-8000-000000000001'

/** The script of the armed machine of a slot of the load client: a decision, a token, and a durable write. */
export const ARMED_SCRIPT = '/boot/02:01:00:00:SLOT.ipxe?uuid=4c4c4544-0051-3010-8052-b4c04f564231'

/**
 * Makes machines that are armed and have a lease on the addresses of the load client's slots, straight in the
 * database: 02:01:00:00:00:01 is at the first one.
 */
export async function armMachines(dataDir: string, count: number, imageId: string): Promise<void> {
  const nowMs = Date.now()
  const cluster: Effect = {
    kind: 'put-cluster',
    cluster: {
      id: CLUSTER_ID,
      name: 'bench',
      stateKind: 'ephemeral',
      expectedControlPlane: 3,
      held: false,
      settings: {},
      createdAtMs: nowMs,
    },
  }
  const machines = Array.from({ length: count }, (_, index): Effect[] => {
    const number = index + 1
    const mac = `02:01:00:00:${hex(number >> 8)}:${hex(number & 0xff)}` as Mac
    const address = `${CLIENT_PREFIX}.${8 + (number >> 8)}.${number & 0xff}` as Ipv4
    return [
      {
        kind: 'put-machine',
        machine: {
          id: `armed-${number}`,
          name: `armed-${number}`,
          macs: [mac],
          role: 'worker',
          state: 'armed',
          clusterId: CLUSTER_ID,
          imageId,
          bootMode: 'netboot',
          localBoot: 'exit',
          armedUntilMs: nowMs + DAY_MS,
          createdAtMs: nowMs,
        },
      },
      {
        kind: 'put-lease',
        lease: {
          subnet: `${CLIENT_PREFIX}.0.0/20`,
          mac,
          address,
          state: 'active',
          grantedAtMs: nowMs,
          expiresAtMs: nowMs + DAY_MS,
        },
      },
    ]
  })
  await arrange(dataDir, [cluster, ...machines.flat()])
}

/** Carries effects out in the database of a server that is not running. */
export async function arrange(dataDir: string, effects: readonly Effect[]): Promise<void> {
  const store = Store.open({
    dataDir,
    migrationsDir: path.join(PROGRAM_DIR, 'migrations'),
    onFatal: (error) => {
      throw error
    },
  })
  await store.decide(
    () => undefined,
    () => ({ reply: undefined, reason: 'arranged', effects }),
  )
  store.close()
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0')
}
