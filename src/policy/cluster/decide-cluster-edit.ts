import type { Cluster, ClusterSettings } from '../../model/cluster.ts'
import type { NewEvent } from '../../model/event.ts'
import type { Decision } from '../decision.ts'
import { type Refusal, refusal } from '../refusal.ts'
import { clusterEvent } from './cluster-event.ts'
import type { ClusterReply } from './decide-move.ts'
import type { ClusterPicture } from './picture.ts'
import { settingsFault } from './settings-fault.ts'

/** What an operator changes of a cluster; a field left out keeps its value, null takes a setting away. */
export interface ClusterEdit {
  readonly name?: string
  readonly stateKind?: Cluster['stateKind']
  readonly expectedControlPlane?: number
  readonly settings: { readonly [Key in keyof ClusterSettings]?: ClusterSettings[Key] | null }
}

/**
 * Changes what is set for a cluster. Its name is in the configuration of its machines, and how it keeps data decides what a
 * restart of a member means: neither changes under machines that were told otherwise.
 */
export function decideClusterEdit(picture: ClusterPicture, edit: ClusterEdit): Decision<ClusterReply> {
  const { cluster, nowMs } = picture
  const { founding: _founding, probe: _probe, ...before } = cluster
  const after = {
    ...before,
    stateKind: edit.stateKind ?? before.stateKind,
    expectedControlPlane: edit.expectedControlPlane ?? before.expectedControlPlane,
    settings: settingsAfter(before.settings, edit.settings),
  }
  const wrong = fixedFault(cluster, edit) ?? settingsFault(after.expectedControlPlane, after.settings)
  if (wrong !== undefined) return { reply: wrong, reason: wrong.code, effects: [] }
  const changes = changesBetween(before, after)
  if (changes.length === 0) {
    const notes = ['nothing has changed: it was set so already']
    return { reply: { kind: 'done', clusterId: cluster.id, notes }, reason: 'unchanged', effects: [] }
  }
  return {
    reply: { kind: 'done', clusterId: cluster.id, notes: notesOn(picture, after, changes) },
    reason: 'edited',
    effects: [
      { kind: 'put-cluster', cluster: after },
      clusterEvent(cluster, nowMs, 'cluster.edited', Object.fromEntries(changes)),
    ],
  }
}

function fixedFault({ name, stateKind, founding }: Cluster, edit: ClusterEdit): Refusal | undefined {
  if (founding.state === 'closed')
    return refusal(409, 'cluster-closed', `${name} is deleted`, 'create another: pilotlight cluster create')
  if (edit.name !== undefined && edit.name !== name) {
    const detail = `name is ${JSON.stringify(edit.name.slice(0, 63))}, and ${name} keeps its name: its machines and events have it`
    return refusal(409, 'name-fixed', detail, 'create another cluster and move its machines', 'name')
  }
  const isGiven = founding.state !== 'open' || founding.epoch > 0
  if (edit.stateKind !== undefined && edit.stateKind !== stateKind && isGiven) {
    const detail = `state_kind is ${edit.stateKind}, and ${name} was founded as ${stateKind}: it decides whether a member that restarts has its data`
    const cure = 'it can change until the first machine has taken its configuration; create another cluster'
    return refusal(409, 'state-kind-fixed', detail, cure, 'state_kind')
  }
  return undefined
}

function settingsAfter(before: ClusterSettings, edit: ClusterEdit['settings']): ClusterSettings {
  const merged: Record<string, unknown> = { ...before }
  for (const [key, value] of Object.entries(edit)) {
    if (value === null) delete merged[key]
    else if (value !== undefined) merged[key] = value
  }
  return merged as ClusterSettings
}

type Change = readonly [field: string, what: NewEvent['data'][string]]
type Kept = Omit<Cluster, 'founding' | 'probe'>

/** What the audit says: before and after of what is short, of the rest that it is another, or is gone. */
function changesBetween(before: Kept, after: Kept): readonly Change[] {
  const changes: Change[] = []
  for (const [field, read] of FIELDS) {
    const [old, now] = [read(before), read(after)]
    if (JSON.stringify(old) === JSON.stringify(now)) continue
    const word = (value: unknown) =>
      typeof value === 'object' ? 'set' : String(value ?? 'not set').slice(0, 40)
    const isShort = typeof old !== 'object' && typeof now !== 'object' && field !== 'health_ca'
    changes.push([
      field,
      isShort ? `${word(old)} -> ${word(now)}` : now === undefined ? 'taken away' : 'changed',
    ])
  }
  return changes
}

const FIELDS: readonly (readonly [string, (cluster: Kept) => unknown])[] = [
  ['state_kind', (cluster) => cluster.stateKind],
  ['expected_control_plane', (cluster) => cluster.expectedControlPlane],
  ['health_ca', ({ settings }) => settings.healthCa],
  ['services_api', ({ settings }) => settings.servicesApi],
  ['services', ({ settings }) => settings.services],
  ['extra_config', ({ settings }) => settings.extraConfig],
  ['role_config', ({ settings }) => settings.roleConfig],
  ['cluster_size_counts', ({ settings }) => settings.clusterSizeCounts],
  ['clock_skew_limit_ms', ({ settings }) => settings.clockSkewLimitMs],
  ['rearm', ({ settings }) => settings.rearm],
]

/** What only the server itself uses; everything else is part of what machines are given. */
const SERVER_ONLY: ReadonlySet<string> = new Set([
  'state_kind',
  'expected_control_plane',
  'cluster_size_counts',
  'clock_skew_limit_ms',
  'rearm',
])

function notesOn(picture: ClusterPicture, after: Kept, changes: readonly Change[]): readonly string[] {
  const notes = changes.map(([field, what]) => `${field}: ${String(what)}`)
  const configured = picture.machines.filter(({ currentBootId }) => currentBootId !== undefined)
  if (configured.length > 0 && changes.some(([field]) => !SERVER_ONLY.has(field))) {
    notes.push(
      `${configured.length} machines keep what they were given until they boot again: pilotlight cluster show ${after.name} lists them`,
    )
  }
  if (after.settings.healthCa === undefined && changes.some(([field]) => field === 'health_ca'))
    notes.push(
      'without a CA the server asks no service: nothing is freed, removed or granted by what it sees',
    )
  return notes
}
