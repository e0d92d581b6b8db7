import { firstBootUnits } from './first-boot-units.ts'
import type { Service } from './service.ts'
import { SERVICES } from './services.ts'
import { type UnitFile, unitText } from './unit-text.ts'

/** Where programs and scripts lie on the machine that the units are for. */
export interface UnitPlaces {
  /** Directory of the services' programs. */
  readonly programs: string
  /** Directory of the first-boot scripts. */
  readonly scripts: string
}

export const DEFAULT_PLACES: UnitPlaces = {
  programs: '/run/current-system/sw/bin',
  scripts: '/usr/libexec/pilotlight/first-boot',
}

/** Every unit that the catalogue makes: the nine services, the first-boot units, and the drop-ins that order the two. */
export function allUnits(places: UnitPlaces = DEFAULT_PLACES): readonly UnitFile[] {
  return [...SERVICES.map((service) => serviceUnit(service, places)), ...firstBootUnits(places.scripts)]
}

/** The unit of one service, as the cluster's documents write it. */
export function serviceUnit(service: Service, places: UnitPlaces): UnitFile {
  const { name, extras } = service
  const online = service.needsNetworkOnline ? ['network-online.target'] : []
  const text = unitText([
    [
      'Unit',
      [
        ['Description', service.description],
        ['After', [...online, ...service.after.map(unitName)].join(' ')],
        ['Requires', service.requires.map(unitName).join(' ')],
        ['Wants', [...online, ...service.wants.map(unitName)].join(' ')],
      ],
    ],
    [
      'Service',
      [
        ['Type', service.unitType],
        ['ExecStartPre', extras.execStartPre ?? ''],
        ['ExecStart', `${places.programs}/${name}-server --config /etc/nixos/${name}.toml`],
        ['Restart', 'on-failure'],
        ['RestartSec', `${service.restartSeconds}s`],
        ['TimeoutStartSec', `${service.timeoutStartSeconds}s`],
        ...Object.entries(extras.environment ?? {}).map(
          ([key, value]) => ['Environment', `"${key}=${value}"`] as const,
        ),
        ['EnvironmentFile', extras.environmentFile === undefined ? '' : `-${extras.environmentFile}`],
        ['User', extras.user ?? ''],
        ['Group', extras.user ?? ''],
        ['StateDirectory', extras.stateDirectory ?? ''],
        ['ConfigurationDirectory', extras.configurationDirectory ?? ''],
        ...Object.entries(extras.hardening ?? {}),
      ],
    ],
    ['Install', [['WantedBy', 'multi-user.target']]],
  ])
  return { path: `${name}.service`, text }
}

function unitName(name: string): string {
  return `${name}.service`
}
