import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { pilotlightYaml, registerMachines, untilListening } from '../../bench/dhcp/servers.ts'
import { skipWithout } from '../../support/dhcp-client-world.ts'
import { inside, Namespaces } from '../../support/dhcp-netns.ts'

const START = fileURLToPath(new URL('../../../src/start.js', import.meta.url))
const LOAD_CLIENT = fileURLToPath(new URL('../../bench/dhcp/load-client.ts', import.meta.url))
const CLIENTS = 40

/** A traced call: the start of a UDP payload in hex for messages, or a sync of the disk. */
type Call =
  | { readonly kind: 'sync' }
  | { readonly kind: 'in' | 'out'; readonly xid: string; readonly type: number }

/** Reads `strace -xx`: BOOTP op, xid, and option 53 where our codec and the load client put it. */
function callOf(line: string): Call | undefined {
  if (/\b(?:fsync|fdatasync)\(.*= 0$/.test(line) || /<\.\.\. (?:fsync|fdatasync) resumed>.*= 0$/.test(line))
    return { kind: 'sync' }
  const message = /\b(recvmsg|sendmsg)\(.*iov_base="((?:\\x[0-9a-f]{2})+)"/.exec(line)
  const bytes = message?.[2]?.split('\\x').slice(1)
  if (bytes === undefined || bytes[236] !== '63' || bytes[240] !== '35') return undefined
  return {
    kind: message?.[1] === 'recvmsg' ? 'in' : 'out',
    xid: bytes.slice(4, 8).join(''),
    type: Number.parseInt(bytes[242] ?? '', 16),
  }
}

/** The first process that a process started. */
function childOf(pid: number): number {
  const child = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ')[0])
  if (!(child > 1)) throw new Error(`process ${pid} has no child`)
  return child
}

t.test(
  'no ACK leaves before the disk was synced after its REQUEST',
  { skip: skipWithout('strace'), timeout: 100_000 },
  async (t) => {
    const namespaces = new Namespaces()
    const workDir = mkdtempSync(path.join(tmpdir(), 'durable-ack-'))
    t.teardown(async () => {
      await namespaces.clear()
      rmSync(workDir, { recursive: true, force: true })
    })
    const [serverSide, clientSide] = [namespaces.add('s'), namespaces.add('c')]
    namespaces.join([serverSide, 's0', '10.90.0.1/24'], [clientSide, 'c0', '10.100.0.1/15'])
    inside(serverSide, 'ip', 'route', 'add', '10.100.0.0/15', 'dev', 's0')
    inside(clientSide, 'ip', 'route', 'add', '10.90.0.0/24', 'dev', 'c0')
    const config = path.join(workDir, 'pilotlight.yaml')
    writeFileSync(config, pilotlightYaml(workDir, 'warn'))
    await registerMachines(
      path.join(workDir, 'data'),
      Array.from({ length: CLIENTS }, (_, client) => client),
    )
    const trace = path.join(workDir, 'trace')
    const server = namespaces.start(serverSide, [
      ...['strace', '-f', '-o', trace, '-xx', '-s', '300', '-e', 'trace=fsync,fdatasync,sendmsg,recvmsg'],
      ...[process.execPath, START, 'serve', '--config', config],
    ])
    await untilListening(namespaces, serverSide, server)
    // A killed strace leaves the program that it traced running: the server is ended by itself, and strace with it.
    const serverPid = childOf(server.child.pid ?? 0)
    let isEnded = false
    const endServer = async () => {
      if (isEnded) return
      isEnded = true
      process.kill(serverPid, 'SIGTERM')
      await server.ended()
    }
    t.teardown(endServer)
    const wish = {
      mode: 'closed',
      relay: '10.100.0.1',
      server: '10.90.0.1',
      exchanges: CLIENTS,
      outstanding: 8,
    }
    const load = namespaces.start(clientSide, [
      process.execPath,
      LOAD_CLIENT,
      JSON.stringify({ ...wish, clients: CLIENTS, firstClient: 0 }),
    ])
    t.match(JSON.parse(await load.line(/^\{/)), { exchanges: CLIENTS, twice: 0 })
    await endServer()

    const asked = new Map<string, number>()
    let syncs = 0
    let acks = 0
    let tooEarly = 0
    for (const call of readFileSync(trace, 'latin1').split('\n').map(callOf)) {
      if (call === undefined) continue
      if (call.kind === 'sync') syncs += 1
      else if (call.kind === 'in' && call.type === 3) asked.set(call.xid, syncs)
      else if (call.kind === 'out' && call.type === 5) {
        acks += 1
        if (syncs === (asked.get(call.xid) ?? syncs)) tooEarly += 1
      }
    }
    t.equal(acks, CLIENTS)
    t.equal(tooEarly, 0)
    t.ok(syncs > 0, `${syncs} syncs for ${acks} ACKs`)
    t.comment(`${syncs} syncs, ${acks} ACKs`)
  },
)
