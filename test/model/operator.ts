import { GATED_STEPS, type GatedStep } from '../../src/model/first-boot.ts'
import type { Machine } from '../../src/model/machine.ts'
import { decideClusterDeletion } from '../../src/policy/cluster/decide-cluster-deletion.ts'
import { decideClusterHold, decideClusterRelease } from '../../src/policy/cluster/decide-cluster-hold.ts'
import { decideFlaredbMove } from '../../src/policy/cluster/decide-flaredb-move.ts'
import { decideFoundingMove } from '../../src/policy/cluster/decide-move.ts'
import { decideRefound } from '../../src/policy/cluster/decide-refound.ts'
import { decideMemberForget, decideSlotFree } from '../../src/policy/cluster/decide-slot.ts'
import { decideUnfreeze } from '../../src/policy/cluster/decide-unfreeze.ts'
import type { Decision } from '../../src/policy/decision.ts'
import { DEFAULT_IMAGE_LIMITS } from '../../src/policy/image/preflight.ts'
import { decideArm } from '../../src/policy/machine/decide-arm.ts'
import { decideHold, decideRelease } from '../../src/policy/machine/decide-hold.ts'
import { decideDecommission } from '../../src/policy/machine/decide-leaving.ts'
import { decideReprovision } from '../../src/policy/machine/decide-reprovision.ts'
import { asOperatorCall } from '../../src/policy/operator-call.ts'
import type { Refusal } from '../../src/policy/refusal.ts'
import type { TrueGroup } from './raft-truth.ts'
import type { Random } from './random.ts'
import { IMAGE, type World } from './world.ts'

type Outcome = { readonly kind: 'done' } | Refusal

/** The operator of the model: may call anything at any time, and says only what is so (what is off, what is gone). */
export class Operator {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  arm(machineId: string): Outcome {
    return this.#call('arm', (machine) => decideArm(this.#armSnapshot(machine), 3600), machineId)
  }

  reprovision(machineId: string, isForced = false): Outcome {
    return this.#call(
      'reprovision',
      (machine) => decideReprovision(this.#armSnapshot(machine), 3600, isForced),
      machineId,
      isForced,
    )
  }

  decommission(machineId: string, isForced = false): Outcome {
    return this.#call(
      'decommission',
      (machine) => decideDecommission(this.#armSnapshot(machine), isForced),
      machineId,
      isForced,
    )
  }

  deleteCluster(): Outcome {
    return this.#call('delete cluster', () => decideClusterDeletion(this.#world.picture()))
  }

  hold(machineId: string, step?: GatedStep): Outcome {
    return this.#call('hold', (machine) => decideHold({ nowMs: this.#nowMs, machine }, step), machineId)
  }

