import type { Machine } from '../../../model/machine.ts'
import { UNSPECIFIED } from '../../../net/ipv4.ts'
import { imageToBoot } from '../../../policy/boot/image-to-boot.ts'
import { armedAgain } from '../../../policy/boot/may-rearm.ts'
import type { Decision } from '../../../policy/decision.ts'
import { type ForeseenRedeem, foreseeRedeem } from '../../../policy/first-boot/foresee-redeem.ts'
import type {
  RedeemReply,
  RedeemRequest,
  RedeemSnapshot,
} from '../../../policy/first-boot/redeem-snapshot.ts'
import { readBootImageFacts } from '../../../store/snapshots/image.ts'
import { readRedeemSnapshot } from '../../../store/snapshots/redeem.ts'
import { runningLeasesOf } from './explain-machine-script.ts'
import type { ExplainSection } from './explain-section.ts'
import { foreseeRearm } from './foresee-rearm.ts'
import type { OperatorContext } from './operator-context.ts'

/** What of a configuration is worth showing; the rest is the operator's own, and one field is a secret. */
interface ShownConfig {
  readonly member_id: string
  readonly bootstrap: boolean
  readonly bootstrap_epoch: number
  readonly leader_url: string | null
  readonly initial_peers: readonly string[]
  readonly keep_data_by_service: Readonly<Record<string, string | null>>
  readonly services: readonly string[]
}

/** Rows of the founding table by what they mean for a machine that redeems. */
const FOUNDING_SENTENCES: Readonly<Record<string, string>> = {
  F1: 'the cluster is not founded, and this control-plane machine is the first to redeem: it founds it',
  F2: 'a leader answers though nobody founded the cluster here: it would freeze, and nothing is handed out',
  F3: 'another machine founds the cluster; this one joins it',
  F4: 'it holds the founding, and nobody joined yet: it founds again, under a new epoch',
  F9: 'the cluster is founded; this machine is a member of it, or becomes one',
  F17: 'the cluster is founded and frozen: it may run what it has, and joins nothing',
  'cluster-frozen': 'the cluster is frozen (pilotlight cluster unfreeze)',
  'cluster-closed': 'the cluster was deleted',
  'no-cluster': 'it belongs to no cluster (pilotlight machine edit --cluster)',
  'not-armed': 'it is not armed (pilotlight machine arm)',
}

/** What the machine's next redemption of its configuration would be answered, and what its current boot was given. */
export function explainMachineConfig(context: OperatorContext, asked: Machine): ExplainSection {
  const { store, imageLimits } = context
  const isRearmed = foreseeRearm(context, asked).kind === 'yes'
  const machine = isRearmed ? armedAgain(asked, store.nowMs()) : asked
  const [mac] = machine.macs
  if (mac === undefined) return { section: 'config', summary: 'the machine has no MAC', steps: [] }
  const address = runningLeasesOf(store, machine)[0]?.address ?? machine.reservedAddress
  const request: RedeemRequest = {
    mac,
    address: address ?? UNSPECIFIED,
    nonce: '',
    spends: true,
  }
  const { snapshot, latest, image, redeemed } = store.peek((view) => ({
    snapshot: readRedeemSnapshot(view, '', request, ''),
    latest: view.attempts.latestOf(machine.id),
    image: imageToBoot({ ...readBootImageFacts(view, machine), imageLimits, nowMs: view.nowMs }),
    redeemed:
      machine.currentBootId === undefined ? undefined : view.redemptions.ofBoot(machine.currentBootId),
  }))
  const foreseen = foreseeRedeem(snapshot, machine, latest, request)
  const shown = foreseen.whenArmed ?? foreseen.decision
  const config = configOf(shown)
  return {
    section: 'config',
    summary: summaryOf(foreseen, config),
    steps: [
      { rule: 'current boot', finding: currentBoot(machine, redeemed) },
      { rule: 'address', finding: address ?? 'none yet: the one that its lease will be' },
      {
        rule: 'image',
        finding:
          typeof image === 'string' ? `none: ${image}` : `${image.name}:${image.version} (${image.id})`,
      },
      { rule: 'founding', finding: foundingOf(snapshot) },
      { rule: 'rule', finding: `${shown.reason}: ${FOUNDING_SENTENCES[shown.reason] ?? 'refused'}` },
      ...(config === undefined ? [] : configSteps(config, address !== undefined)),
    ],
  }
}

function summaryOf({ decision, whenArmed }: ForeseenRedeem, config: ShownConfig | undefined): string {
  const what =
    config === undefined
      ? `no configuration: ${(whenArmed ?? decision).reason}`
      : `bootstrap ${config.bootstrap}, epoch ${config.bootstrap_epoch}, member ${config.member_id}`
  return whenArmed === undefined
    ? `it would get ${what}`
    : `it would get none: it is not armed; armed, ${what}`
}

function configOf({ reply }: Decision<RedeemReply>): ShownConfig | undefined {
  return reply.kind === 'config' ? (JSON.parse(reply.text) as ShownConfig) : undefined
}

function currentBoot(
  machine: Machine,
  redeemed: { readonly address: string; readonly configText?: string } | undefined,
): string {
  if (machine.currentBootId === undefined || redeemed === undefined) return 'none has redeemed'
  const kept =
    redeemed.configText === undefined
      ? 'it reported since, so nobody gets that again'
      : 'the same nonce gets the same bytes until it reports'
  return `${machine.currentBootId} redeemed from ${redeemed.address}; ${kept}`
}

function foundingOf({ cluster, holderAddress }: RedeemSnapshot): string {
  if (cluster === undefined) return 'no cluster'
  const { state, epoch, holderMachineId, reservedFor } = cluster.founding
  const holder = holderMachineId === undefined ? '' : `, held by ${holderMachineId}`
  const at = holderAddress === undefined ? '' : ` at ${holderAddress}`
  const only = reservedFor === undefined ? '' : `, for ${reservedFor} only`
  return `${cluster.name} is ${state}, epoch ${epoch}${holder}${at}${only}`
}

function configSteps(config: ShownConfig, hasAddress: boolean): ExplainSection['steps'] {
  const kept = Object.entries(config.keep_data_by_service).map(([name, id]) => `${name} ${id ?? 'none'}`)
  return [
    { rule: 'bootstrap', finding: `${config.bootstrap}, epoch ${config.bootstrap_epoch}` },
    { rule: 'member', finding: config.member_id },
    { rule: 'data kept', finding: kept.join(', ') },
    { rule: 'leader', finding: config.leader_url ?? 'none known' },
    { rule: 'peers', finding: hasAddress ? config.initial_peers.join(', ') || 'none' : 'with its address' },
    { rule: 'services', finding: config.services.join(', ') },
  ]
}
