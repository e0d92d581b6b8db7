import type { Lease } from '../../../model/lease.ts'
import type { Machine } from '../../../model/machine.ts'
import {
  chooseScript,
  isClusterHeldWhole,
  PARKING_SENTENCES,
  type ScriptChoice,
} from '../../../policy/boot/choose-script.ts'
import { imageToBoot } from '../../../policy/boot/image-to-boot.ts'
import { armedAgain, type Rearm } from '../../../policy/boot/may-rearm.ts'
import { diskMemberOf } from '../../../policy/machine/disk-member.ts'
import { readBootImageFacts } from '../../../store/snapshots/image.ts'
import { isInstalled } from '../../../store/snapshots/script.ts'
import type { ExplainSection } from './explain-section.ts'
import { foreseeRearm } from './foresee-rearm.ts'
import type { OperatorContext } from './operator-context.ts'

/** The leases that the machine has now, of all its MACs. */
export function runningLeasesOf(store: OperatorContext['store'], machine: Machine): readonly Lease[] {
  return store.peek((view) =>
    machine.macs
      .flatMap((mac) => view.leases.ofMac(mac))
      .filter((lease) => lease.state === 'active' && lease.expiresAtMs > view.nowMs),
  )
}

/** What the machine's boot script would be, were it asked for from the machine's own lease now. */
export function explainMachineScript(context: OperatorContext, asked: Machine): ExplainSection {
  const { store, imageLimits } = context
  const rearm = foreseeRearm(context, asked)
  const machine = rearm.kind === 'yes' ? armedAgain(asked, store.nowMs()) : asked
  const running = runningLeasesOf(store, machine)
  const { facts, attempt, nowMs, isHeldWhole, isMemberOnDisk, hasSystem } = store.peek((view) => ({
    hasSystem: isInstalled(view, machine),
    isMemberOnDisk:
      machine.clusterId !== undefined &&
      diskMemberOf(
        machine,
        view.clusters.byId(machine.clusterId),
        view.membership.members(machine.clusterId),
      ) !== undefined,
    facts: readBootImageFacts(view, machine),
    attempt: view.attempts.latestOf(machine.id),
    nowMs: view.nowMs,
    isHeldWhole: isClusterHeldWhole(
      machine.clusterId === undefined ? undefined : view.clusters.byId(machine.clusterId),
      view.calls.fleetHold(),
    ),
  }))
  const image = imageToBoot({ ...facts, imageLimits, nowMs })
  const choice = chooseScript({
    machine,
    imageLack: typeof image === 'string' ? image : undefined,
    hasCluster: machine.clusterId !== undefined,
    isClusterHeld: isHeldWhole,
    isMemberOnDisk,
    isInstalled: hasSystem,
    attempt,
    isOwnAddress: true,
    nowMs,
  })
  const imageName = typeof image === 'string' ? image : `${image.name}:${image.version} (${image.id})`
  const armed =
    asked.armedUntilMs === undefined
      ? 'not armed'
      : `armed until ${new Date(asked.armedUntilMs).toISOString()}${asked.armedUntilMs <= nowMs ? ', which is over' : ''}`
  return {
    section: 'script',
    summary: summaryOf(choice, rearm, imageName),
    steps: [
      { rule: 'state', finding: asked.state },
      { rule: 'boot mode', finding: machine.bootMode },
      { rule: 'arm', finding: armed },
      { rule: 're-arm', finding: REARM_SENTENCES[rearm.kind] },
      { rule: 'image', finding: imageName },
      { rule: 'cluster', finding: machine.clusterId ?? 'none' },
      {
        rule: 'lease',
        finding: running.map((lease) => `${lease.address} (${lease.mac})`).join(', ') || 'none runs',
      },
      { rule: 'answer', finding: answerOf(choice, rearm) },
    ],
  }
}

const REARM_SENTENCES: { readonly [Kind in Rearm['kind']]: string } = {
  yes: 'yes: without a person, as what it was accepted as',
  no: 'no: it boots its image by an operator’s arm alone',
  hold: 'no: it would be held until an operator has looked',
}

function summaryOf(choice: ScriptChoice, rearm: Rearm, imageName: string): string {
  if (rearm.kind === 'hold') return `it would be held: ${rearm.detail}`
  if (choice.kind === 'parking') return `it would wait: ${PARKING_SENTENCES[choice.reason]}`
  if (choice.kind === 'local-disk') return `it would boot the local disk: ${choice.reason}`
  return `it would boot image ${imageName}: ${rearm.kind === 'yes' ? 'rearmed' : choice.reason}`
}

function answerOf({ kind, reason }: ScriptChoice, rearm: Rearm): string {
  if (rearm.kind === 'hold') return `parking: ${rearm.reason}`
  return `${kind}: ${kind === 'image' && rearm.kind === 'yes' ? 'rearmed' : reason}`
}
