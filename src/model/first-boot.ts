/** The four first-boot steps in the order in which every machine takes them. */
export const FIRST_BOOT_STEPS = [
  'chainfire-cluster-join',
  'flaredb-cluster-join',
  'iam-initial-setup',
  'cluster-health-check',
] as const

export type FirstBootStep = (typeof FIRST_BOOT_STEPS)[number]

/** The steps that ask the server before they run. */
export type GatedStep = Exclude<FirstBootStep, 'cluster-health-check'>

export const GATED_STEPS: readonly GatedStep[] = [
  'chainfire-cluster-join',
  'flaredb-cluster-join',
  'iam-initial-setup',
]

/** `implied`: never reported itself, but a later step of the same boot succeeded. */
export type StepState = 'waiting' | 'started' | 'succeeded' | 'failed' | 'implied'

export const REPORT_STATES = ['started', 'waiting', 'progress', 'succeeded', 'failed'] as const
export type ReportState = (typeof REPORT_STATES)[number]

/** What a machine says about one step, as it came over the wire. */
export interface Report {
  readonly step: FirstBootStep
  /** Counts from 1 over all reports of one boot. */
  readonly sequence: number
  readonly state: ReportState
  readonly reason: string
  /** The slot that the gate gave, in the report that ends a step. */
  readonly slotNo?: number
  readonly epoch?: number
  readonly facts: Readonly<Record<string, string | number | boolean>>
}

/** What is recorded of one step in one boot attempt. */
export interface StepRecord {
  readonly bootId: string
  readonly step: FirstBootStep
  readonly state: StepState
  /** The largest sequence number recorded. */
  readonly sequence: number
  readonly slotNo?: number
  readonly reason: string
  readonly startedAtMs?: number
  readonly endedAtMs?: number
}

/**
 * What the gate tells a machine to do in a step. `set-aside`: move the data of a removed member aside, start the service
 * blank and ask again.
 */
export type GateAction = 'found' | 'join' | 'resume' | 'set-aside' | 'setup' | 'skip'

export function isFirstBootStep(text: string): text is FirstBootStep {
  return (FIRST_BOOT_STEPS as readonly string[]).includes(text)
}
