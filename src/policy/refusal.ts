/** Why an operator's call is not carried out, in the terms of a problem document (RFC 9457). */
export interface Refusal {
  readonly kind: 'refused'
  /** Stable, for scripts: `image-unknown`. */
  readonly code: string
  readonly status: 404 | 409 | 422 | 507
  /** What is wrong, with what was got and what is wanted. */
  readonly detail: string
  /** What the operator can do about it. */
  readonly cure: string
  /** The field of the request that is at fault. */
  readonly field?: string
}

export function refusal(
  status: Refusal['status'],
  code: string,
  detail: string,
  cure: string,
  field?: string,
): Refusal {
  return { kind: 'refused', status, code, detail, cure, ...(field === undefined ? {} : { field }) }
}
