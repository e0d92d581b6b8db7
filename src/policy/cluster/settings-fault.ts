import type { ClusterSettings } from '../../model/cluster.ts'
import { SERVICE_NAMES } from '../../model/service.ts'
import { CONTROL_PLANE_SERVICES } from '../../model/services.ts'
import { reservedKeyIn } from '../first-boot/cluster-config.ts'
import { type Refusal, refusal } from '../refusal.ts'

/** The first thing that is wrong with what an operator sets for a cluster; undefined: nothing. */
export function settingsFault(expectedControlPlane: number, settings: ClusterSettings): Refusal | undefined {
  if (!Number.isInteger(expectedControlPlane) || expectedControlPlane < 1 || expectedControlPlane > 9) {
    return refusal(
      422,
      'control-plane-count',
      `expected_control_plane is ${expectedControlPlane}, want 1 to 9`,
      'use 1, 3 or 5',
      'expected_control_plane',
    )
  }
  return (
    extraConfigFault(settings) ??
    servicesFault(settings) ??
    servicesApiFault(settings) ??
    healthCaFault(settings)
  )
}

function extraConfigFault({ extraConfig, roleConfig }: ClusterSettings): Refusal | undefined {
  const layers = [extraConfig, ...Object.values(roleConfig ?? {})]
  const reserved = layers.map(reservedKeyIn).find((key) => key !== undefined)
  if (reserved === undefined) return undefined
  const detail = `${reserved} in extra_config is the server's own key`
  return refusal(422, 'reserved-key', detail, 'name your key differently', 'extra_config')
}

/** A role that leaves out what its first-boot steps need: both Raft services everywhere, IAM where it is set up. */
function servicesFault({ services }: ClusterSettings): Refusal | undefined {
  for (const [role, names] of Object.entries(services ?? {})) {
    const needed = role === 'worker' ? (['chainfire', 'flaredb'] as const) : CONTROL_PLANE_SERVICES
    const missing = needed.find((name) => !names.includes(name))
    if (missing !== undefined) {
      const detail = `services of ${role} lack ${missing}, which its first boot joins`
      return refusal(422, 'services-incomplete', detail, `add ${missing}`, 'services')
    }
  }
  return undefined
}

const PORTS: ReadonlySet<string> = new Set(['port', 'dns_port'])
/** Those that a service may not have: null. */
const CALLS: ReadonlySet<string> = new Set(['list', 'found', 'join', 'promote', 'remove', 'setup'])
/** What the scripts of the nodes take for a path; anything else they would take for none. */
const PATH = /^\/[A-Za-z0-9._~/{}-]*$/

function servicesApiFault({ servicesApi }: ClusterSettings): Refusal | undefined {
  for (const [service, endpoints] of Object.entries(servicesApi ?? {})) {
    if (!(SERVICE_NAMES as readonly string[]).includes(service))
      return apiFault(service, 'is no service', `one of ${SERVICE_NAMES.join(', ')}`)
    for (const [key, value] of Object.entries(endpoints)) {
      const fault = endpointFault(key, value)
      if (fault !== undefined)
        return apiFault(`${service}.${key}`, `is ${JSON.stringify(value)?.slice(0, 60)}`, fault)
    }
  }
  return undefined
}

/** What is wanted instead; undefined where the value is right. */
function endpointFault(key: string, value: string | number | null): string | undefined {
  if (PORTS.has(key)) {
    const isPort = typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65535
    return isPort ? undefined : 'a port, 1 to 65535'
  }
  if (key !== 'health' && !CALLS.has(key))
    return `one of the keys ${[...PORTS, 'health', ...CALLS].join(', ')}`
  if (value === null && key !== 'health') return undefined
  if (typeof value !== 'string' || !PATH.test(value))
    return `a path of A-Z a-z 0-9 . _ ~ / - that begins with /${key === 'health' ? '' : ', or null'}`
  return key === 'promote' && !value.includes('{id}') ? 'a path with {id} in it, or null' : undefined
}

function apiFault(what: string, got: string, want: string): Refusal {
  const detail = `services_api.${what.slice(0, 80)} ${got}, want ${want}`
  return refusal(
    422,
    'services-api-malformed',
    detail,
    'correct it; the operators’ guide lists the keys',
    'services_api',
  )
}

function healthCaFault({ healthCa }: ClusterSettings): Refusal | undefined {
  if (healthCa === undefined || healthCa.includes('-----BEGIN CERTIFICATE-----')) return undefined
  const cure = 'give the CA as PEM, BEGIN CERTIFICATE'
  return refusal(422, 'health-ca-malformed', 'health_ca is no PEM certificate', cure, 'health_ca')
}
