import t from 'tap'
import type { ServiceName } from '../../../src/model/service.ts'
import { serviceByName } from '../../../src/model/services.ts'
import { type EndpointResult, outagesOf, quorumOf } from '../../../src/policy/cluster/cluster-health.ts'
import { decideIamPassword } from '../../../src/policy/cluster/decide-iam-password.ts'
import { judgeHealth } from '../../../src/policy/cluster/judge-health.ts'
import { aCluster, effectsOf, eventTypes, NOW } from '../../support/builders.ts'

function judged(service: ServiceName, body: string, status = 200) {
  const check = serviceByName(service).health.find(({ kind }) => kind !== 'dns')
  if (check === undefined) throw new Error(`${service} has no HTTPS check`)
  const { word, detail } = judgeHealth(check, { kind: 'http', status, body })
  return `${word}: ${detail}`
}

const CASES: readonly (readonly [ServiceName, string, RegExp])[] = [
  ['chainfire', '{"status":"healthy","raft":"leader","cluster_size":3}', /^healthy/],
  ['chainfire', '{"status":"healthy","raft":"follower","cluster_size":5,"more":1}', /^healthy/],
  [
    'chainfire',
    '{"status":"healthy","raft":"candidate","cluster_size":3}',
    /^wrong-field: raft is "candidate"/,
  ],
  [
    'chainfire',
    '{"status":"healthy","raft":"leader","cluster_size":"3"}',
    /^wrong-field: cluster_size is "3"/,
  ],
  [
    'chainfire',
    '{"status":"healthy","raft":"leader"}',
    /cluster_size is not there, want a value of type integer/,
  ],
  ['flaredb', '{"status":"healthy","raft":"leader","chainfire":"disconnected"}', /want connected/],
  ['iam', '{"status":"healthy","database":"connected","version":"2.3.4-rc1"}', /^healthy/],
  ['iam', '{"status":"healthy","database":"connected","version":1}', /^wrong-field: version is 1/],
  ['plasmavmc', '{"status":"healthy","vms_running":0}', /^healthy/],
  ['plasmavmc', '{"status":"degraded","vms_running":1}', /status is "degraded", want healthy/],
  ['lightningstor', '{"status":"healthy","volumes":1,"total_gb":0.5}', /total_gb is 0.5/],
  ['prismnet', '["healthy"]', /^not-json/],
  ['fiberlb', '', /^not-json/],
  ['k8shost', 'ok', /^healthy/],
  ['k8shost', ' ok\n', /^healthy/],
  ['k8shost', '{"status":"ok"}', /^wrong-body/],
]

t.test('values count only where they mean health; elsewhere the type does', async (t) => {
  for (const [service, body, expected] of CASES)
    t.match(judged(service, body), expected, `${service} ${body}`)
  t.match(judged('k8shost', 'ok', 503), /^status: status 503, want 200/)
  t.match(judged('chainfire', '{"__proto__":{"status":"healthy"}}'), /status is not there/)
})

function result(
  machine: string,
  facts: EndpointResult['verdict']['facts'],
  word = 'healthy',
): EndpointResult {
  return {
    machine,
    address: '10.77.0.11',
    service: 'chainfire',
    endpoint: 'https://10.77.0.11:2379/health',
    verdict: { word: word as 'healthy', detail: '', facts },
    ms: 1,
  }
}

const VOTERS = ['n1', 'n2', 'n3']

t.test('quorum: one leader and a majority of the larger count of voters', async (t) => {
  const leader = result('n1', { raft: 'leader', cluster_size: 3 })
  const follower = result('n2', { raft: 'follower', cluster_size: 3 })
  const gone = result('n3', {}, 'timeout')
  t.match(quorumOf('chainfire', VOTERS, [leader, follower, gone]), {
    ok: true,
    voters: 3,
    healthy: 2,
    needed: 2,
  })
  t.match(quorumOf('chainfire', VOTERS, [leader, gone]), { ok: false, healthy: 1 })
  t.match(quorumOf('chainfire', VOTERS, [follower, { ...follower, machine: 'n3' }]), {
    ok: false,
    leaders: [],
  })
  const second = result('n2', { raft: 'leader', cluster_size: 3 })
  t.match(quorumOf('chainfire', VOTERS, [leader, second]), { ok: false, leaders: ['n1', 'n2'] })
  const grown = result('n1', { raft: 'leader', cluster_size: 5 })
  t.match(quorumOf('chainfire', VOTERS, [grown, follower]), { ok: false, voters: 5, needed: 3 })
  t.match(quorumOf('chainfire', VOTERS, [grown, follower], 'all'), { ok: true, voters: 3 })
  const worker = result('w1', { raft: 'follower', cluster_size: 3 })
  t.match(quorumOf('chainfire', VOTERS, [leader, worker]), { ok: false, healthy: 1 }, 'a worker has no vote')
})

t.test('an outage of some machines is told from one of all', async (t) => {
  const well = result('n1', {})
  const ill = result('n2', {}, 'refused')
  t.match(outagesOf([well, ill]), [{ service: 'chainfire', extent: 'some', machines: ['n2'] }])
  t.match(outagesOf([ill]), [{ extent: 'all', mitigation: ['Raft quorum (3 of 5)'] }])
  t.strictSame(outagesOf([well]), [])
})

t.test(
  "IAM's first password is handed over once, after the set-up, with an event that does not hold it",
  async (t) => {
    const iam = { clusterId: 'c1', service: 'iam', state: 'done', epoch: 1 } as const
    const snapshot = { nowMs: NOW, cluster: aCluster(), iam, password: 'p4ss' }
    const handed = decideIamPassword(snapshot, 'first')
    t.match(handed.reply, { kind: 'handed-over', password: 'p4ss' })
    t.strictSame(eventTypes(handed.effects), ['cluster.iam-password-handed-over'])
    t.equal(effectsOf(handed.effects, 'forget-cluster-secret').length, 1)
    t.notOk(JSON.stringify(handed.effects).includes('p4ss'))
    t.match(decideIamPassword({ ...snapshot, handedOverAtMs: NOW }, 'first').reply, {
      code: 'already-handed-over',
    })
    t.match(decideIamPassword({ ...snapshot, iam: { ...iam, state: 'granted' } }, 'first').reply, {
      code: 'iam-not-set-up',
    })
    const { password: _, ...without } = snapshot
    t.match(decideIamPassword(without, 'first').reply, { code: 'iam-not-set-up' })
  },
)
