import t from 'tap'
import type { Stage } from '../../../src/model/boot-attempt.ts'
import type { TraceRecord } from '../../../src/model/boot-trace.ts'
import type { StepRecord } from '../../../src/model/first-boot.ts'
import { serviceByName } from '../../../src/model/services.ts'
import { decideStall } from '../../../src/policy/diagnosis/decide-stall.ts'
import { CAUSES, diagnose } from '../../../src/policy/diagnosis/diagnose.ts'
import { healthWanted } from '../../../src/policy/diagnosis/health-wanted.ts'
import { DEFAULT_STALL_LIMITS } from '../../../src/policy/diagnosis/limits.ts'
import { situationOf } from '../../../src/policy/diagnosis/situation.ts'
import type { DiagnosisSnapshot } from '../../../src/policy/diagnosis/snapshot.ts'
import { heldBefore } from '../../../src/policy/first-boot/holds.ts'
import {
  aFoundedCluster,
  aMachine,
  aMember,
  anAttempt,
  anImage,
  aSlot,
  effectsOf,
  eventTypes,
  ip,
  NOW,
} from '../../support/builders.ts'

// The edges of time and the cases that a real machine needs minutes for; the causes themselves happen for real in
// test/servers/operator/diagnosis.test.ts.

interface Changes extends Partial<DiagnosisSnapshot> {
  readonly stage?: Stage
  readonly forSeconds?: number
  readonly traces?: readonly TraceRecord[]
  readonly steps?: readonly StepRecord[]
  readonly stalledAtMs?: number
}

function aSnapshot({
  stage = 'offered',
  forSeconds = 0,
  traces = [],
  steps = [],
  stalledAtMs,
  ...changes
}: Changes): DiagnosisSnapshot {
  const enteredAtMs = NOW - forSeconds * 1000
  const row = { bootId: 'b1', stage, enteredAtMs, bytes: 0, retries: 0 }
  return {
    nowMs: NOW,
    machine: aMachine({ state: 'booting' }),
    records: {
      attempt: anAttempt({ stage, startedAtMs: enteredAtMs, heardAtMs: enteredAtMs }),
      stages: [stalledAtMs === undefined ? row : { ...row, stalledAtMs }],
      steps,
      traces,
    },
    members: [],
    slots: [],
    serviceFoundings: [],
    peers: [],
    health: [],
    limits: DEFAULT_STALL_LIMITS,
    server: {},
    servingSinceMs: 0,
    ...changes,
  }
}

function aTrace(changes: Partial<TraceRecord>): TraceRecord {
  const common = { firstAtMs: NOW - 1000, lastAtMs: NOW - 1000, times: 1, bytes: 0, retries: 0, facts: {} }
  return { kind: 'dhcp', key: 'discover:firmware', ...common, ...changes }
}

t.test('the limits of the steps are the catalogue’s: the usual start and what systemd grants', (t) => {
  const { stages } = DEFAULT_STALL_LIMITS
  t.equal(stages['chainfire-cluster-join'], 10 + 60)
  t.equal(stages['flaredb-cluster-join'], 15 + 90)
  t.equal(stages['iam-initial-setup'], 5 + 90)
  t.end()
})

t.test('a stage is stalled once its limit has passed, and not at it', (t) => {
  t.equal(situationOf(aSnapshot({ forSeconds: 60 })).standing, 'moving')
  t.equal(situationOf(aSnapshot({ forSeconds: 61 })).standing, 'stalled')
  t.end()
})

t.test('a machine that was armed again without a person is on its way, not parked', (t) => {
  const script = aTrace({ kind: 'script', key: 'rearmed', lastAtMs: NOW - 90_000, times: 2 })
  const at = { stage: 'script-sent', traces: [script], machine: aMachine({ state: 'ready' }) } as const
  t.match(diagnose(aSnapshot({ ...at, forSeconds: 10 })), { situation: { standing: 'moving' }, findings: [] })
  const stalled = diagnose(aSnapshot({ ...at, forSeconds: 90 }))
  t.equal(stalled.situation.standing, 'stalled')
  t.match(stalled.findings[0], { code: 'image-again', evidence: /asked for the script 2 times/ })
  t.end()
})

