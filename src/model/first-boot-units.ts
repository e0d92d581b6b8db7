import type { FirstBootStep } from './first-boot.ts'
import type { ServiceName } from './service.ts'
import { SERVICES } from './services.ts'
import { type UnitFile, type UnitSection, unitText } from './unit-text.ts'

/** The exit code of a script that another boot has overtaken: trying again would not help. */
const EXIT_STALE = 3

/** Where `fetch-config.sh` leaves a file for each service that this machine's role runs. */
const SERVICES_DIR = '/run/pilotlight/services'

/** A step's unit: what it comes after, what it cannot do without, what waits for it, what it runs. */
interface StepUnit {
  readonly step: FirstBootStep
  readonly description: string
  readonly after: readonly string[]
  readonly requires?: string
  readonly wants?: string
  readonly before?: FirstBootStep
  readonly command: string
}

const STEP_UNITS: readonly StepUnit[] = [
  {
    step: 'chainfire-cluster-join',
    description: 'Chainfire Cluster Join (First Boot)',
    after: ['pilotlight-config', 'chainfire'],
    requires: 'chainfire.service',
    before: 'flaredb-cluster-join',
    command: 'cluster-join.sh --service chainfire',
  },
  {
    step: 'flaredb-cluster-join',
    description: 'FlareDB Cluster Join (First Boot)',
    after: ['chainfire-cluster-join', 'flaredb'],
    requires: 'flaredb.service',
    before: 'iam-initial-setup',
    command: 'cluster-join.sh --service flaredb',
  },
  {
    step: 'iam-initial-setup',
    description: 'IAM Initial Setup (First Boot)',
    after: ['flaredb-cluster-join', 'iam'],
    // Wanted, not required: a role without IAM still reports this step, as skipped.
    wants: 'iam.service',
    before: 'cluster-health-check',
    command: 'iam-initial-setup.sh',
  },
  {
    step: 'cluster-health-check',
    description: 'Cluster Health Check (First Boot)',
    // It requires nothing: when a step before it or a service failed, it is the one that says so.
    after: ['pilotlight-config', 'iam-initial-setup'],
    command: 'cluster-health-check.sh',
  },
]

/** The join that a service waits for in first boot, beside what its own unit waits for. */
const WAITS_FOR: Partial<Record<ServiceName, FirstBootStep>> = {
  flaredb: 'chainfire-cluster-join',
  iam: 'flaredb-cluster-join',
}

/** The services whose data directory is looked at before they start: none may start on another cluster's data. */
const CHECKED_DATA: readonly ServiceName[] = ['chainfire', 'flaredb']

/** The unit that takes the configuration, the four steps, and the drop-ins that put the services between them. */
export function firstBootUnits(scripts: string): readonly UnitFile[] {
  return [
    configUnit(scripts),
    ...STEP_UNITS.map((unit) => stepUnit(unit, scripts)),
    ...SERVICES.map(({ name }) => dropIn(name, scripts)),
  ]
}

function configUnit(scripts: string): UnitFile {
  const text = unitText([
    [
      'Unit',
      [
        ['Description', "Take this machine's cluster-config.json from Pilotlight (First Boot)"],
        ['After', 'network-online.target'],
        ['Wants', 'network-online.target'],
        ['Before', 'chainfire.service'],
      ],
    ],
    oneshot(`${scripts}/fetch-config.sh`),
    ['Install', [['WantedBy', 'multi-user.target']]],
  ])
  return { path: 'pilotlight-config.service', text }
}

function stepUnit(unit: StepUnit, scripts: string): UnitFile {
  const text = unitText([
    [
      'Unit',
      [
        ['Description', unit.description],
        ['After', unit.after.map((name) => `${name}.service`).join(' ')],
        ['Requires', unit.requires ?? ''],
        ['Wants', unit.wants ?? ''],
        ['Before', unit.before === undefined ? '' : `${unit.before}.service`],
      ],
    ],
    oneshot(`${scripts}/${unit.command}`),
    ['Install', [['WantedBy', 'multi-user.target']]],
  ])
  return { path: `${unit.step}.service`, text }
}

function oneshot(command: string): UnitSection {
  return [
    'Service',
    [
      ['Type', 'oneshot'],
      ['RemainAfterExit', 'true'],
      ['ExecStart', command],
      ['Restart', 'on-failure'],
      ['RestartSec', '10s'],
      ['#', 'Another boot of this machine is current: trying again would not help.'],
      ['RestartPreventExitStatus', String(EXIT_STALE)],
    ],
  ]
}

/** In first boot a service starts once the configuration is there, when it is of the role, and after the join before it. */
function dropIn(name: ServiceName, scripts: string): UnitFile {
  const join = WAITS_FOR[name]
  const after = join === undefined ? '' : ` ${join}.service`
  const check: readonly UnitSection[] = CHECKED_DATA.includes(name)
    ? [
        [
          'Service',
          [
            [
              '#',
              'As root, whoever the service runs as: it looks at the data and moves what is out of date aside.',
            ],
            ['ExecStartPre', `+${scripts}/check-data.sh --service ${name}`],
          ],
        ],
      ]
    : []
  const text = unitText([
    [
      'Unit',
      [
        ['After', `pilotlight-config.service${after}`],
        ['Requires', 'pilotlight-config.service'],
        ['#', "Not of this machine's role: not started, and nobody waits for it."],
        ['ConditionPathExists', `${SERVICES_DIR}/${name}`],
      ],
    ],
    ...check,
  ])
  return { path: `${name}.service.d/first-boot.conf`, text }
}
