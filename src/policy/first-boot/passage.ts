import type { Member } from '../../model/cluster.ts'

/** What stands between a boot and its step: a shut gate with the reason, a pass for all, or one that takes the slot. */
export type Passage =
  | { readonly kind: 'shut'; readonly reason: string; readonly detail: string; readonly queues: boolean }
  | {
      readonly kind: 'free-pass'
      readonly action: 'resume' | 'set-aside' | 'skip'
      /** The row that resumes. */
      readonly row?: Member
      /** The epoch that it runs in; after a restore its data may name a younger one than the cluster knows. */
      readonly epoch: number
    }
  | {
      readonly kind: 'needs-slot'
      readonly action: 'found' | 'join' | 'setup'
      readonly leaderUrl?: string
      /** Nobody else may do this, so whoever came before it in the queue waits for it anyway. */
      readonly isItsAlone?: true
      /** The id that it joins with again; undefined: a fresh one. */
      readonly memberId?: string
    }
  | { readonly kind: 'worker-join'; readonly leaderUrl: string }

export function shut(reason: string, detail: string, queues = false): Extract<Passage, { kind: 'shut' }> {
  return { kind: 'shut', reason, detail, queues }
}
