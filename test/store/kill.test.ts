import { createHash, randomBytes, randomInt } from 'node:crypto'
import path from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import type { Mac } from '../../src/net/mac.ts'
import { type RedeemedConfig, ServerProcess, tokenIn } from '../support/server-process.ts'

const KILLS = 16
const MACHINES = 3
const LEASERS = 3

/** What the server has acknowledged, and must therefore still know after it is killed. */
class Acknowledged {
  readonly leases = new Map<Mac, string>()
  readonly redemptions = new Map<string, { readonly sha256: string; readonly cluster: string }>()
  readonly reports = new Map<string, number>()
  /** The machines that were told to bootstrap, by cluster. */
  readonly founders = new Map<string, Set<string>>()
  /** How many of each kind, repeats included. */
  readonly counts = { lease: 0, redeem: 0, report: 0 }
  total = 0
  onOne: () => void = () => undefined

  note(kind: keyof Acknowledged['counts'], put: () => void): void {
    put()
    this.counts[kind] += 1
    this.total += 1
    this.onOne()
  }
}

/** A machine in its first boot, with what a node would still know after it lost its server. */
interface Node {
  readonly name: string
  readonly mac: Mac
  readonly n: number
  readonly cluster: string
  readonly nonce: string
  token?: string
  config?: RedeemedConfig
  sequence: number
}

t.test(
  'kill -9 at any moment loses nothing that was acknowledged, and nobody bootstraps twice',
  { timeout: 300_000 },
  async (t) => {
    const server = await ServerProcess.start(t, { unknownMachines: 'discover' })
    const image = await server.importImage()
    const known = new Acknowledged()
    const nodes: Node[] = []
    const kinds = { lease: 0, redeem: 0, report: 0 }
    for (let round = 0; round < KILLS; round += 1) {
      // Every second round begins a cluster anew; the others go on with the nodes that were cut off.
      if (round % 2 === 0) nodes.splice(0, nodes.length, ...(await addCluster(server, image, round)))
      const before = { ...known.counts }
      const { signal, killed } = killAfter(server, known, randomInt(2, 60))
      const work = [
        ...nodes.map((node) => bootNode(server, node, known, signal)),
        ...Array.from({ length: LEASERS }, () => takeLeases(server, known, signal)),
      ]
      await killed
      await Promise.all(work)
      for (const kind of ['lease', 'redeem', 'report'] as const)
        if (known.counts[kind] > before[kind]) kinds[kind] += 1
      const lost = whatIsLost(path.join(server.dataDir, 'pilotlight.db'), known)
      t.same(lost, [], `kill ${round + 1}, after ${known.total} acknowledgements`)
      await server.start()
    }
    for (const [cluster, founders] of known.founders) t.equal(founders.size, 1, `${cluster} has one founder`)
    t.ok(known.founders.size >= 2, 'more than one cluster was founded')
    t.comment(
      `${known.total} acknowledgements; rounds with leases, redemptions, reports: ${JSON.stringify(kinds)}`,
    )
    t.ok(Math.min(kinds.lease, kinds.redeem, kinds.report) > 0, 'rounds of every kind')
  },
)

/** Kills the server a moment after so many more acknowledgements; the signal tells its clients. */
function killAfter(server: ServerProcess, known: Acknowledged, more: number) {
  const over = new AbortController()
  const due = known.total + more
  const killed = new Promise<void>((resolve) => {
    known.onOne = () => {
      if (known.total !== due) return
      // Up to a few turns and commits later, so that it is not always the moment after an answer.
      setTimeout(
        () => {
          over.abort()
          void server.end('SIGKILL').then(() => resolve())
        },
        randomInt(0, 15),
      )
    }
  })
  return { signal: over.signal, killed }
}

