import type { BootAttempt } from '../../model/boot-attempt.ts'
import type { AttemptRecords } from '../../policy/diagnosis/timeline.ts'
import type { Tables } from '../tables/tables.ts'

/** Everything that is recorded of one attempt. */
export function readAttemptRecords(
  { attempts, traces }: Pick<Tables, 'attempts' | 'traces'>,
  attempt: BootAttempt,
): AttemptRecords {
  return {
    attempt,
    stages: attempts.stages(attempt.bootId),
    steps: attempts.steps(attempt.bootId),
    traces: traces.ofBoot(attempt.bootId),
  }
}
