import type { BootAttempt } from '../../model/boot-attempt.ts'
import type { Cluster, FleetHold } from '../../model/cluster.ts'
import type { Machine } from '../../model/machine.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'

const WITHIN_MS = 30 * 60_000
const BOOTS_WITHIN = 3
/** How long a re-armed machine may take to fetch its script again: loaders repeat themselves. */
export const REARM_MS = 30 * 60_000

/** What a machine says of itself, and from where, when it asks for its script. */
export interface Sighting {
  readonly mac: Mac
  readonly address: Ipv4
  readonly uuid?: string
  readonly serial?: string
  /** By which port its loader got its lease in this boot. */
  readonly relayPort?: string
}

export type Rearm =
  | { readonly kind: 'yes' }
  | { readonly kind: 'no' }
  /** Something about it is not as it was, or it goes round in a circle: held until an operator has looked. */
  | { readonly kind: 'hold'; readonly reason: 'identity' | 'boot-loop'; readonly detail: string }

/**
 * Who boots again without a person (design §5): a diskless machine whose configuration was accepted before, of a cluster
 * that allows it, the very same as then, and not for the fourth time in half an hour without becoming ready. The
 * founder of a cluster that is not founded yet is never among them: a second founding is an operator's word.
 */
export function mayRearm(
  machine: Machine,
  cluster: Cluster | undefined,
  fleet: FleetHold | undefined,
  recentBoots: readonly BootAttempt[],
  seen: Sighting,
  nowMs: number,
): Rearm {
  const { acceptedAs } = machine
  if (acceptedAs === undefined || cluster === undefined || !mayAskToRearm(machine, nowMs))
    return { kind: 'no' }
  if (cluster.settings.rearm === 'manual') return { kind: 'no' }
  const { state, holderMachineId, isRearmPaused, frozenFrom } = cluster.founding
  const isHolder = (state === 'granted' || state === 'doubtful') && holderMachineId === machine.id
  // Whoever was armed and did not come before the cluster was founded might found it now.
  const isFounding = isHolder || (state === 'open' && AWAITED.has(machine.state))
  const isFrozen = state === 'frozen' && frozenFrom !== 'founded' && frozenFrom !== 'lost'
  if (isFounding || isFrozen || state === 'closed' || isRearmPaused) return { kind: 'no' }
  if ((cluster.held && cluster.holdStep === undefined) || (fleet !== undefined && fleet.step === undefined)) {
    return { kind: 'no' }
  }
  const unlike = (['mac', 'address', 'uuid', 'serial', 'relayPort'] as const).find(
    (field) => acceptedAs[field] !== undefined && acceptedAs[field] !== seen[field],
  )
  if (unlike !== undefined) {
    const what = unlike === 'relayPort' ? 'the relay’s port' : unlike
    const detail = `${what} is ${seen[unlike] ?? 'not said'}, was ${acceptedAs[unlike]}`
    return { kind: 'hold', reason: 'identity', detail }
  }
  const tried = recentBoots.filter(
    (boot) => boot.status !== 'tentative' && boot.end !== 'ready' && nowMs - boot.startedAtMs <= WITHIN_MS,
  ).length
  if (tried < BOOTS_WITHIN) return { kind: 'yes' }
  return { kind: 'hold', reason: 'boot-loop', detail: `${tried} boots in 30 minutes, none became ready` }
}

/** The machine as if somebody had armed it just now. */
export function armedAgain(machine: Machine, nowMs: number): Machine {
  return { ...machine, state: 'armed', armedUntilMs: nowMs + REARM_MS }
}

/** True for a machine whose earlier boots have a say in whether it boots again; of all others nobody need read them. */
export function mayAskToRearm(
  { acceptedAs, bootMode, state, armedUntilMs }: Machine,
  nowMs: number,
): boolean {
  if (acceptedAs === undefined || bootMode !== 'netboot') return false
  // An arm that nobody used leaves it as it was before: a hall that is dark for longer comes back by itself too.
  const isArmOver = armedUntilMs !== undefined && armedUntilMs <= nowMs
  return REBOOTED.has(state) || (isArmOver && AWAITED.has(state))
}

const REBOOTED: ReadonlySet<Machine['state']> = new Set(['ready', 'first-boot', 'failed'])
const AWAITED: ReadonlySet<Machine['state']> = new Set(['armed', 'booting'])