  release(machineId: string): Outcome {
    return this.#call(
      'release',
      (machine) => {
        const boot = this.#world.store.rows.attempts.get(machine.currentBootId ?? '')
        const known = boot === undefined ? {} : { currentBoot: boot }
        return decideRelease({ nowMs: this.#nowMs, machine, ...known })
      },
      machineId,
    )
  }

  holdCluster(step?: GatedStep): Outcome {
    return this.#call('hold cluster', () => decideClusterHold(this.#world.picture(), step))
  }

  releaseCluster(): Outcome {
    return this.#call('release cluster', () => decideClusterRelease(this.#world.picture()))
  }

  move(machineId: string): Outcome {
    const { founding } = this.#world.store.rows.cluster
    const isHolderOff = this.#isOff(founding.holderMachineId)
    const outcome = this.#call(
      'move',
      (to) => {
        return decideFoundingMove(this.#world.picture(), {
          to,
          addresses: 'ours',
          armSeconds: 3600,
          isHolderOff,
        })
      },
      machineId,
    )
    return outcome
  }

  /** `discards`: as the refusal of the call without says, where nobody can lead FlareDB any more. */
  moveFlaredb(machineId: string, discards = false): Outcome {
    const row = this.#world.store.rows.services.get('flaredb')
    // He says that they are off where that is so of its founder and of all members.
    const members = [...this.#world.store.rows.members.values()].filter(
      (other) => other.service === 'flaredb' && other.state === 'member',
    )
    const isHolderOff = this.#isOff(row?.machineId) && members.every(({ machineId: id }) => this.#isOff(id))
    const outcome = this.#call(
      'move flaredb',
      (to) => {
        const picture = this.#world.picture()
        const name = discards ? { discardsStateOf: picture.cluster.name } : {}
        return decideFlaredbMove(picture, { to, isHolderOff, ...name })
      },
      machineId,
      discards,
    )
    if (outcome.kind === 'done') {
      this.#world.invariants.moved('flaredb', this.#world.store.rows.cluster.founding.epoch)
    }
    return outcome
  }

  /**
   * Whether a group may be the cluster's: one that a founder of an older epoch made, whose word came too late, is not, for
   * its gate has that data set aside. After a restore nobody can tell.
   */
  #mayBeTheirs(group: TrueGroup): boolean {
    const { rows } = this.#world.store
    const { epoch, incarnationFloor } = rows.cluster.founding
    if (incarnationFloor > 0) return true
    const own = [...rows.members.values()].filter(
      (row) => row.service === group.service && row.epoch === epoch,
    )
    return own.some((row) => group.members.has(row.memberId))
  }

  /** Gives state up only where a majority of it is gone in truth; then also what is left of it is switched off. */
  refound(machineId: string): Outcome {
    const isGone = !this.#world.livingGroups('chainfire').some((group) => this.#mayBeTheirs(group))
    const outcome = this.#call(
      'refound',
      (machine) => {
        return decideRefound(this.#world.picture(), {
          machine,
          addresses: 'ours',
          armSeconds: 3600,
          ...(isGone ? { discardsStateOf: 'demo' } : {}),
        })
      },
      machineId,
    )
    return outcome
  }

  freeSlot(step: GatedStep): Outcome {
    return this.#call('slot free', () => decideSlotFree(this.#world.picture(), step))
  }

  /** Removes a member by hand where its group can agree to it, and says so. */
  forget(memberId: string): Outcome {
    const { truth, nodes, store } = this.#world
    const all = [...store.rows.members.values()].filter(
      (row) => row.memberId === memberId && row.state !== 'removed',
    )
    const remains = all.filter((row) => row.state !== 'member')
    const services = new Set((remains.length > 0 ? remains : all).map((row) => row.service))
    for (const group of truth.groups) {
      if (!services.has(group.service) || !group.members.has(memberId)) continue
      // Of a group that is gone for good, where another lives, there is nothing to take it out of.
      const isGone = !truth.canLive(group, nodes) && this.#world.livingGroups(group.service).length > 0
      if (isGone) continue
      // Nor does a group remove its last member.
      if (truth.leader(group, nodes) === undefined || group.members.size === 1) {
        return {
          kind: 'refused',
          status: 409,
          code: 'not-now',
          detail: 'its group has no leader, or nobody else',
          cure: 'wait',
        }
      }
      group.members.delete(memberId)
    }
    return this.#call('forget', () => decideMemberForget(this.#world.picture(), memberId, true))
  }

  /** Says what is so: a cluster is founded while any of its data can come back. */
  unfreeze(): Outcome {
    const as = this.#world.livingGroups('chainfire').length > 0 ? 'founded' : 'open'
    return this.#call('unfreeze', () => decideUnfreeze(this.#world.picture(), as))
  }

  /** Any call at all. */
  random(random: Random): string {
    const { rows } = this.#world.store
    const machineId = random.pick(this.#world.nodes).id
    const step = random.pick(GATED_STEPS)
    const members = [...rows.members.values()].filter(
      (row) => row.state === 'lost' || row.state === 'removing',
    )
    const calls: readonly (readonly [string, () => Outcome])[] = [
      [`arm ${machineId}`, () => this.arm(machineId)],
      [`arm ${machineId}`, () => this.arm(machineId)],
      [`reprovision ${machineId}`, () => this.reprovision(machineId)],
      [`hold ${machineId}`, () => this.hold(machineId)],
      [`hold ${machineId} at ${step}`, () => this.hold(machineId, step)],
      [`release ${machineId}`, () => this.release(machineId)],
      ['hold cluster', () => this.holdCluster()],
      ['release cluster', () => this.releaseCluster()],
      [`move to ${machineId}`, () => this.move(machineId)],
      [`move flaredb to ${machineId}`, () => this.moveFlaredb(machineId)],
      [`refound ${machineId}`, () => this.refound(machineId)],
      [`slot free ${step}`, () => this.freeSlot(step)],
      ['unfreeze', () => this.unfreeze()],
      [
        'forget',
        () => (members.length === 0 ? { kind: 'done' } : this.forget(random.pick(members).memberId)),
      ],
    ]
    const [name, call] = random.pick(calls)
    // The server looks at the members before it decides such a call, as far as it reaches them.
    const share = random.pick([1, 1, 0.5, 0])
    this.#world.endRound(this.#world.beginRound(() => random.chance(share)))
    const outcome = call()
    return `${name}: ${outcome.kind === 'done' ? 'done' : outcome.code}`
  }

  get #nowMs(): number {
    return this.#world.store.nowMs
  }

  #isOff(machineId: string | undefined): boolean {
    return machineId !== undefined && this.#world.node(machineId).phase === 'off'
  }

  #armSnapshot(machine: Machine) {
    return {
      nowMs: this.#nowMs,
      machine,
      picture: this.#world.picture(),
      addresses: 'ours',
      freeBytes: 1e12,
      image: IMAGE,
      imageLimits: DEFAULT_IMAGE_LIMITS,
    } as const
  }

  #call<Reply extends { readonly kind: string }>(
    call: string,
    decide: (machine: Machine) => Decision<Reply>,
    machineId = 'm1',
    isForced = false,
  ): Outcome {
    const machine = this.#world.store.rows.machines.get(machineId)
    if (machine === undefined) throw new Error(`no machine ${machineId}`)
    const cause = { kind: 'operator', call, isForced } as const
    const reply = this.#world.unit(cause, () =>
      asOperatorCall(decide(machine), { by: 'model', requestSha256: '' }, this.#nowMs),
    )
    return reply?.kind === 'refused' ? (reply as unknown as Refusal) : { kind: 'done' }
  }
}
