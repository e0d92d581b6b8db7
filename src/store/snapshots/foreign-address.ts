import type { Subnet } from '../../model/subnet.ts'
import { cidrContains, type Ipv4 } from '../../net/ipv4.ts'
import type { ForeignAddress } from '../../policy/machine/own-address.ts'
import type { View } from '../store.ts'
import { given } from '../tables/rows.ts'

/** What the configuration says about who leases addresses. */
export interface AddressSettings {
  readonly subnets: readonly Subnet[]
  /** Where a subnet says nothing else. */
  readonly dhcpMode: 'authoritative' | 'proxy' | 'off'
  readonly tokenBind: 'subnet' | 'address'
}

/** Facts about an address that another server leases; undefined: we lease it, or it lies in no served subnet. */
export function readForeignAddress(
  view: Pick<View, 'machines'>,
  { subnets, dhcpMode, tokenBind }: AddressSettings,
  address: Ipv4,
): ForeignAddress | undefined {
  const subnet = subnets.find(({ cidr }) => cidrContains(cidr, address))
  if (subnet === undefined || (subnet.dhcpMode ?? dhcpMode) === 'authoritative') return undefined
  return {
    subnet: subnet.cidr,
    bindsAddress: tokenBind === 'address',
    ...given('statedForMachineId', view.machines.reservedFor(address)),
  }
}
