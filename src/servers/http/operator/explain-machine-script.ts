import type { Lease } from '../../../model/lease.ts'
import type { Machine } from '../../../model/machine.ts'
import { chooseScript, isClusterHeldWhole, PARKING_SENTENCES } from '../../../policy/boot/choose-script.ts'
import { imageToBoot } from '../../../policy/boot/image-to-boot.ts'
import { diskMemberOf } from '../../../policy/machine/disk-member.ts'
import { readBootImageFacts } from '../../../store/snapshots/image.ts'
import { isInstalled } from '../../../store/snapshots/script.ts'
import type { ExplainSection } from './explain-section.ts'
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
export function explainMachineScript(
  { store, imageLimits }: OperatorContext,
  machine: Machine,
): ExplainSection {
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
    machine.armedUntilMs === undefined
      ? 'not armed'
      : `armed until ${new Date(machine.armedUntilMs).toISOString()}${machine.armedUntilMs <= nowMs ? ', which is over' : ''}`
  return {
    section: 'script',
    summary:
      choice.kind === 'parking'
        ? `it would wait: ${PARKING_SENTENCES[choice.reason]}`
        : `it would boot ${choice.kind === 'image' ? `image ${imageName}` : 'the local disk'}: ${choice.reason}`,
    steps: [
      { rule: 'state', finding: machine.state },
      { rule: 'boot mode', finding: machine.bootMode },
      { rule: 'arm', finding: armed },
      { rule: 'image', finding: imageName },
      { rule: 'cluster', finding: machine.clusterId ?? 'none' },
      {
        rule: 'lease',
        finding: running.map((lease) => `${lease.address} (${lease.mac})`).join(', ') || 'none runs',
      },
      { rule: 'answer', finding: `${choice.kind}: ${choice.reason}` },
    ],
  }
}
