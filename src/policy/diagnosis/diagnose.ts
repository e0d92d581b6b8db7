import { serviceByName } from '../../model/services.ts'
import { type Case, type Cause, caseOf, type Evidence, type Likelihood } from './cause.ts'
import { ADDRESS_CAUSES, UNSEEN_CAUSE } from './causes/address.ts'
import { ALWAYS_CAUSES } from './causes/always.ts'
import { GATE_CAUSES } from './causes/gate.ts'
import { LOADING_CAUSES } from './causes/loading.ts'
import { ROOT_CAUSES } from './causes/root.ts'
import { SERVICE_CAUSES } from './causes/service.ts'
import { SYSTEM_CAUSES } from './causes/system.ts'
import { type RootProgress, rootProgressOf } from './root-progress.ts'
import { type Situation, situationOf } from './situation.ts'
import type { DiagnosisSnapshot } from './snapshot.ts'

/** Every cause that is known, in the order in which a machine could meet it. */
export const CAUSES: readonly Cause[] = [
  UNSEEN_CAUSE,
  ...ADDRESS_CAUSES,
  ...LOADING_CAUSES,
  ...ROOT_CAUSES,
  ...SYSTEM_CAUSES,
  ...GATE_CAUSES,
  ...SERVICE_CAUSES,
  ...ALWAYS_CAUSES,
]

/** A likely cause with what speaks for it, what it does to the cluster, and what to do. */
export interface Finding {
  readonly code: string
  readonly title: string
  readonly likelihood: Likelihood
  readonly evidence: string
  /** What fails with the service concerned, and what softens it; empty where no service is. */
  readonly impact: readonly string[]
  readonly mitigation: readonly string[]
  readonly cure: string
}

export interface Diagnosis {
  readonly situation: Situation
  /** The likeliest first. */
  readonly findings: readonly Finding[]
  /** While stage 1 fetches a root of its own, and tells of it. */
  readonly rootProgress?: RootProgress
}

const ORDER: readonly Likelihood[] = ['certain', 'likely', 'possible']

/** Where a machine stands and, where it does not move, why: the causes whose evidence is there, the likeliest first. */
export function diagnose(snapshot: DiagnosisSnapshot): Diagnosis {
  const situation = situationOf(snapshot)
  const c = caseOf(snapshot, situation)
  const findings = CAUSES.filter(
    ({ when }) => when === 'always' || when.includes(situation.standing),
  ).flatMap((cause) => findingsOf(cause, c))
  const rootProgress = snapshot.records === undefined ? undefined : rootProgressOf(snapshot.records)
  // Equal likelihoods keep the order of the rows.
  return {
    situation,
    findings: findings.sort((a, b) => ORDER.indexOf(a.likelihood) - ORDER.indexOf(b.likelihood)),
    ...(rootProgress === undefined ? {} : { rootProgress }),
  }
}

function findingsOf(cause: Cause, c: Case): readonly Finding[] {
  return [cause.detect(c) ?? []].flat().map((evidence: Evidence) => {
    const service = evidence.service === undefined ? undefined : serviceByName(evidence.service)
    return {
      code: cause.code,
      title: cause.title,
      likelihood: evidence.likelihood,
      evidence: evidence.text,
      impact: (service?.impact ?? []).map(({ what }) => what),
      mitigation: service?.mitigation ?? [],
      cure: cause.cure(c, evidence).replaceAll(/\bNAME\b/g, c.snapshot.machine.name),
    }
  })
}
