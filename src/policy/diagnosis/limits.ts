import { STAGES, type Stage } from '../../model/boot-attempt.ts'
import type { FirstBootStep } from '../../model/first-boot.ts'
import type { ServiceName } from '../../model/service.ts'
import { serviceByName } from '../../model/services.ts'

/** How long an attempt may stay in each stage without moving, and a step at a shut gate, in seconds. */
export interface StallLimits {
  readonly stages: { readonly [Name in MovingStage]: number }
  /** For a step that its gate does not let through; longer, since machines are let in one after the other. */
  readonly gateWaitSeconds: number
  /** A node's clock may be so far off before it is worth a word. */
  readonly clockSkewSeconds: number
}

/** Every stage but the last, which nothing follows. */
export type MovingStage = Exclude<Stage, 'ready'>

export const MOVING_STAGES: readonly MovingStage[] = STAGES.filter((stage) => stage !== 'ready')

/** The service whose start a first-boot step waits for. */
export const SERVICE_OF_STEP: { readonly [Step in FirstBootStep]: ServiceName } = {
  'chainfire-cluster-join': 'chainfire',
  'flaredb-cluster-join': 'flaredb',
  'iam-initial-setup': 'iam',
  'cluster-health-check': 'chainfire',
}

/** What a start usually takes, and then all that systemd grants it. */
function startLimit(name: ServiceName): number {
  const { startSeconds, timeoutStartSeconds } = serviceByName(name)
  return startSeconds + timeoutStartSeconds
}

/**
 * Before the kernel runs, what firmware and loaders need with room to spare: an old iPXE alone waits 16 s for a router
 * advertisement. From then on, what the catalogue says of the services.
 */
export const DEFAULT_STALL_LIMITS: StallLimits = {
  stages: {
    offered: 60,
    'loader-sent': 60,
    'script-sent': 60,
    'kernel-sent': 120,
    'initrd-sent': 180,
    'config-redeemed': startLimit('chainfire'),
    'chainfire-cluster-join': startLimit('chainfire'),
    'flaredb-cluster-join': startLimit('flaredb'),
    'iam-initial-setup': startLimit('iam'),
    'cluster-health-check': Math.max(startLimit('chainfire'), startLimit('flaredb'), startLimit('iam')),
  },
  gateWaitSeconds: 300,
  clockSkewSeconds: 5,
}
