import { existsSync } from 'node:fs'
import path from 'node:path'
import { SERVICES } from '../model/services.ts'
import { bad, type Check, ok } from './doctor-check.ts'

const UNIT_DIRS = [
  '/etc/systemd/system',
  '/run/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
]

/**
 * Does this host run a service of the cluster whose port is the boot port? Clients reach IAM on 8080 through FiberLB, and
 * machines reach Pilotlight on 8080: that is fine on two hosts, and not on one.
 */
export function serviceHostCheck(bootPort: number, unitDirs: readonly string[] = UNIT_DIRS): Check {
  const name = 'cluster services'
  const installed = SERVICES.filter((service) =>
    unitDirs.some((directory) => existsSync(path.join(directory, `${service.name}.service`))),
  )
  const clashing = installed.find(({ ports }) => ports.some(({ port }) => port === bootPort))
  if (clashing !== undefined) {
    return bad(
      name,
      `${clashing.title} is installed on this host and has port ${bootPort}, which is boot.port too`,
      'set boot.port to another port, or keep Pilotlight off the hosts of the cluster',
    )
  }
  const titles = installed.map(({ title }) => title).join(', ')
  return ok(name, installed.length === 0 ? 'none on this host' : `${titles}; none has port ${bootPort}`)
}
