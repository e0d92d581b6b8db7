import type { ServiceName } from '../../model/service.ts'
import { SERVICES } from '../../model/services.ts'
import { ago, type Case } from './cause.ts'
import { SERVICE_OF_STEP } from './limits.ts'

/** A service that keeps a step waiting, with who says so. */
export interface IllService {
  readonly service: ServiceName
  readonly text: string
}

/**
 * The services of the node that are ill and that its step waits for, in the order of the catalogue: as the server sees them
 * itself, and beside those what the node says.
 */
export function illServices(c: Case): readonly IllService[] {
  const { step, gate } = c.situation
  // A step that stands at its gate has a healthy service of its own.
  if (step === undefined || gate !== undefined) return []
  const wanted = step === 'cluster-health-check' ? undefined : SERVICE_OF_STEP[step]
  const seen = seenIll(c).filter(({ service }) => wanted === undefined || service === wanted)
  const said = saidIll(c).filter(({ service }) => !seen.some((own) => own.service === service))
  return SERVICES.flatMap(({ name }) => [...seen, ...said].filter(({ service }) => service === name))
}

function seenIll(c: Case): readonly IllService[] {
  const { address, health } = c.snapshot
  return health
    .filter((seen) => seen.address === address && !seen.isHealthy)
    .map(({ service, atMs, said }) => ({
      service,
      text: `${service} on ${address} is not healthy; asked ${ago(c, atMs)} ago: ${said}`,
    }))
}

/** The same by the node's own word. Its scripts tell `SERVICE: WORD: DETAIL; …`, or `SERVICE is not healthy after N s: WORD: DETAIL`. */
export function saidIll(c: Case): readonly IllService[] {
  const reason = stepReason(c)
  const one = /(\S+) is not healthy after .*/.exec(reason)
  if (one !== null) return named(one[1], one[0])
  return reason.split('; ').flatMap((part) => named(/^(\w+): [a-z-]+: /.exec(part)?.[1], part))
}

function named(word: string | undefined, text: string): readonly IllService[] {
  const service = SERVICES.find(({ name }) => name === word?.toLowerCase())?.name
  return service === undefined ? [] : [{ service, text: `the node says: ${text}` }]
}

/** What the node said last of the step that it is at. */
export function stepReason(c: Case): string {
  return c.snapshot.records?.steps.find((record) => record.step === c.situation.step)?.reason ?? ''
}