t.test('parked: what only waits for its turn, and what this server itself held, are told as that', (t) => {
  const parked = (key: string) =>
    diagnose(aSnapshot({ traces: [aTrace({ kind: 'script', key })], forSeconds: 5 })).findings[0]
  t.match(parked('image-queue'), {
    code: 'parked',
    evidence: /^all image streams/,
    cure: /by itself.*max_streams/,
  })
  for (const key of ['identity', 'boot-loop'])
    t.match(parked(key), {
      evidence: /^it is not as it was, or boots in a circle/,
      cure: /machine arm node01/,
    })
  t.match(parked('address-not-leased'), { cure: /which network port/ })
  t.match(
    parked('not-accepted'),
    { cure: /^pilotlight machine add NODE --mac 02:00:00:00:00:01$/ },
    'a command that the CLI takes: its name is not settled yet',
  )
  t.end()
})

t.test('install mode: no cure wipes the disk that the system is on, and an installer is no service', (t) => {
  const machine = aMachine({ state: 'failed', bootMode: 'install' })
  const found = (changes: Changes, installedAtMs?: number) => {
    const snapshot = aSnapshot({ machine, ...changes })
    const { records } = snapshot
    if (records === undefined) throw new Error('no records')
    const attempt = { ...records.attempt, ...(installedAtMs === undefined ? {} : { installedAtMs }) }
    return diagnose({ ...snapshot, records: { ...records, attempt } }).findings
  }
  const at = { stage: 'config-redeemed', forSeconds: 2000 } as const
  t.match(found(at)[0], {
    code: 'first-boot-not-started',
    evidence: 'its installer took the configuration 2000 s ago, and has not said that it is done',
    cure: /report-installed\.sh/,
  })
  t.match(found(at, NOW - 900_000)[0], {
    code: 'first-boot-not-started',
    evidence: /^its system was put on its disk 900 s ago, and has not been heard of since/,
  })
  const steps = [
    { bootId: 'b1', step: 'chainfire-cluster-join', state: 'failed', sequence: 2, reason: 'x' },
  ] as const
  const silent = { stage: 'chainfire-cluster-join', forSeconds: 2000, steps } as const
  const cureOf = (installedAtMs?: number) =>
    found(silent, installedAtMs).find(({ code }) => code === 'node-silent')?.cure
  t.match(cureOf(), /machine arm node01/)
  t.notMatch(cureOf(NOW - 900_000), /arm/, 'an arm would install it anew')
  t.match(cureOf(NOW - 900_000), /goes on from its disk/)
  t.end()
})

t.test('time before this server began to serve is nobody’s silence', (t) => {
  const snapshot = aSnapshot({ forSeconds: 3600, servingSinceMs: NOW - 10_000 })
  t.equal(situationOf(snapshot).standing, 'moving')
  t.end()
})

t.test('a transfer that moves is movement; one that begins again and again is not', (t) => {
  const transfer = aTrace({ kind: 'http', key: 'asked:initrd:initrd', lastAtMs: NOW - 5000 })
  const slow = { stage: 'kernel-sent', forSeconds: 500 } as const
  t.equal(situationOf(aSnapshot({ ...slow, traces: [transfer] })).standing, 'moving')
  t.equal(situationOf(aSnapshot({ ...slow, traces: [{ ...transfer, times: 4 }] })).standing, 'stalled')
  t.end()
})

t.test(
  'a root that stage 1 tells of: movement while it grows, how far it is, and since when it is not',
  (t) => {
    const image = anImage({ files: [{ name: 'root.squashfs', role: 'squashfs', bytes: 4000, sha256: 'aa' }] })
    const facts = { bytes: 1000, file_bytes: 4000 }
    const told = aTrace({ kind: 'http', key: 'squashfs-progress', times: 14, lastAtMs: NOW - 50_000, facts })
    const at = { stage: 'initrd-sent', forSeconds: 900, image } as const
    t.match(diagnose(aSnapshot({ ...at, traces: [told] })), {
      situation: { standing: 'moving' },
      rootProgress: { bytes: 1000, fileBytes: 4000, toldAtMs: NOW - 50_000, isWaiting: false },
      findings: [],
    })
    const silent = { ...told, lastAtMs: NOW - 200_000 }
    t.match(diagnose(aSnapshot({ ...at, traces: [silent] })), {
      situation: { standing: 'stalled' },
      findings: [
        {
          code: 'root-not-loaded',
          evidence:
            'stage 1 had 1000 of 4000 bytes of root.squashfs 200 s ago, and has told of no more since',
        },
      ],
    })
    const waits = aTrace({ kind: 'http', key: 'squashfs-waiting', times: 5, lastAtMs: NOW - 20_000, facts })
    t.match(diagnose(aSnapshot({ ...at, traces: [silent, waits] })), {
      situation: { standing: 'stalled' },
      rootProgress: { isWaiting: true },
      findings: [
        {
          likelihood: 'certain',
          evidence: /no room for its transfer.*; 1000 of 4000 bytes were there 20 s ago/,
        },
      ],
    })
    for (const over of ['squashfs-loaded', 'squashfs-failed']) {
      const later = aTrace({ kind: 'http', key: over, facts: { bytes: 4000, why: 'refused' } })
      t.equal(diagnose(aSnapshot({ ...at, traces: [told, later] })).rootProgress, undefined, over)
    }
    t.end()
  },
)

