import { readFileSync } from 'node:fs'
import { type Command, Option } from 'commander'
import { parse } from 'yaml'
import { call } from './api-client.ts'
import { secondsOf } from './duration.ts'
import { EXIT } from './exit-codes.ts'
import { CliFailure } from './failure.ts'
import { readNamed } from './named-file.ts'
import { wholeNumber } from './whole-number.ts'

interface Settings {
  readonly controlPlane?: number
  readonly healthCa?: string
  readonly servicesApi?: string
  readonly services?: string
  readonly extraConfig?: string
  readonly roleConfig?: string
  readonly clusterSizeCounts?: string
  readonly clockSkewLimit?: string
  readonly rearm?: string
}

/** The options of what is set for a cluster, the same when it is created and afterwards. */
export function withSettings(command: Command): Command {
  return command
    .option('--health-ca <file>', 'PEM of the CA that signs the services’ certificates')
    .option('--services-api <file>', 'ports and paths of its services, as YAML or JSON')
    .option('--services <file>', 'which services a role runs, as YAML or JSON')
    .option('--extra-config <file>', 'what is added to the configuration of every machine, as YAML or JSON')
    .option('--role-config <file>', 'the same by role, laid over it, as YAML or JSON')
    .option('--clock-skew-limit <time>', 'a clock that is further off may not join: 30s')
    .addOption(
      new Option('--cluster-size-counts <whom>', 'whom Chainfire’s cluster_size counts').choices([
        'voters',
        'all',
      ]),
    )
    .addOption(
      new Option('--rearm <rule>', 'who boots again without a person').choices(['same-identity', 'manual']),
    )
}

/** The body of a call that sets them; what was not said is left out. */
export function settingsBody(options: Settings): Readonly<Record<string, unknown>> {
  const body = {
    expected_control_plane: options.controlPlane,
    health_ca:
      options.healthCa === undefined ? undefined : readNamed(options.healthCa, 'a PEM file').toString(),
    services_api: fileOf(options.servicesApi),
    services: fileOf(options.services),
    extra_config: fileOf(options.extraConfig),
    role_config: fileOf(options.roleConfig),
    cluster_size_counts: options.clusterSizeCounts,
    clock_skew_limit_seconds:
      options.clockSkewLimit === undefined ? undefined : secondsOf(options.clockSkewLimit),
    rearm: options.rearm,
  }
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined))
}

const CLEARED: Readonly<Record<string, string>> = {
  'health-ca': 'health_ca',
  'services-api': 'services_api',
  services: 'services',
  'extra-config': 'extra_config',
  'role-config': 'role_config',
  'cluster-size-counts': 'cluster_size_counts',
  'clock-skew-limit': 'clock_skew_limit_seconds',
  rearm: 'rearm',
}

/** `pilotlight cluster set` and `cluster credential set|drop`. */
export function addClusterSettingCommands(cluster: Command): void {
  withSettings(
    cluster
      .command('set <name>')
      .description('change what is set for a cluster; machines get it at their next boot')
      .option('--control-plane <count>', 'how many control-plane machines make it ready', wholeNumber),
  )
    .addOption(
      new Option('--clear <setting...>', 'take settings away: the default holds again').choices(
        Object.keys(CLEARED),
      ),
    )
    .option('--json', 'print JSON')
    .action(async (name: string, options: Settings & { clear?: readonly string[]; json?: boolean }) => {
      const cleared = (options.clear ?? []).map((setting) => [CLEARED[setting], null] as const)
      const body = { ...settingsBody(options), ...Object.fromEntries(cleared) }
      if (Object.keys(body).length === 0)
        throw new CliFailure('nothing to set, want at least one setting; see --help', EXIT.usage)
      const answer = await call<{ notes: readonly string[] }>(
        'PATCH',
        `/clusters/${encodeURIComponent(name)}`,
        body,
      )
      if (options.json === true) console.log(JSON.stringify(answer, null, 2))
      else for (const note of answer.notes) console.log(note)
    })

  const credential = cluster
    .command('credential')
    .description('what the server shows the services of a cluster when it asks them')
  credential
    .command('set <cluster> <service>')
    .description(
      'the value of the Authorization header, from a file: no argument, environment or log holds it',
    )
    .requiredOption('--file <file>', 'a file with one line, as in Bearer TOKEN; - is standard input')
    .option('--json', 'print JSON')
    .action(async (name: string, service: string, { file, json }: { file: string; json?: boolean }) => {
      const text = file === '-' ? readFileSync(0, 'utf8') : readNamed(file, 'a file').toString()
      const authorization = text.replace(/\r?\n$/, '')
      await call('PUT', credentialRoute(name, service), { authorization })
      tellCredential(name, service, true, json)
    })
  credential
    .command('drop <cluster> <service>')
    .description('ask a service without one')
    .option('--json', 'print JSON')
    .action(async (name: string, service: string, { json }: { json?: boolean }) => {
      await call('DELETE', credentialRoute(name, service))
      tellCredential(name, service, false, json)
    })
}

function tellCredential(cluster: string, service: string, credential: boolean, json?: boolean): void {
  if (json === true) console.log(JSON.stringify({ cluster, service, credential }, null, 2))
  else console.log(`${service} of ${cluster} is asked ${credential ? 'with it' : 'without one'} from now on`)
}

function credentialRoute(name: string, service: string): string {
  return `/clusters/${encodeURIComponent(name)}/credentials/${encodeURIComponent(service)}`
}

function fileOf(file: string | undefined): unknown {
  if (file === undefined) return undefined
  const value = parsed(file, readNamed(file, 'a YAML or JSON file').toString())
  if (value !== null) return value
  // The API takes null for the wish to clear, which a file that is still empty does not say.
  throw new CliFailure(
    `${file}: got nothing, want YAML or JSON\ncure: cluster set --clear takes a setting away`,
    EXIT.usage,
  )
}

function parsed(file: string, text: string): unknown {
  try {
    return parse(text)
  } catch (error) {
    throw new CliFailure(`${file}: ${(error as Error).message.split('\n')[0]}, want YAML or JSON`, EXIT.usage)
  }
}
