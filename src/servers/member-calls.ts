import type { RaftService } from '../model/cluster.ts'
import { servicesApiOf, serviceUrl } from '../model/services.ts'
import type { Ipv4 } from '../net/ipv4.ts'
import type { HealthAnswer, ListAnswer, ListedMember } from '../policy/cluster/judge-round.ts'
import type { RemovalResult } from '../policy/cluster/removal.ts'
import type { ClusterAccess } from './cluster-access.ts'
import { callService } from './service-call.ts'

const MAX_MEMBERS = 1000
const MAX_ID_LENGTH = 100

/** `GET /health` of a service on one machine. Throws when it does not answer as a service of the cluster. */
export async function askHealth(
  access: ClusterAccess,
  service: RaftService,
  machineId: string,
  address: Ipv4,
): Promise<HealthAnswer> {
  const api = servicesApiOf(access.cluster.settings.servicesApi)
  const path = api[service]?.health ?? '/health'
  const answer = await callService(
    'GET',
    `${serviceUrl(api, service, address)}${path}`,
    trustIn(access, service),
  )
  if (answer.status !== 200) throw new Error(`status ${answer.status}`)
  if (!isObject(answer.body)) throw new Error('the answer is no JSON object')
  const { status, raft, cluster_size: size } = answer.body
  return {
    machineId,
    address,
    isHealthy: status === 'healthy',
    ...(raft === 'leader' || raft === 'follower' ? { raft } : {}),
    ...(isCount(size) ? { clusterSize: size } : {}),
  }
}

/** `GET` of the members list from the leader. A path of null in the cluster's settings: there is no such call. */
export async function askList(
  access: ClusterAccess,
  service: RaftService,
  leader: Ipv4,
): Promise<ListAnswer> {
  const api = servicesApiOf(access.cluster.settings.servicesApi)
  const path = api[service]?.list
  if (typeof path !== 'string') return { kind: 'not-there' }
  try {
    const { status, body } = await callService(
      'GET',
      `${serviceUrl(api, service, leader)}${path}`,
      trustIn(access, service),
    )
    if (status === 404 || status === 405) return { kind: 'not-there' }
    const members = status === 200 && isObject(body) ? membersOf(body.members) : undefined
    return members === undefined ? { kind: 'no-answer' } : { kind: 'members', members }
  } catch {
    return { kind: 'no-answer' }
  }
}

/** `DELETE` of one member at the leader; then the list, where there is one, must not name it any more. */
export async function removeMember(
  access: ClusterAccess,
  service: RaftService,
  leader: Ipv4,
  memberId: string,
): Promise<RemovalResult> {
  const api = servicesApiOf(access.cluster.settings.servicesApi)
  const path = api[service]?.remove
  if (typeof path !== 'string')
    return { kind: 'failed', detail: 'the cluster has no call that removes a member' }
  const url = `${serviceUrl(api, service, leader)}${path}/${encodeURIComponent(memberId)}`
  try {
    // A removal that was under way when the server stopped is first looked for: it may have got through.
    const before = await askList(access, service, leader)
    if (before.kind !== 'members' || before.members.some((member) => member.id === memberId)) {
      const { status } = await callService('DELETE', url, trustIn(access, service))
      if (status !== 200 && status !== 204 && status !== 404) {
        return { kind: 'failed', detail: `DELETE answered ${status}` }
      }
    }
    const after = await askList(access, service, leader)
    if (after.kind !== 'members') return { kind: 'gone', listedStill: undefined }
    return { kind: 'gone', listedStill: after.members.some((member) => member.id === memberId) }
  } catch (error) {
    return { kind: 'failed', detail: (error as Error).message }
  }
}

/** Whom to believe, and what to show them. */
function trustIn(access: ClusterAccess, service: RaftService) {
  const { healthCa } = access.cluster.settings
  if (healthCa === undefined) throw new Error('the cluster names no CA: nothing it answers can be believed')
  return { ca: healthCa, authorization: access.authorizationFor(service) }
}

/** Undefined: no list of members as we know it; such an answer says nothing, least of all that nobody is there. */
function membersOf(value: unknown): ListedMember[] | undefined {
  if (!Array.isArray(value) || value.length > MAX_MEMBERS) return undefined
  const members: ListedMember[] = []
  for (const entry of value) {
    if (!isObject(entry) || typeof entry.id !== 'string' || entry.id.length > MAX_ID_LENGTH) return undefined
    members.push({ id: entry.id, voter: entry.voter !== false })
  }
  return members
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= MAX_MEMBERS
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