t.test('tftp-stopped: the first block that nobody acknowledges', (t) => {
  const facts = { end: 'timed-out', confirmed_bytes: 0, file_bytes: 70_000 }
  const traces = [
    aTrace({ kind: 'tftp', key: 'loader:undionly.kpxe', lastAtMs: NOW - 90_000, retries: 5, facts }),
  ]
  const { findings } = diagnose(aSnapshot({ forSeconds: 200, traces }))
  t.match(findings[0], {
    code: 'tftp-stopped',
    evidence: 'first block of undionly.kpxe sent 6 times, no ACK came',
  })
  t.end()
})

t.test('a wait at a gate has a limit of its own, and a gate that is not asked any more keeps nobody', (t) => {
  const gate = aTrace({
    kind: 'gate',
    key: 'chainfire-cluster-join:waiting-for-slot',
    facts: { detail: 'd', place: 2 },
  })
  const steps = [
    { bootId: 'b1', step: 'chainfire-cluster-join', state: 'started', sequence: 1, reason: '' },
  ] as const
  const waits = { stage: 'chainfire-cluster-join', forSeconds: 200, steps } as const
  t.match(situationOf(aSnapshot({ ...waits, traces: [gate] })), { standing: 'waiting', limitMs: 300_000 })
  const left = { ...gate, lastAtMs: NOW - 20_000 }
  t.match(situationOf(aSnapshot({ ...waits, traces: [left] })), { standing: 'stalled', limitMs: 70_000 })
  t.end()
})

t.test('slot-held by a suspect: the cure is to free it by hand', (t) => {
  const gate = aTrace({ kind: 'gate', key: 'chainfire-cluster-join:waiting-for-slot' })
  const holder = { machine: aMachine({ id: 'm2', name: 'node02' }), steps: [] }
  const slot = aSlot('chainfire-cluster-join', {
    state: 'suspect',
    machineId: 'm2',
    slotNo: 3,
    action: 'join',
    heardAtMs: NOW - 200_000,
  })
  const snapshot = aSnapshot({
    stage: 'chainfire-cluster-join',
    forSeconds: 30,
    traces: [gate],
    peers: [holder],
    slots: [slot],
    cluster: aFoundedCluster(),
  })
  t.match(diagnose(snapshot).findings[0], {
    code: 'slot-held',
    evidence: /node02 holds slot 3 \(suspect, join\), heard 200 s ago/,
    cure: /slot free/,
  })
  t.end()
})

t.test('config-refused: evidence and cure are of the refusal that came last', (t) => {
  const refused = (key: string, secondsAgo: number, firstSecondsAgo = secondsAgo) =>
    aTrace({
      ...{ kind: 'redeem', key, facts: { address: '10.77.0.11' } },
      ...{ firstAtMs: NOW - firstSecondsAgo * 1000, lastAtMs: NOW - secondsAgo * 1000 },
    })
  const first = (...traces: TraceRecord[]) =>
    diagnose(
      aSnapshot({ stage: 'initrd-sent', forSeconds: 600, traces, cluster: aFoundedCluster() }),
    ).findings.find(({ code }) => code === 'config-refused')
  t.match(first(refused('wrong-address', 5, 300), refused('expired-token', 100)), {
    evidence: /refused: wrong-address/,
    cure: /must keep the address/,
  })
  for (const frozen of ['F2', 'F4', 'cluster-frozen'])
    t.match(
      first(refused('wrong-address', 300), refused(frozen, 5)),
      { evidence: `asked 1 time from 10.77.0.11, refused: ${frozen}`, cure: /cluster unfreeze demo --as/ },
      'armed again it would be refused again',
    )
  t.end()
})

