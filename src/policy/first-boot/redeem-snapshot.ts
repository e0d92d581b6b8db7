import type { BootAttempt } from '../../model/boot-attempt.ts'
import type { Cluster, JoinSlot, Member, ServiceFounding } from '../../model/cluster.ts'
import type { Machine } from '../../model/machine.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'
import type { SaidIdentity } from '../boot/said-identity.ts'
import type { Moment } from '../decision.ts'
import type { AddressOwner } from '../machine/own-address.ts'

/** A request for a machine's configuration; the token itself was hashed on receipt. */
export interface RedeemRequest {
  readonly mac: Mac
  readonly address: Ipv4
  /** The node's own 16 random bytes, lower-case hex. */
  readonly nonce: string
  /** The node's clock in ms since 1970, where it said. */
  readonly clockMs?: number
  /** HEAD and Range look at it and spend nothing. */
  readonly spends: boolean
}

/** The boot token as recorded. */
export interface BootToken {
  readonly bootId: string
  readonly machineId: string
  /** The address that fetched the script it was minted for. */
  readonly address: Ipv4
  readonly expiresAtMs: number
  readonly isSpent: boolean
  readonly isRevoked: boolean
}

export interface RedeemSnapshot extends Moment, AddressOwner {
  /** The machine that owns the MAC in the URL. */
  readonly machine?: Machine
  /** The token by the hash of what was sent; undefined: never minted. */
  readonly token?: BootToken
  readonly attempt?: BootAttempt
  /** What its loader said of its board in this boot; undefined where it is not known. */
  readonly said?: SaidIdentity
  /** The relay's port by which the loader of this boot got its lease, where a relay names one. */
  readonly relayPort?: string
  /** What this boot redeemed before, while the text is still kept. */
  readonly earlier?: { readonly nonce: string; readonly address: Ipv4; readonly configText?: string }
  readonly cluster?: Cluster
  readonly members: readonly Member[]
  readonly slots: readonly JoinSlot[]
  readonly serviceFoundings: readonly ServiceFounding[]
  /** Boots of other machines that are bound to the cluster's epoch. */
  readonly othersBound: number
  /** Addresses of the cluster's other control-plane machines, as far as known. */
  readonly controlPlaneAddresses: readonly Ipv4[]
  readonly holderAddress?: Ipv4
  readonly serverId: string
  readonly bootUrl: string
  /** The report token of the token's boot. */
  readonly reportToken: string
}

export type RedeemReply =
  | { readonly kind: 'config'; readonly text: string }
  | { readonly kind: 'refused' }
  | { readonly kind: 'not-now'; readonly retryAfterSeconds: number }
