import type { BootAttempt } from '../../model/boot-attempt.ts'
import type { Machine } from '../../model/machine.ts'

/** What a machine that asks for its script gets, and the word that says why. */
export type ScriptChoice =
  | { readonly kind: 'image'; readonly reason: 'armed' }
  | { readonly kind: 'local-disk'; readonly reason: LocalReason }
  | { readonly kind: 'parking'; readonly reason: ParkingReason }

type LocalReason = 'local-mode' | 'already-installed'

export type ParkingReason =
  | 'not-accepted'
  | 'held'
  | 'failed'
  | 'not-armed'
  | 'arm-expired'
  | 'no-image'
  | 'no-cluster'
  | 'already-redeemed'
  | 'ready-not-rearmed'
  | 'address-not-leased'

/** The sentence that the console shows for each reason to wait: what is missing, and what cures it. */
export const PARKING_SENTENCES: { readonly [Reason in ParkingReason]: string } = {
  'not-accepted': 'nobody has accepted this machine yet (pilotlight machine add)',
  held: 'an operator holds it (pilotlight machine release)',
  failed: 'its last boot failed; arm it again (pilotlight machine arm)',
  'not-armed': 'it is not armed (pilotlight machine arm)',
  'arm-expired': 'its arm has expired (pilotlight machine arm)',
  'no-image': 'no image is assigned to it (pilotlight machine edit --image)',
  'no-cluster': 'it belongs to no cluster (pilotlight machine edit --cluster)',
  'already-redeemed': 'an earlier boot took its configuration; arm it again (pilotlight machine arm)',
  'ready-not-rearmed': 'it was ready before and is not armed again (pilotlight machine arm)',
  'address-not-leased': 'it asks from an address that is not its lease; check its network ports',
}

/** What the choice is made from. */
export interface ScriptQuestion {
  readonly machine: Machine | undefined
  readonly hasImage: boolean
  readonly hasCluster: boolean
  readonly attempt: BootAttempt | undefined
  /** True when the address that asks is leased to this machine. */
  readonly isOwnAddress: boolean
  readonly nowMs: number
}

/** The one table of design §5: state and boot mode -> image, parking or local disk. */
export function chooseScript(question: ScriptQuestion): ScriptChoice {
  const { machine } = question
  if (machine === undefined) return { kind: 'parking', reason: 'not-accepted' }
  switch (machine.state) {
    case 'discovered':
      return { kind: 'parking', reason: 'not-accepted' }
    case 'held':
      return { kind: 'parking', reason: 'held' }
    case 'failed':
      return { kind: 'parking', reason: 'failed' }
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
  if (!question.hasImage) return { kind: 'parking', reason: 'no-image' }
  if (!question.hasCluster) return { kind: 'parking', reason: 'no-cluster' }
  if (!question.isOwnAddress) return { kind: 'parking', reason: 'address-not-leased' }
  return { kind: 'image', reason: 'armed' }
}
