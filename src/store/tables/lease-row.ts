import type { Lease } from '../../model/lease.ts'
import { given, type Row } from './rows.ts'

/** What `leaseOf` reads. */
export const LEASE_COLUMNS = 'subnet, mac, address, state, granted_at_ms, expires_at_ms, client_id, server_id'

export function optionalLease(row: unknown): Lease | undefined {
  return row === undefined ? undefined : leaseOf(row as Row)
}

export function leaseOf(row: Row): Lease {
  return {
    subnet: row.subnet,
    mac: row.mac,
    address: row.address,
    state: row.state,
    grantedAtMs: row.granted_at_ms,
    expiresAtMs: row.expires_at_ms,
    ...given('clientId', row.client_id),
    ...given('serverId', row.server_id),
  }
}
