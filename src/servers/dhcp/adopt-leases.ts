import type { Subnet } from '../../model/subnet.ts'
import { broadcastOf, formatCidr } from '../../net/ipv4.ts'
import type { Effect } from '../../policy/effect.ts'
import type { Store } from '../../store/store.ts'

/**
 * Puts every lease into the configured subnet that its address lies in: where an operator gave a subnet another prefix,
 * its clients are still the same, and so are the addresses that they hold.
 */
export async function adoptLeases(store: Store, subnets: readonly Subnet[]): Promise<void> {
  const effects = subnets.map(
    ({ cidr }): Effect => ({
      kind: 'adopt-leases',
      subnet: formatCidr(cidr),
      first: cidr.network,
      last: broadcastOf(cidr),
    }),
  )
  await store.decide(
    () => undefined,
    () => ({ reply: undefined, reason: 'leases-adopted', effects }),
  )
}
