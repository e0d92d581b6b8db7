import type { AcceptedIdentity, HoldReason, Machine, MachineState } from '../../model/machine.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'
import type { Db } from '../open-database.ts'
import { RowCache } from './row-cache.ts'
import { given, type Row } from './rows.ts'
import { WholeIndex } from './whole-index.ts'

const COLUMNS = `machine_id, name, uuid, serial, role, state, cluster_id, image_id, image_name, ram_mib,
  kernel_arguments, boot_mode, local_boot, loader,
  dhcp_options, reserved_address, armed_until_ms, current_boot_id, hold_reason, hold_step, extra_config, accepted_as,
  created_at_ms`

const PUT = `
  INSERT INTO machine (${COLUMNS}) VALUES (@id, @name, @uuid, @serial, @role, @state, @clusterId, @imageId, @imageName,
    @ramMib, @kernelArguments, @bootMode,
    @localBoot, @loader, @dhcpOptions, @reservedAddress, @armedUntilMs, @currentBootId, @holdReason, @holdStep,
    @extraConfig, @acceptedAs, @createdAtMs)
  ON CONFLICT (machine_id) DO UPDATE SET name = @name, uuid = @uuid, serial = @serial, role = @role, state = @state,
    cluster_id = @clusterId, image_id = @imageId, image_name = @imageName, ram_mib = @ramMib,
    kernel_arguments = @kernelArguments, boot_mode = @bootMode, local_boot = @localBoot, loader = @loader,
    dhcp_options = @dhcpOptions, reserved_address = @reservedAddress, armed_until_ms = @armedUntilMs,
    current_boot_id = @currentBootId, hold_reason = @holdReason, hold_step = @holdStep, extra_config = @extraConfig,
    accepted_as = @acceptedAs`

/** Machines and their MACs. What is read for every packet is remembered: see `RowCache`. */
export class MachinesTable {
  /** Which machine each MAC is. */
  readonly #macs: WholeIndex<Mac, string> | undefined
  /** Whose reservation an address is. */
  readonly #reservedFor: WholeIndex<Ipv4, string> | undefined
  readonly #byId: RowCache<string, Machine>
  readonly #statements

