import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { nodeHealthChecks } from '../model/node-health-checks.ts'
import { allUnits, DEFAULT_PLACES } from '../model/units.ts'
import { makeDirectory } from '../store/make-directory.ts'
import { writeNamed } from './named-file.ts'

export interface UnitsOptions {
  readonly programs?: string
  readonly scripts?: string
  readonly healthChecks?: string
  readonly json?: boolean
}

/** `pilotlight units DIR`: writes the systemd units that the catalogue of services makes. */
export function writeUnits(directory: string, options: UnitsOptions): void {
  const units = allUnits({
    programs: options.programs ?? DEFAULT_PLACES.programs,
    scripts: options.scripts ?? DEFAULT_PLACES.scripts,
  })
  for (const unit of units) {
    const file = path.join(directory, unit.path)
    writeNamed(file, () => {
      makeDirectory(path.dirname(path.resolve(file)))
      writeFileSync(file, unit.text)
    })
  }
  const { healthChecks } = options
  if (healthChecks !== undefined)
    writeNamed(healthChecks, () => writeFileSync(healthChecks, nodeHealthChecks()))
  if (options.json === true)
    return console.log(JSON.stringify({ directory, files: units.map((unit) => unit.path) }, null, 2))
  console.log(
    `${units.length} files in ${directory}; check them with: systemd-analyze verify ${directory}/*.service`,
  )
}