t.test('operator-decides: every word of a gate that only a person answers', (t) => {
  const steps = [
    { bootId: 'b1', step: 'chainfire-cluster-join', state: 'started', sequence: 1, reason: '' },
  ] as const
  for (const reason of [
    'held',
    'cluster-lost',
    'cluster-frozen',
    'remove-by-hand',
    'being-removed',
    'flaredb-there',
    'flaredb-unknown',
  ]) {
    const gate = aTrace({ kind: 'gate', key: `chainfire-cluster-join:${reason}`, facts: { detail: 'why' } })
    const snapshot = aSnapshot({
      stage: 'chainfire-cluster-join',
      forSeconds: 30,
      steps,
      traces: [gate],
      cluster: aFoundedCluster(),
    })
    t.match(diagnose(snapshot).findings[0], { code: 'operator-decides', cure: /demo$/ }, reason)
  }
  t.end()
})

t.test('a hold is ended where it was put: at the fleet, the cluster, or the machine', (t) => {
  const step = 'flaredb-cluster-join'
  const cluster = aFoundedCluster()
  for (const [machine, held, fleet, cure] of [
    [{}, {}, {}, 'pilotlight fleet release'],
    [{}, { held: true }, undefined, 'pilotlight cluster release demo'],
    [{ holdStep: step }, {}, undefined, 'pilotlight machine release node01'],
    [{ state: 'held' }, {}, undefined, 'pilotlight machine release node01'],
    [{ state: 'held' }, { held: true }, undefined, 'pilotlight cluster release demo'],
  ] as const) {
    const of = { machine: aMachine(machine), cluster: { ...cluster, ...held } }
    const detail = heldBefore(step, of.machine, of.cluster, fleet) ?? 'not held'
    const gate = aTrace({ kind: 'gate', key: `${step}:held`, facts: { detail } })
    const steps = [{ bootId: 'b1', step, state: 'started', sequence: 1, reason: '' }] as const
    const { findings } = diagnose(aSnapshot({ stage: step, forSeconds: 30, steps, traces: [gate], ...of }))
    t.match(findings[0], { code: 'operator-decides', cure }, detail)
  }
  t.end()
})

t.test('no-leader asks every member, and counts who answers', (t) => {
  const gate = aTrace({ kind: 'gate', key: 'flaredb-cluster-join:no-leader' })
  const steps = (['chainfire-cluster-join', 'flaredb-cluster-join'] as const).map((step, index) => ({
    bootId: 'b1',
    step,
    state: index === 0 ? ('succeeded' as const) : ('started' as const),
    sequence: index + 1,
    reason: '',
  }))
  const members = [1, 2, 3].map((n) =>
    aMember({ machineId: `m${n}`, memberId: `node0${n}.1`, address: ip(`10.77.0.1${n}`) }),
  )
  const seen = { service: 'chainfire', atMs: NOW, said: '{}' } as const
  const snapshot = aSnapshot({
    stage: 'flaredb-cluster-join',
    forSeconds: 30,
    traces: [gate],
    steps,
    members,
    cluster: aFoundedCluster(),
    health: [
      { ...seen, address: ip('10.77.0.11'), isHealthy: true, raft: 'follower' },
      { ...seen, address: ip('10.77.0.12'), isHealthy: false, said: 'connect ECONNREFUSED' },
    ],
  })
  t.strictSame(
    healthWanted(snapshot).map(({ address }) => address),
    members.map(({ address }) => address),
  )
  t.match(
    diagnose(snapshot).findings[0]?.evidence,
    'chainfire has a quorum of 1 of 3 and no leader: node01.1 answers follower, node02.1 is not healthy (connect ECONNREFUSED), node03.1 was not asked',
  )
  t.end()
})

t.test('a stall is told once a stage', (t) => {
  const stalled = aSnapshot({ forSeconds: 100 })
  const told = decideStall(stalled)
  t.strictSame(eventTypes(told.effects), ['machine.stalled'])
  t.match(effectsOf(told.effects, 'mark-stalled'), [{ bootId: 'b1', stage: 'offered', atMs: NOW }])
  t.strictSame(decideStall(aSnapshot({ forSeconds: 200, stalledAtMs: NOW - 100_000 })).effects, [])
  t.strictSame(decideStall(aSnapshot({ forSeconds: 1 })).effects, [], 'and not before')
  t.end()
})

