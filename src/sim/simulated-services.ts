import { once } from 'node:events'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Ipv4 } from '../net/ipv4.ts'
import { exchange } from './http-exchange.ts'

/** Key and certificate that a simulated machine's services answer with, and the CA that signed it, all PEM. */
export interface ServiceIdentity {
  readonly keyPem: string
  readonly certPem: string
  readonly caPem: string
}

interface MemberEntry {
  readonly id: string
  readonly name: string
  readonly raft_addr: string
  readonly voter: boolean
  leader: boolean
}

/** Stands in for a Raft service on one machine: it founds, takes members in, lists them, and tells of its health. */
class SimulatedRaft {
  #members: MemberEntry[] = []
  #role: 'none' | 'leader' | 'follower' = 'none'

  found(id: string, raftAddress: string): void {
    this.#role = 'leader'
    this.#members = [{ id, name: id, raft_addr: raftAddress, voter: true, leader: true }]
  }

  follow(members: readonly MemberEntry[]): void {
    this.#role = 'follower'
    this.#members = [...members]
  }

  health(extra: object) {
    return { status: 'healthy', raft: this.#role, cluster_size: this.#members.length, ...extra }
  }

  list() {
    return { members: this.#members }
  }

  /** The leader takes a member in; anybody else answers where the leader is not. */
  add(body: unknown): { status: number; answer: object } {
    if (this.#role !== 'leader') return { status: 421, answer: { error: 'not the leader' } }
    const { id, name, raft_addr, voter } = body as MemberEntry
    if (typeof id !== 'string' || typeof raft_addr !== 'string') {
      return { status: 400, answer: { error: 'want id, name, raft_addr, voter' } }
    }
    const known = this.#members.find((member) => member.id === id)
    if (known !== undefined) return { status: 409, answer: this.list() }
    this.#members.push({ id, name: name ?? id, raft_addr, voter: voter === true, leader: false })
    return { status: 201, answer: this.list() }
  }
}

/** Chainfire, FlareDB and IAM of one simulated machine, on their own ports of the machine's own address, over TLS. */
export class SimulatedServices {
  readonly chainfire = new SimulatedRaft()
  readonly flaredb = new SimulatedRaft()
  readonly #address: Ipv4
  readonly #identity: ServiceIdentity
  readonly #servers: https.Server[] = []
  #hasAdmin = false

  constructor(address: Ipv4, identity: ServiceIdentity) {
    this.#address = address
    this.#identity = identity
  }

  async start(): Promise<void> {
    await this.#listen(2379, (method, path, body) => this.#raft(this.chainfire, {}, method, path, body))
    await this.#listen(2479, (method, path, body) =>
      this.#raft(this.flaredb, { chainfire: 'connected' }, method, path, body),
    )
    await this.#listen(8080, (method, path) => this.#iam(method, path))
  }

  async stop(): Promise<void> {
    for (const server of this.#servers) {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    }
  }

  /** Asks the leader to take this machine in; the leader's list is what a follower knows. */
  async join(
    service: 'chainfire' | 'flaredb',
    leaderUrl: string,
    memberId: string,
    voter: boolean,
  ): Promise<void> {
    const port = service === 'chainfire' ? 2380 : 2480
    const answer = await exchange({
      method: 'POST',
      url: `${leaderUrl}/cluster/members`,
      ca: this.#identity.caPem,
      body: { id: memberId, name: memberId, raft_addr: `${this.#address}:${port}`, voter },
      timeoutMs: 5_000,
    })
    if (![200, 201, 409].includes(answer.status))
      throw new Error(`${leaderUrl} answered ${answer.status} to a join`)
    this[service].follow(JSON.parse(answer.body.toString()).members)
  }

  #raft(raft: SimulatedRaft, extra: object, method: string, path: string, body: unknown) {
    if (method === 'GET' && path === '/health') return { status: 200, answer: raft.health(extra) }
    if (method === 'GET' && path === '/cluster/members') return { status: 200, answer: raft.list() }
    if (method === 'POST' && path === '/cluster/members') return raft.add(body)
    return { status: 404, answer: { error: 'not found' } }
  }

  #iam(method: string, path: string) {
    if (method === 'GET' && path === '/health') {
      return { status: 200, answer: { status: 'healthy', database: 'connected', version: '1.0.0' } }
    }
    if (method === 'POST' && path === '/setup') {
      const status = this.#hasAdmin ? 409 : 201
      this.#hasAdmin = true
      return { status, answer: {} }
    }
    return { status: 404, answer: { error: 'not found' } }
  }

  async #listen(
    port: number,
    answer: (method: string, path: string, body: unknown) => { status: number; answer: object },
  ): Promise<void> {
    const { keyPem: key, certPem: cert } = this.#identity
    const server = https.createServer({ key, cert }, (request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        const result = answer(
          request.method ?? 'GET',
          request.url ?? '/',
          text === '' ? undefined : JSON.parse(text),
        )
        response.writeHead(result.status, { 'content-type': 'application/json' })
        response.end(JSON.stringify(result.answer))
      })
    })
    server.listen(port, this.#address)
    await once(server, 'listening')
    this.#servers.push(server)
    const { port: bound } = server.address() as AddressInfo
    if (bound !== port) throw new Error(`asked for port ${port}, got ${bound}`)
  }
}
