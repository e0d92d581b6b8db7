import type { Machine, MachineState } from '../../model/machine.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'
import type { Db } from '../open-database.ts'
import { given, type Row } from './rows.ts'

const COLUMNS = `machine_id, name, uuid, serial, role, state, cluster_id, image_id, boot_mode, local_boot, loader,
  reserved_address, armed_until_ms, current_boot_id, created_at_ms`

const PUT = `
  INSERT INTO machine (${COLUMNS}) VALUES (@id, @name, @uuid, @serial, @role, @state, @clusterId, @imageId, @bootMode,
    @localBoot, @loader, @reservedAddress, @armedUntilMs, @currentBootId, @createdAtMs)
  ON CONFLICT (machine_id) DO UPDATE SET name = @name, uuid = @uuid, serial = @serial, role = @role, state = @state,
    cluster_id = @clusterId, image_id = @imageId, boot_mode = @bootMode, local_boot = @localBoot, loader = @loader,
    reserved_address = @reservedAddress, armed_until_ms = @armedUntilMs, current_boot_id = @currentBootId`

/** Machines and their MACs. Reads by MAC come from a cache that the store throws away on any rollback. */
export class MachinesTable {
  readonly #byMac = new Map<Mac, Machine | undefined>()
  readonly #statements

  constructor(db: Db) {
    this.#statements = {
      macs: db.prepare('SELECT mac FROM machine_mac WHERE machine_id = ? ORDER BY position').pluck(),
      idOfMac: db.prepare('SELECT machine_id FROM machine_mac WHERE mac = ?').pluck(),
      byId: db.prepare(`SELECT ${COLUMNS} FROM machine WHERE machine_id = ?`),
      byName: db.prepare(`SELECT ${COLUMNS} FROM machine WHERE name = ?`),
      byReserved: db.prepare(`SELECT ${COLUMNS} FROM machine WHERE reserved_address = ?`),
      ofCluster: db.prepare(`SELECT ${COLUMNS} FROM machine WHERE cluster_id = ? ORDER BY name`),
      list: db.prepare(`SELECT ${COLUMNS} FROM machine WHERE name > ? ORDER BY name LIMIT ?`),
      put: db.prepare(PUT),
      deleteMacs: db.prepare('DELETE FROM machine_mac WHERE machine_id = ?'),
      putMac: db.prepare('INSERT INTO machine_mac (mac, machine_id, position) VALUES (?, ?, ?)'),
      delete: db.prepare('DELETE FROM machine WHERE machine_id = ?'),
      setState: db.prepare('UPDATE machine SET state = ? WHERE machine_id = ?'),
      arm: db.prepare('UPDATE machine SET armed_until_ms = ? WHERE machine_id = ?'),
      setCurrentBoot: db.prepare('UPDATE machine SET current_boot_id = ? WHERE machine_id = ?'),
      noteIdentity: db.prepare(
        'UPDATE machine SET uuid = coalesce(uuid, ?), serial = coalesce(serial, ?) WHERE machine_id = ?',
      ),
    }
  }

  byMac(mac: Mac): Machine | undefined {
    if (this.#byMac.has(mac)) return this.#byMac.get(mac)
    const machine = this.byMacUncached(mac)
    if (machine !== undefined) this.#byMac.set(mac, machine)
    return machine
  }

  /** Past the cache: for the connection of the lists, which nobody tells of changes. */
  byMacUncached(mac: Mac): Machine | undefined {
    const id = this.#statements.idOfMac.get(mac) as string | undefined
    return id === undefined ? undefined : this.byId(id)
  }

  byId(id: string): Machine | undefined {
    return this.#optional(this.#statements.byId.get(id))
  }

  byName(name: string): Machine | undefined {
    return this.#optional(this.#statements.byName.get(name))
  }

  /** The machine whose reservation the address is. */
  byReservedAddress(address: Ipv4): Machine | undefined {
    return this.#optional(this.#statements.byReserved.get(address))
  }

  ofCluster(clusterId: string): readonly Machine[] {
    return this.#statements.ofCluster.all(clusterId).map((row) => this.#machineOf(row as Row))
  }

  /** Machines after a name, in the order of names. */
  list(afterName: string, limit: number): readonly Machine[] {
    return this.#statements.list.all(afterName, limit).map((row) => this.#machineOf(row as Row))
  }

  put(machine: Machine): void {
    const { macs, ...fields } = machine
    this.#statements.put.run({ ...NO_OPTIONALS, ...fields })
    this.#statements.deleteMacs.run(machine.id)
    macs.forEach((mac, position) => {
      this.#statements.putMac.run(mac, machine.id, position)
    })
    this.forgetCache()
  }

  /** A MAC that nobody has registered becomes a machine that nobody has accepted. */
  discover(machineId: string, mac: Mac, atMs: number): void {
    this.put({
      id: machineId,
      name: `discovered-${mac.replaceAll(':', '')}`,
      macs: [mac],
      role: 'worker',
      state: 'discovered',
      bootMode: 'netboot',
      localBoot: 'exit',
      createdAtMs: atMs,
    })
  }

  delete(machineId: string): void {
    this.#statements.delete.run(machineId)
    this.forgetCache()
  }

  setState(machineId: string, state: MachineState): void {
    this.#statements.setState.run(state, machineId)
    this.forgetCache()
  }

  arm(machineId: string, untilMs: number | undefined): void {
    this.#statements.arm.run(untilMs ?? null, machineId)
    this.forgetCache()
  }

  setCurrentBoot(machineId: string, bootId: string): void {
    this.#statements.setCurrentBoot.run(bootId, machineId)
    this.forgetCache()
  }

  noteIdentity(machineId: string, uuid: string | undefined, serial: string | undefined): void {
    this.#statements.noteIdentity.run(uuid ?? null, serial ?? null, machineId)
    this.forgetCache()
  }

  forgetCache(): void {
    this.#byMac.clear()
  }

  #optional(row: unknown): Machine | undefined {
    return row === undefined ? undefined : this.#machineOf(row as Row)
  }

  #machineOf(row: Row): Machine {
    return {
      id: row.machine_id,
      name: row.name,
      macs: this.#statements.macs.all(row.machine_id) as Mac[],
      role: row.role,
      state: row.state,
      bootMode: row.boot_mode,
      localBoot: row.local_boot,
      createdAtMs: row.created_at_ms,
      ...given('uuid', row.uuid),
      ...given('serial', row.serial),
      ...given('clusterId', row.cluster_id),
      ...given('imageId', row.image_id),
      ...given('loader', row.loader),
      ...given('reservedAddress', row.reserved_address),
      ...given('armedUntilMs', row.armed_until_ms),
      ...given('currentBootId', row.current_boot_id),
    }
  }
}

const NO_OPTIONALS = {
  uuid: null,
  serial: null,
  clusterId: null,
  imageId: null,
  loader: null,
  reservedAddress: null,
  armedUntilMs: null,
  currentBootId: null,
}
