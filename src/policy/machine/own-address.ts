import type { Machine } from '../../model/machine.ts'
import { type Cidr, cidrContains, type Ipv4 } from '../../net/ipv4.ts'

/** What is known of an address that another DHCP server leases (proxy or off mode): little, and by claims. */
export interface ForeignAddress {
  /** The served subnet that it lies in. */
  readonly subnet: Cidr
  /** The machine that an operator stated it for. */
  readonly statedForMachineId?: string
  /** True where a token is good only from the very address that fetched the script (`boot.token_bind`). */
  readonly bindsAddress: boolean
}

/** Whose an asking address is. */
export interface AddressOwner {
  /** The machine that we leased it to. */
  readonly leasedToMachineId?: string
  /** There where another server leases. */
  readonly foreign?: ForeignAddress
}

/**
 * True when a machine asks from an address of its own: its lease; where another server leases, the address that an
 * operator stated for it, else any of a served subnet that is stated for nobody.
 */
export function isOwnAddress(machine: Machine, address: Ipv4, owner: AddressOwner): boolean {
  const { leasedToMachineId, foreign } = owner
  if (foreign === undefined) return leasedToMachineId === machine.id
  if (machine.reservedAddress !== undefined) return machine.reservedAddress === address
  return foreign.statedForMachineId === undefined
}

/**
 * True when a token that was minted for one address may be redeemed from another: with leases of ours any of the
 * machine's own may; where another server leases, loader and system may be given different ones of one subnet.
 */
export function isTokenGoodFrom(
  address: Ipv4,
  mintedFor: Ipv4,
  foreign: ForeignAddress | undefined,
): boolean {
  if (foreign === undefined) return true
  return foreign.bindsAddress ? address === mintedFor : cidrContains(foreign.subnet, mintedFor)
}
