/** A broken invariant (I1 to I17), a liveness that did not come (L1 to L7), or a truth that must not be (T). */
export class Violation extends Error {
  readonly rule: string
  constructor(rule: string, detail: string) {
    super(`${rule}: ${detail}`)
    this.rule = rule
  }
}
