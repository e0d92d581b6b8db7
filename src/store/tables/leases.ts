import type { Lease } from '../../model/lease.ts'
import { type Ipv4, type Ipv4Range, ipv4FromNumber, ipv4ToNumber } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'
import type { Db } from '../open-database.ts'
import { LeaseIndex } from './lease-index.ts'
import { LEASE_COLUMNS, leaseOf, optionalLease } from './lease-row.ts'
import type { Offers } from './offers.ts'
import { PoolMap } from './pool-map.ts'
import type { QuarantinesTable } from './quarantines.ts'
import { RowCache } from './row-cache.ts'
import type { Row } from './rows.ts'

/** Bound by position, as all that a storm of machines writes: a name costs a look into the object, and a string. */
const PUT = `
  INSERT INTO lease (subnet, mac, address, address_no, state, granted_at_ms, expires_at_ms, client_id, server_id)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (subnet, mac) DO UPDATE SET address = excluded.address, address_no = excluded.address_no,
    state = excluded.state, granted_at_ms = excluded.granted_at_ms, expires_at_ms = excluded.expires_at_ms,
    client_id = excluded.client_id, server_id = excluded.server_id`

/** A client that keeps its address: nothing is written to the indexes by address and by MAC. */
const RENEW = `
  UPDATE lease SET state = ?, granted_at_ms = ?, expires_at_ms = ?, client_id = ?, server_id = ?
  WHERE subnet = ? AND mac = ?`

/**
 * An address has one row. What ended there before makes room for a new lease; a lease of another client that is still
 * in force stays, and the UNIQUE index then refuses the new one.
 */
const MAKE_ROOM = `
  DELETE FROM lease WHERE address_no = @addressNo AND NOT (subnet = @subnet AND mac = @mac)
    AND (mac = @mac OR state = 'released' OR expires_at_ms <= @grantedAtMs)`

/** Of the addresses of a range that were leased once, those whose lease ended longest ago come first. */
const ENDED = `
  SELECT ${LEASE_COLUMNS} FROM lease AS ended
  WHERE subnet = @subnet AND expires_at_ms <= @nowMs AND address_no BETWEEN @first AND @last
    AND NOT EXISTS (
      SELECT 1 FROM quarantine WHERE quarantine.address = ended.address AND quarantine.until_ms > @nowMs)
    AND NOT EXISTS (SELECT 1 FROM machine WHERE machine.reserved_address = ended.address)
  ORDER BY expires_at_ms`

const HELD = `
  SELECT count(*) FROM lease
  WHERE subnet = @subnet AND expires_at_ms > @nowMs AND address_no BETWEEN @first AND @last`

/** Never-leased addresses that are looked at for one client; all of them offered or reserved is a flood. */
const MOST_PROBES = 1024

/** What a walk through a pool must know beside the pool. */
export interface PoolWalk {
  readonly nowMs: number
  /** Addresses that are not for clients: the server's, the router's. */
  readonly avoid: ReadonlySet<Ipv4>
  isReserved(address: Ipv4): boolean
  /** True while a lease keeps its address from others, though its time may be over. */
  isHeld(lease: Lease): boolean
}

/** Leases. What is read for every message is remembered: see `RowCache`. */
export class LeasesTable {
  readonly #pools = new Map<string, PoolMap>()
  readonly #offers: Offers
  readonly #quarantines: QuarantinesTable
  readonly #mostCached: number
  /** By subnet and MAC. */
  readonly #byClient = new Map<string, RowCache<Mac, Lease>>()
  readonly #byAddress: RowCache<Ipv4, Lease>
  readonly #index: LeaseIndex | undefined
  readonly #statements

