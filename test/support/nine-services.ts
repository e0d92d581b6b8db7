import dgram from 'node:dgram'
import { once } from 'node:events'
import https from 'node:https'
import net from 'node:net'
import tls from 'node:tls'
import type { ServiceName } from '../../src/model/service.ts'
import { makeServiceCertificates, type ServiceCertificates } from '../../src/rack/service-certificates.ts'

/** How an endpoint behaves: as it should, or ill in one of the ways that must be told apart. */
export type Behaviour =
  | 'healthy'
  | 'wrong-field'
  | 'not-json'
  | 'status'
  | 'timeout'
  | 'refused'
  | 'bad-certificate'
  | 'no-tls'
  | 'dns-over-tls'

const HEALTHY: Readonly<Record<ServiceName, string>> = {
  chainfire: '{"status":"healthy","raft":"leader","cluster_size":1}',
  flaredb: '{"status":"healthy","raft":"leader","chainfire":"connected"}',
  iam: '{"status":"healthy","database":"connected","version":"1.0.0"}',
  plasmavmc: '{"status":"healthy","vms_running":42}',
  prismnet: '{"status":"healthy","networks":5}',
  flashdns: '{"status":"healthy"}',
  fiberlb: '{"status":"healthy","backends":3}',
  lightningstor: '{"status":"healthy","volumes":15,"total_gb":5000}',
  k8shost: 'ok',
}

/** Endpoints of the nine services on one loopback address, each on a port of its own, and a DNS server. */
export class NineServices {
  readonly address: string
  readonly ports = new Map<ServiceName, number>()
  dnsPort = 0
  /** The `Authorization` headers that each was asked with; an empty text: without one. */
  readonly authorizations = new Map<ServiceName, Set<string>>()
  readonly identity: ServiceCertificates
  readonly #stranger: ServiceCertificates
  readonly #closers: (() => void)[] = []

  constructor(address: string) {
    this.address = address
    this.identity = makeServiceCertificates([address])
    this.#stranger = makeServiceCertificates([address])
  }

  async start(behaviours: Partial<Record<ServiceName, Behaviour>>, dns: 'right' | 'wrong' | 'off' = 'right') {
    for (const name of Object.keys(HEALTHY) as ServiceName[])
      this.ports.set(name, await this.#serve(name, behaviours[name] ?? 'healthy'))
    this.dnsPort = await this.#serveDns(dns)
  }

  /** `services_api` of a cluster whose services listen here. */
  get servicesApi() {
    const entries = [...this.ports].map(([name, port]) => [
      name,
      { port, ...(name === 'flashdns' ? { dns_port: this.dnsPort } : {}) },
    ])
    return Object.fromEntries(entries) as Record<string, Record<string, number>>
  }

  close(): void {
    for (const close of this.#closers.splice(0)) close()
  }

  async #serve(name: ServiceName, behaviour: Behaviour): Promise<number> {
    const { keyPem, certPem } = behaviour === 'bad-certificate' ? this.#stranger : this.identity
    const identity = { key: keyPem, cert: certPem }
    if (behaviour === 'refused') {
      const port = await this.#listen(net.createServer())
      this.#closers.pop()?.()
      return port
    }
    if (behaviour === 'no-tls')
      return this.#listen(net.createServer((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n')))
    if (behaviour === 'dns-over-tls') {
      return this.#listen(tls.createServer(identity, (socket) => answerDnsStream(socket, 'right')))
    }
    return this.#listen(
      https.createServer(identity, (request, response) => {
        const seen = this.authorizations.get(name) ?? new Set()
        this.authorizations.set(name, seen.add(request.headers.authorization ?? ''))
        const path = name === 'k8shost' ? '/healthz' : '/health'
        if (behaviour === 'timeout') return
        if (request.url !== path) return void response.writeHead(404).end('{}')
        if (behaviour === 'status') return void response.writeHead(500).end(HEALTHY[name])
        if (behaviour === 'not-json') return void response.end('<html>')
        const body = HEALTHY[name]
        response.end(
          behaviour === 'wrong-field' ? body.replace('healthy', 'starting').replace('ok', 'not ok') : body,
        )
      }),
    )
  }

  async #listen(server: net.Server): Promise<number> {
    const open = new Set<net.Socket>()
    server.on('connection', (socket: net.Socket) => {
      open.add(socket)
      socket.on('error', () => undefined).once('close', () => open.delete(socket))
    })
    server.on('tlsClientError', () => undefined)
    server.listen(0, this.address)
    await once(server, 'listening')
    this.#closers.push(() => {
      for (const socket of open) socket.destroy()
      server.close()
    })
    return (server.address() as net.AddressInfo).port
  }

  /** UDP for the server's question, TCP for the node's, on one port. */
  async #serveDns(how: 'right' | 'wrong' | 'off'): Promise<number> {
    const port = await this.#listen(net.createServer((socket) => answerDnsStream(socket, how)))
    if (how === 'off') {
      this.#closers.pop()?.()
      return port
    }
    const udp = dgram.createSocket('udp4')
    udp.on('message', (query, from) => udp.send(dnsAnswer(query, how), from.port, from.address))
    udp.bind(port, this.address)
    await once(udp, 'listening')
    this.#closers.push(() => udp.close())
    return port
  }
}

function answerDnsStream(socket: net.Socket, how: 'right' | 'wrong' | 'off'): void {
  socket.on('error', () => undefined)
  socket.once('data', (data: Buffer) => {
    // A length that no query has: somebody speaks HTTP to it. It waits for the rest, as a real one would.
    if (data.length < 14 || data.readUInt16BE(0) !== data.length - 2) return
    const answer = dnsAnswer(data.subarray(2), how)
    const length = Buffer.alloc(2)
    length.writeUInt16BE(answer.length)
    socket.write(Buffer.concat([length, answer]))
  })
}

/** One A record for whatever was asked: 127.0.0.1, or another address. RFC 1035 §4.1. */
function dnsAnswer(query: Buffer, how: string): Buffer {
  const end = query.indexOf(0, 12) + 5
  const head = Buffer.from([...query.subarray(0, 2), 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0])
  const address = how === 'right' ? [127, 0, 0, 1] : [192, 0, 2, 9]
  const record = Buffer.from([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 10, 0, 4, ...address])
  return Buffer.concat([head, query.subarray(12, end), record])
}