t.test('a ready machine needs no explanation', (t) => {
  const snapshot = aSnapshot({ stage: 'cluster-health-check', machine: aMachine({ state: 'ready' }) })
  const attempt = anAttempt({ stage: 'ready', end: 'ready', endedAtMs: NOW - 1000 })
  const records = { ...snapshot.records!, attempt }
  t.match(diagnose({ ...snapshot, records }), { situation: { standing: 'ready' }, findings: [] })
  t.end()
})

t.test(
  'every service that is ill is a finding of its own, with its impact: as the server sees it, else as the node says',
  (t) => {
    const steps: StepRecord[] = [
      {
        ...{
          bootId: 'b1',
          step: 'cluster-health-check',
          state: 'waiting',
          sequence: 9,
          startedAtMs: NOW - 190_000,
        },
        reason:
          'prismnet: wrong-field: status is "sick", want healthy; flashdns: refused: no answer from the DNS server on port 53',
      },
    ]
    const address = ip('10.77.0.11')
    const seen = { address, atMs: NOW - 2_000, raft: 'none' }
    const snapshot = aSnapshot({
      ...{ stage: 'cluster-health-check', forSeconds: 200, steps, address },
      machine: aMachine({ state: 'first-boot' }),
      health: [
        { ...seen, service: 'lightningstor', isHealthy: false, said: 'timeout: no answer within 3 s' },
        {
          ...seen,
          service: 'prismnet',
          isHealthy: false,
          said: 'wrong-field: status is "sick", want healthy',
        },
        { ...seen, service: 'chainfire', isHealthy: true, said: 'healthy' },
        { ...seen, address: ip('10.77.0.12'), service: 'fiberlb', isHealthy: false, said: 'another machine' },
      ],
    })
    const findings = diagnose(snapshot).findings.filter(({ code }) => code === 'service-unhealthy')
    t.strictSame(
      findings.map(({ evidence }) => evidence),
      [
        'prismnet on 10.77.0.11 is not healthy; asked 2 s ago: wrong-field: status is "sick", want healthy',
        'the node says: flashdns: refused: no answer from the DNS server on port 53',
        'lightningstor on 10.77.0.11 is not healthy; asked 2 s ago: timeout: no answer within 3 s',
      ],
    )
    for (const [index, name] of (['prismnet', 'flashdns', 'lightningstor'] as const).entries()) {
      const { impact, mitigation } = serviceByName(name)
      t.strictSame(
        findings[index]?.impact,
        impact.map(({ what }) => what),
      )
      t.strictSame(findings[index]?.mitigation, mitigation)
      t.match(findings[index]?.cure, `journalctl -u ${name};`)
    }
    t.end()
  },
)

t.test(
  'a step that failed for a service’s health is that service’s finding, also where its script says IAM',
  (t) => {
    const reason =
      'nothing was sent: IAM is not healthy after 120 s: refused: nothing listens on https://localhost:8080/health'
    const steps: StepRecord[] = [
      {
        bootId: 'b1',
        step: 'iam-initial-setup',
        state: 'failed',
        sequence: 9,
        startedAtMs: NOW - 90_000,
        reason,
      },
    ]
    const machine = aMachine({ state: 'failed' })
    const { findings } = diagnose(aSnapshot({ stage: 'iam-initial-setup', forSeconds: 90, steps, machine }))
    t.match(findings[0], { code: 'service-unhealthy', evidence: /^the node says: IAM is not healthy/ })
    t.strictSame(findings[0]?.mitigation, serviceByName('iam').mitigation)
    t.notOk(findings.some(({ code }) => code === 'step-failed'))
    t.end()
  },
)

t.test('every cause has a code of its own, and the runbook a row for it', async (t) => {
  const { readFileSync } = await import('node:fs')
  const runbook = readFileSync(new URL('../../../docs/runbook.md', import.meta.url), 'utf8')
  t.equal(new Set(CAUSES.map(({ code }) => code)).size, CAUSES.length)
  for (const { code } of CAUSES) t.ok(runbook.includes(`| \`${code}\` |`), code)
})
