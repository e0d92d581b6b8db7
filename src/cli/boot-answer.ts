/** A boot attempt as `GET /api/v1/boots/{id}` answers it; lists come without `exchanges`. */
export interface BootAnswer {
  readonly boot_id: string
  readonly stage: string
  readonly status: string
  readonly end: string | null
  readonly started_at: string
  readonly total_ms: number
  readonly clock_skew_ms?: number | null
  readonly stages: readonly StageAnswer[]
  readonly steps: readonly StepAnswer[]
  readonly exchanges?: readonly ExchangeAnswer[]
}

export interface StageAnswer {
  readonly stage: string
  readonly after_ms: number
  readonly took_ms: number
  readonly bytes: number
  readonly retries: number
  readonly stalled_at: string | null
}

export interface StepAnswer {
  readonly step: string
  readonly state: string
  readonly reason: string
  readonly after_ms: number | null
  readonly took_ms: number | null
  readonly waits: readonly {
    readonly reason: string
    readonly detail: string
    readonly after_ms: number
    readonly took_ms: number
  }[]
}

export interface ExchangeAnswer {
  readonly kind: string
  readonly key: string
  readonly first_after_ms: number
  readonly times: number
  readonly bytes: number
  readonly retries: number
  readonly facts: Readonly<Record<string, string | number | boolean>>
}
