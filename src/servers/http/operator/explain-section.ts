import type { ExplainStep } from '../../../policy/dhcp/explain-dhcp.ts'

/** One part of the answer to "what would this machine get now, and why". */
export interface ExplainSection {
  readonly section: string
  /** What it would get, in one sentence. */
  readonly summary: string
  readonly steps: readonly ExplainStep[]
}
