import { settledConfigText } from '../policy/diagnosis/drift.ts'
import type { Effect } from '../policy/effect.ts'
import type { Tables } from './tables/tables.ts'

type Executors = {
  readonly [Kind in Effect['kind']]: (tables: Tables, effect: Extract<Effect, { kind: Kind }>) => void
}

/** One line an effect. The store decides nothing: what an effect says is what is written. */
const EXECUTORS: Executors = {
  'put-offer': ({ offers }, { offer }) => offers.put(offer),
  'drop-offer': ({ offers }, { subnet, mac }) => offers.drop(subnet, mac),
  'put-lease': ({ leases }, { lease }) => leases.put(lease),
  'release-lease': ({ leases }, { subnet, mac, atMs }) => leases.release(subnet, mac, atMs),
  'adopt-leases': ({ leases }, { subnet, first, last }) => leases.adopt(subnet, { first, last }),
  'quarantine-address': ({ quarantines }, effect) => quarantines.put(effect),
  'overhear-address': ({ recent }, { mac, address }) => recent.noteOverheard(mac, address),
  'note-verdict': ({ recent }, { address, verdict }) => recent.noteVerdict(address, verdict),
  'note-foreign-server': ({ recent }, { server }) => recent.noteForeignServer(server),
  'note-told': ({ recent }, { type, subject, atMs }) => recent.noteTold(type, subject, atMs),
  'discover-machine': ({ machines }, { machineId, mac, atMs }) => machines.discover(machineId, mac, atMs),
  'begin-attempt': ({ attempts }, { attempt }) => attempts.begin(attempt),
  'end-attempt': ({ attempts }, { bootId, end, atMs }) => attempts.end(bootId, end, atMs),
  'reach-stage': ({ attempts }, { bootId, stage, atMs, bytes, retries }) =>
    attempts.reachStage(bootId, stage, atMs, bytes, retries),
  'note-loader-sent': ({ recent }, { machineId, atMs }) => recent.noteLoaderSent(machineId, atMs),
  'forget-loader-sends': ({ recent }, { machineId }) => recent.forgetLoaderSends(machineId),
  'mark-stalled': ({ attempts }, { bootId, stage, atMs }) => attempts.markStalled(bootId, stage, atMs),
  'note-trace': ({ traces }, { bootId, note }) => traces.note(bootId, note),
  'pin-image': ({ attempts }, { bootId, imageId }) => attempts.pinImage(bootId, imageId),
  'loader-override-sent': ({ attempts }, { bootId, atMs }) => attempts.loaderSent(bootId, atMs),
  'mint-boot-token': ({ redemptions }, effect) => redemptions.mint(effect),
  'extend-boot-tokens': ({ redemptions }, { bootId, atMs, untilMs }) =>
    redemptions.extend(bootId, atMs, untilMs),
  'set-machine-state': ({ machines }, { machineId, state }) => machines.setState(machineId, state),
  'note-identity': ({ machines }, { machineId, uuid, serial }) =>
    machines.noteIdentity(machineId, uuid, serial),
  redeem: ({ redemptions, attempts, machines, clusters }, { redemption, configText, atMs }) => {
    const machineId = attempts.byId(redemption.bootId)?.machineId
    if (machineId === undefined) throw new Error(`boot ${redemption.bootId} redeems and does not exist`)
    const machine = machines.byId(machineId)
    const cluster = clusters.byId(redemption.clusterId)
    if (machine === undefined || cluster === undefined)
      throw new Error(`boot ${redemption.bootId} redeems, and its machine or cluster does not exist`)
    redemptions.redeem(redemption, machineId, configText, settledConfigText(machine, cluster), atMs)
  },
  'forget-sealed-config': ({ redemptions }, { bootId }) => redemptions.forgetConfig(bootId),
  'revoke-boot-tokens': ({ redemptions }, { machineId, atMs }) => redemptions.revokeOf(machineId, atMs),
  'make-attempt-current': ({ attempts, machines }, { bootId, machineId, atMs }) => {
    attempts.makeCurrent(bootId, machineId, atMs)
    machines.setCurrentBoot(machineId, bootId)
  },
  'note-installed': ({ attempts }, { bootId, atMs }) => attempts.noteInstalled(bootId, atMs),
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
  'put-gate-pass': ({ membership }, effect) => membership.putPass(effect),
  'drop-gate-pass': ({ membership }, { clusterId, step, machineId }) =>
    membership.dropPass(clusterId, step, machineId),
  'put-probe': ({ clusters }, { clusterId, probe }) => clusters.putProbe(clusterId, probe),
  'put-cluster-secret': ({ secrets }, { clusterId, name, text }) =>
    secrets.putClusterSecret(clusterId, name, text),
  'forget-cluster-secret': ({ secrets }, { clusterId, name, atMs }) =>
    secrets.forgetClusterSecret(clusterId, name, atMs),
  'put-service-credential': ({ secrets }, { clusterId, service, text }) =>
    secrets.putServiceCredential(clusterId, service, text),
  'drop-service-credential': ({ secrets }, { clusterId, service }) =>
    secrets.dropServiceCredential(clusterId, service),
  'put-machine': ({ machines }, { machine }) => machines.put(machine),
  'put-machine-file': ({ machineFiles }, { machineId, file }) => machineFiles.put(machineId, file),
  'remove-machine-file': ({ machineFiles }, { machineId, path }) => machineFiles.remove(machineId, path),
  'delete-machine': ({ machines, machineFiles, attempts, redemptions }, { machineId }) => {
    machines.delete(machineId)
    // They went with it.
    machineFiles.forgetCache()
    attempts.forgetCache()
    redemptions.forgetCache()
  },
  'arm-machine': ({ machines }, { machineId, untilMs }) => machines.arm(machineId, untilMs),
  'hold-machine': ({ machines }, { machineId, reason, step }) => machines.hold(machineId, reason, step),
  'accept-machine-as': ({ machines }, { machineId, identity }) => machines.acceptAs(machineId, identity),
  'put-fleet-hold': ({ calls }, { hold }) => calls.putFleetHold(hold),
  'remember-answer': ({ calls }, effect) => calls.remember(effect),
  'put-cluster': ({ clusters }, { cluster }) => clusters.put(cluster),
  'put-image': ({ images }, { image }) => images.put(image),
  'put-image-version': ({ images }, { version }) => images.putVersion(version),
  'set-image-state': ({ images }, { imageId, state, why }) => images.setState(imageId, state, why),
  'promote-image': ({ images }, { promotion }) => images.promote(promotion),
  'roll-back-promotion': ({ images }, { seq, atMs }) => images.rollBack(seq, atMs),
  'delete-image': ({ images }, { imageId }) => images.delete(imageId),
  'append-event': ({ events }, { event }) => events.append(event),
  'drop-events': ({ events }, { seqs }) => events.drop(seqs),
  'end-restore': ({ secrets }) => secrets.putMeta('restored_by', ''),
  'note-time': ({ secrets }, { atMs }) => secrets.putMeta('last_time_ms', String(atMs)),
}

/** Writes one effect, inside the transaction of the unit that decided it. */
export function carryOut(tables: Tables, effect: Effect): void {
  const execute = EXECUTORS[effect.kind] as (tables: Tables, effect: Effect) => void
  execute(tables, effect)
}
