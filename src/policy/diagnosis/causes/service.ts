import { ago, type Cause, STUCK } from '../cause.ts'
import { illServices, saidIll, stepReason } from '../ill-services.ts'
import { SERVICE_OF_STEP } from '../limits.ts'

/** A node that lives reports or asks its gate far more often than this. */
const SILENT_AFTER_MS = 60_000

/** What goes wrong on a node that has its configuration. */
export const SERVICE_CAUSES: readonly Cause[] = [
  {
    code: 'service-unhealthy',
    title: 'a service of the node does not become healthy',
    when: STUCK,
    detect: (c) => illServices(c).map(({ service, text }) => ({ likelihood: 'certain', text, service })),
    cure: (_c, { service }) =>
      `on the node: journalctl -u ${service}; it goes on by itself as soon as its health answer is what is wanted`,
  },
  {
    code: 'step-failed',
    title: 'a first-boot step failed on the node',
    when: ['failed'],
    detect(c) {
      const reason = stepReason(c)
      // Then it is that service's finding.
      if (saidIll(c).length > 0) return undefined
      const { step } = c.situation
      return {
        likelihood: 'certain',
        text: `${step} says: ${reason === '' ? 'nothing' : reason}; systemd tries it again every 10 s`,
        ...(step === undefined ? {} : { service: SERVICE_OF_STEP[step] }),
      }
    },
    cure: (c) =>
      /endpoint-not-found/.test(stepReason(c))
        ? 'set the endpoint in the cluster’s services_api: the services’ own documents name only /health'
        : `on the node: journalctl -u ${c.situation.step}`,
  },
  {
    code: 'node-silent',
    title: 'nothing is heard of the node: it crashed, was switched off, or lost its network',
    when: STUCK,
    detect(c) {
      const { records, nowMs, servingSinceMs } = c.snapshot
      if (records === undefined || c.situation.step === undefined) return undefined
      const heardAtMs = Math.max(records.attempt.heardAtMs, servingSinceMs)
      if (nowMs - heardAtMs < Math.min(SILENT_AFTER_MS, (c.situation.limitMs ?? SILENT_AFTER_MS) / 2))
        return undefined
      const answers = c.snapshot.health.filter(({ address }) => address === c.snapshot.address)
      const isReached = answers.some((seen) => seen.isHealthy)
      return {
        likelihood: isReached ? 'possible' : 'likely',
        text: `last heard ${ago(c, heardAtMs)} ago${isReached ? ', but its services answer: it reports to nobody' : ''}`,
      }
    },
    cure: (c) =>
      c.snapshot.records?.attempt.installedAtMs === undefined
        ? `look at its console; when it is off, switch it on: pilotlight machine arm ${c.snapshot.machine.name} allows a new boot`
        : 'look at its console; when it is off, switch it on: it goes on from its disk',
  },
]