async function addCluster(server: ServerProcess, image: string, round: number): Promise<Node[]> {
  const cluster = `c${round}`
  await server.api('POST', '/clusters', { name: cluster, expected_control_plane: MACHINES })
  const nodes: Node[] = []
  for (let index = 0; index < MACHINES; index += 1) {
    const n = round * MACHINES + index
    const mac = `02:6b:00:00:00:${n.toString(16).padStart(2, '0')}` as Mac
    const name = `${cluster}n${index}`
    const machine = { name, macs: [mac], role: 'control-plane', cluster, image, address: server.addressOf(n) }
    await server.api('POST', '/machines', machine)
    nodes.push({ name, mac, n, cluster, nonce: randomBytes(16).toString('hex'), sequence: 0 })
  }
  await server.api('POST', `/clusters/${cluster}/arm`, {})
  return nodes
}

/** Boots, redeems and reports until the server is gone; goes on where it was when called again. */
async function bootNode(
  server: ServerProcess,
  node: Node,
  known: Acknowledged,
  over: AbortSignal,
): Promise<void> {
  const from = server.addressOf(node.n)
  try {
    node.token ??= tokenIn(await server.fetchCommandLine(node.mac, over))
    if (node.config === undefined) {
      const answer = await server.redeem(node.mac, node.token, from, node.nonce)
      if (answer.status !== 200) throw new Error(`${node.name}: ${answer.status} ${answer.body}`)
      const config = JSON.parse(answer.body.toString()) as RedeemedConfig
      node.config = config
      known.note('redeem', () => {
        const sha256 = createHash('sha256').update(answer.body).digest('hex')
        known.redemptions.set(config.provisioning.boot_id, { sha256, cluster: node.cluster })
        if (!config.bootstrap) return
        const founders = known.founders.get(node.cluster) ?? new Set()
        known.founders.set(node.cluster, founders.add(node.name))
      })
    }
    const { config } = node
    while (!over.aborted) {
      node.sequence += 1
      const { sequence } = node
      const answer = await server.report(config, from, sequence)
      if (answer.status !== 200) throw new Error(`${node.name}: ${answer.status} ${answer.body}`)
      known.note('report', () => known.reports.set(config.provisioning.boot_id, sequence))
    }
  } catch (error) {
    if (!over.aborted) throw error
  }
}

/** Clients of the pool take leases, one after the other. */
async function takeLeases(server: ServerProcess, known: Acknowledged, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    const mac = `02:1e:00:00:00:${randomInt(0, 60).toString(16).padStart(2, '0')}` as Mac
    try {
      const { address } = await server.lease(mac, 'ipxe-bios', { signal: over })
      known.note('lease', () => known.leases.set(mac, address))
    } catch (error) {
      if (!over.aborted) throw error
    }
  }
}

/** What the database no longer knows of the things acknowledged; opening it after the kill is part of the test. */
function whatIsLost(file: string, known: Acknowledged): string[] {
  const db = new Database(file)
  try {
    const check = db.pragma('integrity_check', { simple: true })
    const lost = check === 'ok' ? [] : [`integrity: ${check}`]
    const broken = db.pragma('foreign_key_check') as unknown[]
    if (broken.length > 0) lost.push(`${broken.length} broken references`)
    const lease = db.prepare('SELECT address FROM lease WHERE mac = ?').pluck()
    for (const [mac, address] of known.leases) if (lease.get(mac) !== address) lost.push(`lease of ${mac}`)
    const redemption = db.prepare('SELECT config_sha256 FROM redemption WHERE boot_id = ?').pluck()
    for (const [bootId, { sha256 }] of known.redemptions)
      if (redemption.get(bootId) !== sha256) lost.push(`redemption of ${bootId}`)
    const sequence = db.prepare('SELECT sequence FROM step WHERE boot_id = ?').pluck()
    for (const [bootId, acknowledged] of known.reports)
      if (((sequence.get(bootId) as number | undefined) ?? 0) < acknowledged) lost.push(`report of ${bootId}`)
    return lost
  } finally {
    db.close()
  }
}