  constructor(db: Db, mostCached: number) {
    this.#byId = new RowCache(mostCached, false)
    this.#statements = {
      // `+?`: where a bare parameter could make the order simpler, SQLite compiles the statement anew for each value.
      macs: db.prepare('SELECT mac FROM machine_mac WHERE machine_id = +? ORDER BY position').pluck(),
      allMacs: db.prepare('SELECT mac, machine_id FROM machine_mac').raw(),
      idOfMac: db.prepare('SELECT machine_id FROM machine_mac WHERE mac = ?').pluck(),
      byId: db.prepare(`SELECT ${COLUMNS} FROM machine WHERE machine_id = ?`),
      byName: db.prepare(`SELECT ${COLUMNS} FROM machine WHERE name = ?`),
      byReserved: db.prepare(`SELECT ${COLUMNS} FROM machine WHERE reserved_address = ?`),
      reservedFor: db.prepare('SELECT machine_id FROM machine WHERE reserved_address = ?').pluck(),
      allReserved: db
        .prepare('SELECT reserved_address, machine_id FROM machine WHERE reserved_address IS NOT NULL')
        .raw(),
      reservation: db.prepare('SELECT reserved_address FROM machine WHERE machine_id = ?').pluck(),
      ofCluster: db.prepare(`SELECT ${COLUMNS} FROM machine WHERE cluster_id = ? ORDER BY name`),
      list: db.prepare(`SELECT ${COLUMNS} FROM machine WHERE name > ? ORDER BY name LIMIT ?`),
      discoveredSince: db
        .prepare("SELECT count(*) FROM machine WHERE state = 'discovered' AND created_at_ms > ?")
        .pluck(),
      put: db.prepare(PUT),
      deleteMacs: db.prepare('DELETE FROM machine_mac WHERE machine_id = ?'),
      putMac: db.prepare('INSERT INTO machine_mac (mac, machine_id, position) VALUES (?, ?, ?)'),
      delete: db.prepare('DELETE FROM machine WHERE machine_id = ?'),
      setState: db.prepare('UPDATE machine SET state = ? WHERE machine_id = ?'),
      arm: db.prepare('UPDATE machine SET armed_until_ms = ? WHERE machine_id = ?'),
      setCurrentBoot: db.prepare('UPDATE machine SET current_boot_id = ? WHERE machine_id = ?'),
      hold: db.prepare('UPDATE machine SET hold_reason = ?, hold_step = ? WHERE machine_id = ?'),
      acceptAs: db.prepare('UPDATE machine SET accepted_as = ? WHERE machine_id = ?'),
      noteIdentity: db.prepare(
        'UPDATE machine SET uuid = coalesce(uuid, ?), serial = coalesce(serial, ?) WHERE machine_id = ?',
      ),
    }
    const { allMacs, allReserved } = this.#statements
    if (mostCached === 0) return
    this.#macs = new WholeIndex(() => allMacs.all() as [Mac, string][])
    this.#reservedFor = new WholeIndex(() => allReserved.all() as [Ipv4, string][])
  }

  /** Whether a MAC is a machine's; costs no query where MACs are remembered. */
  knowsMac(mac: Mac): boolean {
    return this.#idOfMac(mac) !== undefined
  }

  byMac(mac: Mac): Machine | undefined {
    const id = this.#idOfMac(mac)
    return id === undefined ? undefined : this.byId(id)
  }

  byId(id: string): Machine | undefined {
    return this.#byId.get(id, () => this.#optional(this.#statements.byId.get(id)))
  }

  byName(name: string): Machine | undefined {
    return this.#optional(this.#statements.byName.get(name))
  }

  /** The machine whose reservation the address is. */
  byReservedAddress(address: Ipv4): Machine | undefined {
    return this.#optional(this.#statements.byReserved.get(address))
  }

  /** Id of the machine whose reservation the address is. */
  reservedFor(address: Ipv4): string | undefined {
    if (this.#reservedFor !== undefined) return this.#reservedFor.get(address)
    return this.#statements.reservedFor.get(address) as string | undefined
  }

  ofCluster(clusterId: string): readonly Machine[] {
    return this.#statements.ofCluster.all(clusterId).map((row) => this.#machineOf(row as Row))
  }

  /** Machines after a name, in the order of names. */
  list(afterName: string, limit: number): readonly Machine[] {
    return this.#statements.list.all(afterName, limit).map((row) => this.#machineOf(row as Row))
  }

  /** How many machines were discovered after a time and are not accepted yet. */
  discoveredSince(atMs: number): number {
    return this.#statements.discoveredSince.get(atMs) as number
  }

  put(machine: Machine): void {
    const { macs, kernelArguments = [], extraConfig, acceptedAs, dhcpOptions, ...fields } = machine
    this.#forgetWhole(machine.id)
    this.#statements.put.run({
      ...NO_OPTIONALS,
      ...fields,
      dhcpOptions: dhcpOptions === undefined ? null : JSON.stringify(dhcpOptions),
      extraConfig: extraConfig === undefined ? null : JSON.stringify(extraConfig),
      acceptedAs: acceptedAs === undefined ? null : JSON.stringify(acceptedAs),
      kernelArguments: JSON.stringify(kernelArguments),
    })
    this.#dropMacs(machine.id)
    this.#statements.deleteMacs.run(machine.id)
    macs.forEach((mac, position) => {
      this.#statements.putMac.run(mac, machine.id, position)
      this.#macs?.put(mac, machine.id)
    })
    if (machine.reservedAddress !== undefined) this.#reservedFor?.put(machine.reservedAddress, machine.id)
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
    this.#forgetWhole(machineId)
    this.#dropMacs(machineId)
    this.#statements.delete.run(machineId)
  }

  setState(machineId: string, state: MachineState): void {
    this.#statements.setState.run(state, machineId)
    this.#forget(machineId)
  }

  arm(machineId: string, untilMs: number | undefined): void {
    this.#statements.arm.run(untilMs ?? null, machineId)
    this.#forget(machineId)
  }

  setCurrentBoot(machineId: string, bootId: string): void {
    this.#statements.setCurrentBoot.run(bootId, machineId)
    this.#forget(machineId)
  }

  /** Writes why it is held, or at which step it stops; neither: nothing holds it. */
  hold(machineId: string, reason: HoldReason | undefined, step: string | undefined): void {
    this.#statements.hold.run(reason ?? null, step ?? null, machineId)
    this.#forget(machineId)
  }

  acceptAs(machineId: string, identity: AcceptedIdentity): void {
    this.#statements.acceptAs.run(JSON.stringify(identity), machineId)
    this.#forget(machineId)
  }

  noteIdentity(machineId: string, uuid: string | undefined, serial: string | undefined): void {
    this.#statements.noteIdentity.run(uuid ?? null, serial ?? null, machineId)
    this.#forget(machineId)
  }

  /** Called after COMMIT. */
  settle(): void {
    this.#macs?.settle()
    this.#reservedFor?.settle()
  }

  /** Called after a rollback. */
  forgetCache(): void {
    this.#macs?.forgetChanges()
    this.#reservedFor?.forgetChanges()
    this.#byId.forgetAll()
  }

  #idOfMac(mac: Mac): string | undefined {
    if (this.#macs !== undefined) return this.#macs.get(mac)
    return this.#statements.idOfMac.get(mac) as string | undefined
  }

  #dropMacs(machineId: string): void {
    for (const mac of this.#statements.macs.all(machineId)) this.#macs?.drop(mac as Mac)
  }

  #forget(machineId: string): void {
    this.#byId.forget(machineId)
  }

  /** Forgets a machine with the reservation that its row states. */
  #forgetWhole(machineId: string): void {
    this.#forget(machineId)
    const reserved = this.#statements.reservation.get(machineId) as Ipv4 | null | undefined
    if (typeof reserved === 'string') this.#reservedFor?.drop(reserved)
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
      ...given('imageName', row.image_name),
      ...given('ramMib', row.ram_mib),
      ...given('kernelArguments', wordsOf(row.kernel_arguments)),
      ...given('loader', row.loader),
      ...given('dhcpOptions', row.dhcp_options === null ? undefined : JSON.parse(row.dhcp_options)),
      ...given('reservedAddress', row.reserved_address),
      ...given('armedUntilMs', row.armed_until_ms),
      ...given('currentBootId', row.current_boot_id),
      ...given('holdReason', row.hold_reason),
      ...given('holdStep', row.hold_step),
      ...given('extraConfig', parsed(row.extra_config)),
      ...given('acceptedAs', parsed(row.accepted_as)),
    }
  }
}

/** A machine without words of its own has none, rather than an empty list of them. */
function wordsOf(json: string): readonly string[] | undefined {
  const words = JSON.parse(json) as readonly string[]
  return words.length === 0 ? undefined : words
}

const NO_OPTIONALS = {
  uuid: null,
  serial: null,
  clusterId: null,
  imageId: null,
  imageName: null,
  ramMib: null,
  loader: null,
  reservedAddress: null,
  armedUntilMs: null,
  currentBootId: null,
  holdReason: null,
  holdStep: null,
}

function parsed(text: string | null): never {
  return (text === null ? undefined : JSON.parse(text)) as never
}
