/** One thing that is wrong with the configuration, for a person. */
export interface Complaint {
  /** `pilotlight.yaml:12:3`, or the name of an environment variable. */
  readonly where: string
  readonly key: string
  readonly got: string
  readonly want: string
  readonly cure?: string
}

/** The configuration cannot be used; all that is wrong is said at once. */
export class ConfigError extends Error {
  readonly code = 'config-wrong'
  readonly complaints: readonly Complaint[]
  constructor(complaints: readonly Complaint[]) {
    super(complaints.map(sayComplaint).join('\n'))
    this.complaints = complaints
  }
}

export function sayComplaint({ where, key, got, want, cure }: Complaint): string {
  return `${where}: ${key}: got ${got}, want ${want}${cure === undefined ? '' : `; ${cure}`}`
}

/** A value as a message shows it: short, on one line. */
export function shown(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value)
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}
