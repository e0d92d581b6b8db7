import type { Lease, Offer } from '../../model/lease.ts'
import { type Ipv4, type Ipv4Range, ipv4FromNumber, ipv4ToNumber } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'
import type { Db } from '../open-database.ts'
import { given, type Row } from './rows.ts'

const COLUMNS = 'subnet, mac, address, state, granted_at_ms, expires_at_ms, client_id'

const PUT = `
  INSERT INTO lease (subnet, mac, address, address_no, state, granted_at_ms, expires_at_ms, client_id)
  VALUES (@subnet, @mac, @address, @addressNo, @state, @grantedAtMs, @expiresAtMs, @clientId)
  ON CONFLICT (subnet, mac) DO UPDATE SET address = @address, address_no = @addressNo, state = @state,
    granted_at_ms = @grantedAtMs, expires_at_ms = @expiresAtMs, client_id = @clientId`

/** Of the addresses of a range that were leased once, those whose lease ended longest ago come first. */
const ENDED = `
  SELECT address FROM lease
  WHERE subnet = @subnet AND expires_at_ms <= @nowMs AND address_no BETWEEN @first AND @last
  ORDER BY expires_at_ms LIMIT 64`

/** Leases, offers and quarantined addresses. */
export class LeasesTable {
  readonly #statements

  constructor(db: Db) {
    this.#statements = {
      byMac: db.prepare(`SELECT ${COLUMNS} FROM lease WHERE subnet = ? AND mac = ?`),
      atAddress: db.prepare(
        `SELECT ${COLUMNS} FROM lease WHERE address = ? ORDER BY expires_at_ms DESC LIMIT 1`,
      ),
      list: db.prepare(
        `SELECT ${COLUMNS} FROM lease WHERE (subnet, mac) > (?, ?) ORDER BY subnet, mac LIMIT ?`,
      ),
      put: db.prepare(PUT),
      release: db.prepare(
        "UPDATE lease SET state = 'released', expires_at_ms = min(expires_at_ms, ?) WHERE subnet = ? AND mac = ?",
      ),
      ended: db.prepare(ENDED).pluck(),
      everLeased: db.prepare('SELECT 1 FROM lease WHERE address = ? LIMIT 1').pluck(),
      offerByMac: db.prepare(
        'SELECT subnet, mac, address, expires_at_ms FROM offer WHERE subnet = ? AND mac = ?',
      ),
      offerAt: db.prepare(
        'SELECT subnet, mac, address, expires_at_ms FROM offer WHERE address = ? ORDER BY expires_at_ms DESC LIMIT 1',
      ),
      putOffer: db.prepare('INSERT OR REPLACE INTO offer VALUES (@subnet, @mac, @address, @expiresAtMs)'),
      dropOffer: db.prepare('DELETE FROM offer WHERE subnet = ? AND mac = ?'),
      quarantinedUntil: db.prepare('SELECT until_ms FROM quarantine WHERE address = ?').pluck(),
      quarantine: db.prepare(
        'INSERT OR REPLACE INTO quarantine (subnet, address, until_ms, why) VALUES (?, ?, ?, ?)',
      ),
      reserved: db.prepare('SELECT 1 FROM machine WHERE reserved_address = ?').pluck(),
    }
  }

  byMac(subnet: string, mac: Mac): Lease | undefined {
    return optionalLease(this.#statements.byMac.get(subnet, mac))
  }

  /** The lease row at an address, in force or ended; of several, the one that ends last. */
  atAddress(address: Ipv4): Lease | undefined {
    return optionalLease(this.#statements.atAddress.get(address))
  }

  /** The lease of an address that is in force now. */
  activeAt(address: Ipv4, nowMs: number): Lease | undefined {
    const lease = this.atAddress(address)
    return lease?.state === 'active' && lease.expiresAtMs > nowMs ? lease : undefined
  }

  list(afterSubnet: string, afterMac: string, limit: number): readonly Lease[] {
    return this.#statements.list.all(afterSubnet, afterMac, limit).map((row) => leaseOf(row as Row))
  }

  put(lease: Lease): void {
    this.#statements.put.run({ clientId: null, ...lease, addressNo: ipv4ToNumber(lease.address) })
  }

  release(subnet: string, mac: Mac, atMs: number): void {
    this.#statements.release.run(atMs, subnet, mac)
  }

  offerByMac(subnet: string, mac: Mac): Offer | undefined {
    return optionalOffer(this.#statements.offerByMac.get(subnet, mac))
  }

  offerAt(address: Ipv4): Offer | undefined {
    return optionalOffer(this.#statements.offerAt.get(address))
  }

  putOffer(offer: Offer): void {
    this.#statements.putOffer.run(offer)
  }

  dropOffer(subnet: string, mac: Mac): void {
    this.#statements.dropOffer.run(subnet, mac)
  }

  quarantinedUntilMs(address: Ipv4): number | undefined {
    return this.#statements.quarantinedUntil.get(address) as number | undefined
  }

  quarantine(subnet: string, address: Ipv4, untilMs: number, why: string): void {
    this.#statements.quarantine.run(subnet, address, untilMs, why)
  }

  /**
   * A free address of a pool for a client without a history: from hash(MAC) on the first that was never leased, else
   * the one whose lease ended longest ago. The walk is bounded; a pool that is nearly full is served by the index.
   */
  poolCandidate(
    subnet: string,
    pool: Ipv4Range,
    mac: Mac,
    avoid: ReadonlySet<Ipv4>,
    nowMs: number,
  ): Ipv4 | undefined {
    const first = ipv4ToNumber(pool.first)
    const last = ipv4ToNumber(pool.last)
    const size = last - first + 1
    const start = hashOf(mac) % size
    const steps = Math.min(size, size <= 4096 ? size : 256)
    for (let step = 0; step < steps; step += 1) {
      const address = ipv4FromNumber(first + ((start + step) % size))
      const wasLeased = this.#statements.everLeased.get(address) !== undefined
      if (!wasLeased && !avoid.has(address) && this.#isFree(address, nowMs)) return address
    }
    const ended = this.#statements.ended.all({ subnet, nowMs, first, last }) as Ipv4[]
    return ended.find((address) => !avoid.has(address) && this.#isFree(address, nowMs))
  }

  #isFree(address: Ipv4, nowMs: number): boolean {
    if (this.activeAt(address, nowMs) !== undefined) return false
    if ((this.offerAt(address)?.expiresAtMs ?? 0) > nowMs) return false
    if ((this.quarantinedUntilMs(address) ?? 0) > nowMs) return false
    return this.#statements.reserved.get(address) === undefined
  }
}

/** FNV-1a over the text: spreads neighbouring MACs over the pool. */
function hashOf(mac: Mac): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < mac.length; index += 1) {
    hash = Math.imul(hash ^ mac.charCodeAt(index), 0x01000193) >>> 0
  }
  return hash
}

function optionalLease(row: unknown): Lease | undefined {
  return row === undefined ? undefined : leaseOf(row as Row)
}

function leaseOf(row: Row): Lease {
  return {
    subnet: row.subnet,
    mac: row.mac,
    address: row.address,
    state: row.state,
    grantedAtMs: row.granted_at_ms,
    expiresAtMs: row.expires_at_ms,
    ...given('clientId', row.client_id),
  }
}

function optionalOffer(row: unknown): Offer | undefined {
  if (row === undefined) return undefined
  const { subnet, mac, address, expires_at_ms: expiresAtMs } = row as Row
  return { subnet, mac, address, expiresAtMs } as Offer
}
