/** One measured figure: the median of several runs that were interleaved with those of the other servers. */
export interface Row {
  /** What was done: `dora`, `lock-step, 64 at once`. */
  readonly work: string
  readonly server: string
  readonly value: number
  readonly unit: string
}

/** What a figure should reach, as a ratio to a peer in the same run where there is one. */
export interface Target {
  readonly name: string
  readonly got: number
  readonly want: string
  readonly met: boolean
}

export interface BenchResult {
  readonly rows: readonly Row[]
  readonly targets: readonly Target[]
}

export interface BenchOptions {
  /** Progress, for a person; goes to standard error with `--json`. */
  say(line: string): void
  /** Words of the command line that the bench itself reads. */
  readonly args: readonly string[]
}

/** The middle value; of an even number the lower of the two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN
}

/** The value that a part `p` (0 to 1) of all lies at or below. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * p) - 1)] ?? Number.NaN
}

export function atLeast(name: string, got: number, want: number): Target {
  return { name, got, want: `>= ${want}`, met: got >= want }
}

export function atMost(name: string, got: number, want: number): Target {
  return { name, got, want: `<= ${want}`, met: got <= want }
}
