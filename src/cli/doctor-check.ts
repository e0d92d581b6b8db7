/** One thing that was looked at. */
export interface Check {
  readonly name: string
  readonly ok: boolean
  readonly detail: string
  /** What to do when it is not ok; empty otherwise. */
  readonly cure: string
}

export function ok(name: string, detail: string): Check {
  return { name, ok: true, detail, cure: '' }
}

export function bad(name: string, detail: string, cure: string): Check {
  return { name, ok: false, detail, cure }
}