  constructor(db: Db, offers: Offers, quarantines: QuarantinesTable, mostCached: number) {
    this.#offers = offers
    this.#quarantines = quarantines
    this.#mostCached = mostCached
    this.#byAddress = new RowCache(mostCached)
    this.#statements = {
      byMac: db.prepare(`SELECT ${LEASE_COLUMNS} FROM lease WHERE subnet = ? AND mac = ?`),
      atAddress: db.prepare(`SELECT ${LEASE_COLUMNS} FROM lease WHERE address_no = ?`),
      list: db.prepare(
        `SELECT ${LEASE_COLUMNS} FROM lease WHERE (subnet, mac) > (?, ?) ORDER BY subnet, mac LIMIT ?`,
      ),
      ofMac: db.prepare(`SELECT ${LEASE_COLUMNS} FROM lease WHERE mac = ?`),
      put: db.prepare(PUT),
      renew: db.prepare(RENEW),
      makeRoom: db.prepare(MAKE_ROOM),
      release: db.prepare(
        "UPDATE lease SET state = 'released', expires_at_ms = min(expires_at_ms, ?) WHERE subnet = ? AND mac = ?",
      ),
      strays: db.prepare(
        `SELECT ${LEASE_COLUMNS} FROM lease WHERE address_no BETWEEN ? AND ? AND subnet <> ? ORDER BY expires_at_ms`,
      ),
      adopt: db.prepare('UPDATE lease SET subnet = ? WHERE address_no = ?'),
      remove: db.prepare('DELETE FROM lease WHERE address_no = ?'),
      ended: db.prepare(ENDED),
      leasedIn: db.prepare('SELECT address_no FROM lease WHERE address_no BETWEEN ? AND ?').pluck(),
      held: db.prepare(HELD).pluck(),
      rowsOfMacs: db.prepare('SELECT mac, count(*) FROM lease GROUP BY mac').raw(),
      rowsAt: db.prepare('SELECT address_no FROM lease').pluck(),
    }
    const { rowsOfMacs, rowsAt } = this.#statements
    if (mostCached === 0) return
    this.#index = new LeaseIndex({
      macs: () => rowsOfMacs.all() as [Mac, number][],
      addresses: () => rowsAt.all() as number[],
    })
  }

  byMac(subnet: string, mac: Mac): Lease | undefined {
    if (this.#index?.hasMac(mac) === false) return undefined
    return this.#clientsOf(subnet).get(mac, () => optionalLease(this.#statements.byMac.get(subnet, mac)))
  }

  /** The client's lease rows in all subnets, ended ones included. */
  ofMac(mac: Mac): readonly Lease[] {
    return this.#statements.ofMac.all(mac).map((row) => leaseOf(row as Row))
  }

  /** The lease row at an address, in force or ended. */
  atAddress(address: Ipv4): Lease | undefined {
    if (this.#index?.hasAddress(address) === false) return undefined
    return this.#byAddress.get(address, () =>
      optionalLease(this.#statements.atAddress.get(ipv4ToNumber(address))),
    )
  }

  /** The lease of an address that is in force now. */
  activeAt(address: Ipv4, nowMs: number): Lease | undefined {
    const lease = this.atAddress(address)
    return lease?.state === 'active' && lease.expiresAtMs > nowMs ? lease : undefined
  }

  list(afterSubnet: string, afterMac: string, limit: number): readonly Lease[] {
    return this.#statements.list.all(afterSubnet, afterMac, limit).map((row) => leaseOf(row as Row))
  }

  /** Writes a lease; another client's lease at the address that is in force makes it a Conflict. */
  put(lease: Lease): void {
    const { subnet, mac, address } = lease
    const before = this.byMac(subnet, mac)
    if (before?.address === address) this.#renew(lease)
    else this.#move(lease, before)
    this.#clientsOf(subnet).put(mac, lease)
    this.#byAddress.put(address, lease)
  }

  /** Called after COMMIT: from now on the address is not among those that were never leased. */
  noteCommitted(lease: Lease): void {
    for (const map of this.#pools.values()) map.mark(ipv4ToNumber(lease.address))
  }

  release(subnet: string, mac: Mac, atMs: number): void {
    const lease = this.byMac(subnet, mac)
    this.#statements.release.run(atMs, subnet, mac)
    this.#clientsOf(subnet).forget(mac)
    if (lease !== undefined) this.#byAddress.forget(lease.address)
  }

  /** Makes the leases of a range a subnet's own; of several of one client the one that ends last stays. */
  adopt(subnet: string, { first, last }: Ipv4Range): void {
    const strays = this.#statements.strays.all(ipv4ToNumber(first), ipv4ToNumber(last), subnet)
    for (const stray of strays.map((row) => leaseOf(row as Row))) {
      const own = this.byMac(subnet, stray.mac)
      const ends = own === undefined ? undefined : own.expiresAtMs > stray.expiresAtMs ? stray : own
      if (ends !== undefined) this.#remove(ends)
      if (ends !== stray) this.#statements.adopt.run(subnet, ipv4ToNumber(stray.address))
      for (const key of [subnet, stray.subnet]) this.#clientsOf(key).forget(stray.mac)
      this.#byAddress.forget(stray.address)
    }
  }

  /** How many addresses of a range somebody holds now. */
  heldIn(subnet: string, pool: Ipv4Range, nowMs: number): number {
    const first = ipv4ToNumber(pool.first)
    const last = ipv4ToNumber(pool.last)
    return this.#statements.held.get({ subnet, nowMs, first, last }) as number
  }

  /**
   * A free address of a pool for a client without a history: from hash(MAC) on the first that was never leased, else
   * the one whose lease ended longest ago. As fast in a /15 that is nearly full as in one that is empty.
   */
  poolCandidate(subnet: string, pool: Ipv4Range, mac: Mac, walk: PoolWalk): Ipv4 | undefined {
    const { avoid, nowMs, isHeld, isReserved } = walk
    const first = ipv4ToNumber(pool.first)
    const last = ipv4ToNumber(pool.last)
    let probes = 0
    for (const number of this.#poolMap(first, last).unmarkedFrom(hashOf(mac))) {
      const address = ipv4FromNumber(number)
      if (!avoid.has(address) && this.#isUntouched(address, nowMs) && !isReserved(address)) return address
      probes += 1
      if (probes === MOST_PROBES) break
    }
    for (const row of this.#statements.ended.iterate({ subnet, nowMs, first, last })) {
      const ended = leaseOf(row as Row)
      const isOffered = (this.#offers.at(ended.address)?.expiresAtMs ?? 0) > nowMs
      if (!isOffered && !avoid.has(ended.address) && !isHeld(ended)) return ended.address
    }
    return undefined
  }

  /** Called after COMMIT. */
  settle(): void {
    this.#index?.settle()
  }

  /** Called after a rollback. */
  forgetCache(): void {
    this.#index?.forgetChanges()
    this.#byClient.clear()
    this.#byAddress.forgetAll()
  }

  #clientsOf(subnet: string): RowCache<Mac, Lease> {
    const known = this.#byClient.get(subnet)
    if (known !== undefined) return known
    const cache = new RowCache<Mac, Lease>(this.#mostCached)
    this.#byClient.set(subnet, cache)
    return cache
  }

  #renew({ subnet, mac, state, grantedAtMs, expiresAtMs, clientId, serverId }: Lease): void {
    const { changes } = this.#statements.renew.run(
      ...[state, grantedAtMs, expiresAtMs, clientId ?? null, serverId ?? null, subnet, mac],
    )
    if (changes !== 1) throw new Error(`the lease of ${mac} in ${subnet} is remembered and has no row`)
  }

  /** Gives a client an address that it did not have. */
  #move(lease: Lease, before: Lease | undefined): void {
    const { subnet, mac, address, state, grantedAtMs, expiresAtMs, clientId, serverId } = lease
    const addressNo = ipv4ToNumber(address)
    const ended = this.atAddress(address)
    if (ended !== undefined) this.#makeRoom({ subnet, mac, addressNo, grantedAtMs }, ended)
    // Should this be undone, the old address only looks as if it had never been leased, and is looked up again.
    if (before !== undefined) {
      for (const map of this.#pools.values()) map.clear(ipv4ToNumber(before.address))
      this.#byAddress.forget(before.address)
    }
    this.#statements.put.run(
      ...[
        subnet,
        mac,
        address,
        addressNo,
        state,
        grantedAtMs,
        expiresAtMs,
        clientId ?? null,
        serverId ?? null,
      ],
    )
    this.#index?.put(mac, address, before?.address)
  }

  #remove({ mac, address }: Lease): void {
    this.#statements.remove.run(ipv4ToNumber(address))
    for (const map of this.#pools.values()) map.clear(ipv4ToNumber(address))
    this.#byAddress.forget(address)
    this.#index?.drop(mac, address)
  }

  /** What ended at an address goes; a lease of another client that is in force stays in the way. */
  #makeRoom(row: Record<string, unknown>, ended: Lease): void {
    const { changes } = this.#statements.makeRoom.run(row)
    this.#clientsOf(ended.subnet).forget(ended.mac)
    if (changes > 0) this.#index?.drop(ended.mac, ended.address)
  }

  #poolMap(first: number, last: number): PoolMap {
    const key = `${first}-${last}`
    const known = this.#pools.get(key)
    if (known !== undefined) return known
    const map = new PoolMap(first, last, this.#statements.leasedIn.all(first, last) as number[])
    this.#pools.set(key, map)
    return map
  }

  /** True when the address has no lease row, no offer and no quarantine. */
  #isUntouched(address: Ipv4, nowMs: number): boolean {
    if (this.atAddress(address) !== undefined) return false
    if ((this.#offers.at(address)?.expiresAtMs ?? 0) > nowMs) return false
    return (this.#quarantines.untilMs(address) ?? 0) <= nowMs
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
