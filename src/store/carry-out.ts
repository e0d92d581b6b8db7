import type { Effect } from '../policy/effect.ts'
import type { Tables } from './tables/tables.ts'

type Executors = {
  readonly [Kind in Effect['kind']]: (tables: Tables, effect: Extract<Effect, { kind: Kind }>) => void
}

/** One line an effect. The store decides nothing: what an effect says is what is written. */
const EXECUTORS: Executors = {
  'put-offer': ({ leases }, { offer }) => leases.putOffer(offer),
  'drop-offer': ({ leases }, { subnet, mac }) => leases.dropOffer(subnet, mac),
  'put-lease': ({ leases }, { lease }) => leases.put(lease),
  'release-lease': ({ leases }, { subnet, mac, atMs }) => leases.release(subnet, mac, atMs),
  'quarantine-address': ({ leases }, { subnet, address, untilMs, why }) =>
    leases.quarantine(subnet, address, untilMs, why),
  'discover-machine': ({ machines }, { machineId, mac, atMs }) => machines.discover(machineId, mac, atMs),
  'begin-attempt': ({ attempts }, { attempt }) => attempts.begin(attempt),
  'end-attempt': ({ attempts }, { bootId, end, atMs }) => attempts.end(bootId, end, atMs),
  'reach-stage': ({ attempts }, { bootId, stage, atMs, bytes, retries }) =>
    attempts.reachStage(bootId, stage, atMs, bytes, retries),
  'loader-override-sent': ({ attempts }, { bootId, atMs }) => attempts.loaderSent(bootId, atMs),
  'mint-boot-token': ({ redemptions }, effect) => redemptions.mint(effect),
  'set-machine-state': ({ machines }, { machineId, state }) => machines.setState(machineId, state),
  'note-identity': ({ machines }, { machineId, uuid, serial }) =>
    machines.noteIdentity(machineId, uuid, serial),
  redeem: ({ redemptions, attempts }, { redemption, configText, atMs }) => {
    const machineId = attempts.byId(redemption.bootId)?.machineId
    if (machineId === undefined) throw new Error(`boot ${redemption.bootId} redeems and does not exist`)
    redemptions.redeem(redemption, machineId, configText, atMs)
  },
  'forget-sealed-config': ({ redemptions }, { bootId }) => redemptions.forgetConfig(bootId),
  'revoke-boot-tokens': ({ redemptions }, { machineId, atMs }) => redemptions.revokeOf(machineId, atMs),
  'make-attempt-current': ({ attempts, machines }, { bootId, machineId, atMs }) => {
    attempts.makeCurrent(bootId, machineId, atMs)
    machines.setCurrentBoot(machineId, bootId)
  },
  'bind-attempt-epoch': ({ attempts }, { bootId, epoch }) => attempts.bindEpoch(bootId, epoch),
  'heard-from': ({ attempts }, { bootId, atMs }) => attempts.heard(bootId, atMs),
  'put-step': ({ attempts }, { record }) => attempts.putStep(record),
  'note-clock': ({ attempts }, { bootId, skewMs, atMs }) => attempts.noteClock(bootId, skewMs, atMs),
  'put-founding': ({ clusters }, { clusterId, founding }) => clusters.putFounding(clusterId, founding),
  'put-member': ({ membership }, { member }) => membership.putMember(member),
  'put-slot': ({ membership }, { slot }) => membership.putSlot(slot),
  'queue-for-slot': ({ membership }, { entry }) => membership.queueUp(entry),
  'leave-queue': ({ membership }, { clusterId, step, machineId }) =>
    membership.leaveQueue(clusterId, step, machineId),
  'put-service-founding': ({ membership }, { row }) => membership.putServiceFounding(row),
  'put-probe': ({ clusters }, { clusterId, probe }) => clusters.putProbe(clusterId, probe),
  'put-cluster-secret': ({ secrets }, { clusterId, name, text }) =>
    secrets.putClusterSecret(clusterId, name, text),
  'put-machine': ({ machines }, { machine }) => machines.put(machine),
  'delete-machine': ({ machines }, { machineId }) => machines.delete(machineId),
  'arm-machine': ({ machines }, { machineId, untilMs }) => machines.arm(machineId, untilMs),
  'put-cluster': ({ clusters }, { cluster }) => clusters.put(cluster),
  'put-image': ({ images }, { image, directory }) => images.put(image, directory),
  'append-event': ({ events }, { event }) => events.append(event),
}

/** Writes one effect, inside the savepoint of the unit that decided it. */
export function carryOut(tables: Tables, effect: Effect): void {
  const execute = EXECUTORS[effect.kind] as (tables: Tables, effect: Effect) => void
  execute(tables, effect)
}
