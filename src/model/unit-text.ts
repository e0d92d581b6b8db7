/** A file below `/etc/systemd/system`. */
export interface UnitFile {
  /** `chainfire.service`, `iam.service.d/first-boot.conf`. */
  readonly path: string
  readonly text: string
}

export type UnitSection = readonly [name: string, lines: readonly (readonly [key: string, value: string])[]]

/** Writes a unit file; a key without a value is left out, a comment's key is `#`. */
export function unitText(sections: readonly UnitSection[]): string {
  const blocks = sections.map(([name, lines]) => {
    const written = lines
      .filter(([, value]) => value !== '')
      .map(([key, value]) => (key === '#' ? `# ${value}` : `${key}=${value}`))
    return [`[${name}]`, ...written].join('\n')
  })
  return `${blocks.join('\n\n')}\n`
}
