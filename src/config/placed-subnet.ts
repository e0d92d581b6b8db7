import type { Subnet } from '../model/subnet.ts'
import type { Ipv4 } from '../net/ipv4.ts'
import type { PlacedSubnet } from './check.ts'
import { optional } from './optional.ts'
import type { Found } from './read-file.ts'
import type { SubnetKeyName } from './schema.ts'

const DEFAULT_LEASE_SECONDS = 3600

/** A subnet of the file in the model's own type; none where it has no `cidr`, which is complained of elsewhere. */
export function placedSubnet(found: ReadonlyMap<SubnetKeyName, Found>, index: number): PlacedSubnet[] {
  const get = <Value>(key: SubnetKeyName) => found.get(key)?.value as Value | undefined
  const cidr = get<Subnet['cidr']>('cidr')
  if (cidr === undefined) return []
  const subnet: Subnet = {
    cidr,
    dns: get<readonly Ipv4[]>('dns') ?? [],
    ntp: get<readonly Ipv4[]>('ntp') ?? [],
    leaseSeconds: get<number>('lease_seconds') ?? DEFAULT_LEASE_SECONDS,
    ...optional('pool', get<NonNullable<Subnet['pool']>>('pool')),
    ...optional('router', get<Ipv4>('router')),
    ...optional('domain', get<string>('domain')),
    ...optional('bootAddress', get<Ipv4>('boot_address')),
    ...optional('options', get<NonNullable<Subnet['options']>>('options')),
    ...optional('dhcpMode', get<NonNullable<Subnet['dhcpMode']>>('dhcp_mode')),
    ...optional('sharedAddresses', get<boolean>('shared_addresses')),
  }
  const where = (key: string) => (found.get(key as SubnetKeyName) ?? found.get('cidr'))?.where ?? ''
  return [{ subnet, index, where }]
}
