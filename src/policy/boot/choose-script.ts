import type { BootAttempt } from '../../model/boot-attempt.ts'
import type { Cluster, FleetHold } from '../../model/cluster.ts'
import { isHeldByServer, type Machine } from '../../model/machine.ts'
import type { ImageLack } from '../image/image-for-boot.ts'
import type { FindingCode } from '../image/preflight.ts'

/** What a machine that asks for its script gets, and the word that says why. */
export type ScriptChoice =
  | { readonly kind: 'image'; readonly reason: 'armed' }
  | { readonly kind: 'local-disk'; readonly reason: LocalReason }
  | { readonly kind: 'parking'; readonly reason: ParkingReason }

type LocalReason = 'local-mode' | 'already-installed'

export type ParkingReason =
  | 'not-accepted'
  | 'held'
  | 'held-by-server'
  | 'failed'
  | 'not-armed'
  | 'arm-expired'
  | ImageLack
  | FindingCode
  | 'no-cluster'
  | 'cluster-held'
  | 'already-redeemed'
  | 'ready-not-rearmed'
  | 'address-not-leased'
  | 'address-not-stated'
  | 'image-queue'
  | 'still-member'

/** The sentence that the console shows for each reason to wait: what is missing, and what cures it. */
export const PARKING_SENTENCES: { readonly [Reason in ParkingReason]: string } = {
  'not-accepted': 'nobody has accepted this machine yet (pilotlight machine add)',
  held: 'an operator holds it (pilotlight machine release)',
  'held-by-server':
    'it is not as it was, or boots in a circle: look at it, then arm it (pilotlight machine arm)',
  failed: 'its last boot failed; arm it again (pilotlight machine arm)',
  'not-armed': 'it is not armed (pilotlight machine arm)',
  'arm-expired': 'its arm has expired (pilotlight machine arm)',
  'no-image': 'no image is assigned to it (pilotlight machine edit --image)',
  'image-not-promoted': 'no version of its image is promoted (pilotlight image promote)',
  'image-withdrawn': 'its image was withdrawn because its files are damaged (pilotlight image show)',
  'image-retired': 'its image is retired (pilotlight machine edit --image)',
  'wrong-architecture': 'its image is for another architecture (pilotlight machine edit --image)',
  'image-too-large': 'its image is too large for its firmware (pilotlight image show)',
  'too-little-memory': 'it has too little memory for its image (pilotlight machine show)',
  'command-line-too-long': 'its kernel command line is too long (pilotlight machine edit --kernel-argument)',
  'no-cluster': 'it belongs to no cluster (pilotlight machine edit --cluster)',
  'cluster-held': 'an operator holds its cluster (pilotlight cluster release, fleet release)',
  'already-redeemed': 'an earlier boot took its configuration; arm it again (pilotlight machine arm)',
  'ready-not-rearmed': 'it was ready before and is not armed again (pilotlight machine arm)',
  'address-not-leased': 'it asks from an address that is not its lease; check its network ports',
  'address-not-stated':
    'it asks from an address that is stated for another machine, or not the one stated for it (pilotlight machine edit --address)',
  'image-queue': 'all image streams are taken',
  'still-member':
    'its old member is not out of the cluster yet, and an installation would wipe its data (pilotlight cluster show)',
}

/** A hold of the cluster or the fleet at no step in particular stops machines before they boot. */
export function isClusterHeldWhole(cluster: Cluster | undefined, fleet: FleetHold | undefined): boolean {
  if (fleet !== undefined && fleet.step === undefined) return true
  return cluster?.held === true && cluster.holdStep === undefined
}

/** What the choice is made from. */
export interface ScriptQuestion {
  readonly machine: Machine | undefined
  /** Why there is no image to boot; undefined: there is one. */
  readonly imageLack: ImageLack | FindingCode | undefined
  readonly hasCluster: boolean
  /** An operator holds its cluster, or every machine there is. */
  readonly isClusterHeld: boolean
  /** Its disk holds the data of a member that may still be in its groups (`diskMemberOf`). */
  readonly isMemberOnDisk?: boolean
  /** The boot that it redeemed last put its system on its disk. */
  readonly isInstalled?: boolean
  readonly attempt: BootAttempt | undefined
  /** True when the address that asks is this machine's: its lease, or what stands for one where another server leases. */
  readonly isOwnAddress: boolean
  /** True when another server leases the address that asks. */
  readonly isForeign?: boolean
  readonly nowMs: number
}

/** States that a report of the boot before may have brought about after an arm. */
const OVERTAKEN: ReadonlySet<Machine['state']> = new Set(['first-boot', 'ready', 'failed'])

/** The one table of design §5: state and boot mode -> image, parking or local disk. */
export function chooseScript(question: ScriptQuestion): ScriptChoice {
  const { machine } = question
  if (machine === undefined) return { kind: 'parking', reason: 'not-accepted' }
  // An arm that nobody spent counts, whatever a late report of the boot before made of the state.
  const isArmed = machine.armedUntilMs !== undefined && machine.armedUntilMs > question.nowMs
  if (isArmed && machine.bootMode === 'netboot' && OVERTAKEN.has(machine.state)) {
    return imageWhenComplete(question, machine)
  }
  switch (machine.state) {
    case 'discovered':
      return { kind: 'parking', reason: 'not-accepted' }
    case 'held':
      return { kind: 'parking', reason: isHeldByServer(machine) ? 'held-by-server' : 'held' }
    case 'failed':
      // Its system is on its disk, where its steps are tried again.
      return machine.bootMode === 'install' && question.isInstalled === true
        ? { kind: 'local-disk', reason: 'already-installed' }
        : { kind: 'parking', reason: 'failed' }
    case 'enrolled':
      return machine.bootMode === 'local'
        ? { kind: 'local-disk', reason: 'local-mode' }
        : { kind: 'parking', reason: 'not-armed' }
    case 'armed':
    case 'booting':
      return machine.bootMode === 'local'
        ? { kind: 'local-disk', reason: 'local-mode' }
        : imageWhenComplete(question, machine)
    case 'first-boot':
      // The token is spent and its boot is under way; a script asked for now means that the machine began again.
      return machine.bootMode === 'local'
        ? { kind: 'local-disk', reason: 'local-mode' }
        : { kind: 'parking', reason: 'already-redeemed' }
    case 'installed':
      return { kind: 'local-disk', reason: 'already-installed' }
    case 'ready':
      return machine.bootMode === 'netboot'
        ? { kind: 'parking', reason: 'ready-not-rearmed' }
        : { kind: 'local-disk', reason: 'already-installed' }
  }
}

function imageWhenComplete(question: ScriptQuestion, machine: Machine): ScriptChoice {
  if (machine.armedUntilMs === undefined || machine.armedUntilMs <= question.nowMs) {
    return { kind: 'parking', reason: 'arm-expired' }
  }
  if (question.imageLack !== undefined) return { kind: 'parking', reason: question.imageLack }
  if (!question.hasCluster) return { kind: 'parking', reason: 'no-cluster' }
  if (question.isClusterHeld) return { kind: 'parking', reason: 'cluster-held' }
  if (!question.isOwnAddress)
    return { kind: 'parking', reason: question.isForeign ? 'address-not-stated' : 'address-not-leased' }
  if (machine.bootMode === 'install' && question.isMemberOnDisk === true)
    return { kind: 'parking', reason: 'still-member' }
  return { kind: 'image', reason: 'armed' }
}
