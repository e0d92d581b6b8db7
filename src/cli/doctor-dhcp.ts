import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { Config } from '../config/config.ts'
import type { ForeignServer } from '../model/foreign-server.ts'
import { BROADCAST, cidrContains, type Ipv4 } from '../net/ipv4.ts'
import type { Mac } from '../net/mac.ts'
import { isDhcpServed, modeAt, modeBeside } from '../servers/dhcp/dhcp-place.ts'
import { enlargeReceiveBuffer, isLoopback } from '../servers/dhcp/dhcp-sockets.ts'
import { ForeignWatch } from '../servers/dhcp/foreign-watch.ts'
import { answerOf, urlOf } from './api-client.ts'
import { answered, apiRequest, textOf } from './api-request.ts'
import { bad, type Check, ok } from './doctor-check.ts'

const WANTED_BUFFER_BYTES = 4 * 1024 * 1024
const API_WAIT_MS = 2000
/** EDK2 itself collects offers for 4 s; servers on the same link answer within a second. */
const PROBE_WAIT_MS = 1500
const PROBE_MAC = '02:70:6c:00:00:01' as Mac

/** What a running server says of its links. */
interface RunningDhcp {
  readonly links: readonly {
    readonly interface: string | null
    readonly address: string
    readonly sockets: string
    readonly receive_buffer_bytes: number
  }[]
  readonly foreign_servers: readonly {
    readonly server_id: string
    readonly source_address: string
    readonly offered: string
    readonly has_boot_data: boolean
  }[]
}

/** How DHCP gets its packets, how many it can hold, and whether somebody else answers as well. */
export async function dhcpChecks(config: Config): Promise<readonly Check[]> {
  const running = isDhcpServed(config) ? await askRunning(config) : undefined
  const buffer = await receiveBufferCheck(running)
  if (!isDhcpServed(config)) return [buffer]
  return [socketsCheck(config, running), buffer, await foreignCheck(config, running)]
}

/** The running server of this machine; undefined: none answers, or not to us. */
async function askRunning({ api, dataDir }: Config): Promise<RunningDhcp | undefined> {
  const file = path.join(dataDir, 'admin.token')
  if (!existsSync(file)) return undefined
  try {
    const access = { url: urlOf(api), token: readFileSync(file, 'utf8').trim() }
    const request = apiRequest(access, 'GET', '/dhcp')
    request.setTimeout(API_WAIT_MS, () => request.destroy())
    const answer = await answered(request, access)
    return answerOf<RunningDhcp>(answer.statusCode ?? 0, await textOf(answer, access))
  } catch {
    return undefined
  }
}

function socketsCheck(config: Config, running: RunningDhcp | undefined): Check {
  const name = 'DHCP sockets'
  if (running !== undefined) {
    const links = running.links.map(
      (link) =>
        `${link.interface ?? link.address}: ${link.sockets === 'systemd' ? 'from systemd' : 'opened by the server'}`,
    )
    return ok(name, links.join('; '))
  }
  if ((config.furtherLinks ?? []).length === 0) {
    return ok(
      name,
      'not serving; opened by the server itself, or by systemd where a socket unit hands them over',
    )
  }
  return ok(name, 'not serving; several links, so systemd must hand them over: a socket unit for each link')
}

/** What the kernel really grants, read back: a larger wish is cut without a word. */
async function receiveBufferCheck(running: RunningDhcp | undefined): Promise<Check> {
  const name = 'receive buffer'
  const granted =
    running === undefined || running.links.length === 0
      ? await grantedBytes()
      : Math.min(...running.links.map((link) => link.receive_buffer_bytes))
  const detail = `${granted} bytes granted of ${WANTED_BUFFER_BYTES} wanted`
  if (granted >= WANTED_BUFFER_BYTES) return ok(name, detail)
  const cure = `sysctl -w net.core.rmem_max=${WANTED_BUFFER_BYTES} (to keep it: a file in /etc/sysctl.d), or ReceiveBuffer= in the socket unit`
  return bad(name, `${detail}: many machines at once will lose packets`, cure)
}

async function grantedBytes(): Promise<number> {
  const socket = createSocket('udp4')
  const listening = once(socket, 'listening')
  socket.bind(0, '127.0.0.1')
  await listening
  const granted = enlargeReceiveBuffer(socket, WANTED_BUFFER_BYTES)
  socket.close()
  return granted
}

async function foreignCheck(config: Config, running: RunningDhcp | undefined): Promise<Check> {
  const name = 'other DHCP servers'
  if (running !== undefined) {
    return foreignVerdict(
      config,
      running.foreign_servers.map((one) => ({
        serverId: one.server_id as Ipv4,
        sourceAddress: one.source_address as Ipv4,
        offered: one.offered as Ipv4,
        hasBootData: one.has_boot_data,
      })),
    )
  }
  if (isLoopback(config.serverAddress)) return ok(name, 'not looked for on loopback')
  const heard = await probeLink(config)
  if (heard === undefined) {
    return ok(
      name,
      'not looked for: port 68 is taken or needs CAP_NET_BIND_SERVICE; the running server looks itself',
    )
  }
  return foreignVerdict(config, heard)
}

type HeardServer = Pick<ForeignServer, 'serverId' | 'sourceAddress' | 'offered' | 'hasBootData'>

/** Judges the servers that were heard, each by what this one does in its subnet. */
export function foreignVerdict(config: Config, servers: readonly HeardServer[]): Check {
  const name = 'other DHCP servers'
  const ownAddresses = [config.serverAddress, ...(config.furtherLinks ?? []).map(({ address }) => address)]
  const isRival = (one: HeardServer) => modeBeside(config, ownAddresses, one) === 'authoritative'
  const rivals = servers.filter(isRival)
  if (rivals.length > 0) {
    return bad(name, `${shown(rivals)}: machines follow whoever is first`, 'stop it, or set dhcp.mode: proxy')
  }
  if (servers.length === 0) {
    const isWanted = ownAddresses.some((own) => modeAt(config, own) === 'proxy')
    if (!isWanted) return ok(name, 'none answers')
    return bad(
      name,
      'none answers, and this server leases no addresses',
      'start one, or set dhcp.mode: authoritative',
    )
  }
  const booting = servers.filter(({ hasBootData }) => hasBootData)
  if (booting.length === 0) return ok(name, `${shown(servers)} leases the addresses`)
  return bad(
    name,
    `${shown(booting)} also says what to boot`,
    'take options 60, 66, 67 and next-server out of its configuration',
  )
}

function shown(servers: readonly HeardServer[]): string {
  return servers.map(({ serverId, offered }) => `${serverId} (gave ${offered})`).join(', ')
}

/** Asks the link once; undefined: nobody could hear the answers. */
async function probeLink(config: Config): Promise<readonly ForeignServer[] | undefined> {
  const { serverAddress, subnets } = config
  const socket = createSocket('udp4')
  const listening = once(socket, 'listening')
  socket.on('error', () => undefined)
  const heard = new Map<Ipv4, ForeignServer>()
  const watch = new ForeignWatch({
    ownAddresses: [serverAddress],
    probeMac: PROBE_MAC,
    send: (bytes) => socket.send(bytes, 67, BROADCAST),
    isOurs: (address) => subnets.some(({ cidr }) => cidrContains(cidr, address)),
    isKnown: () => false,
    onSeen: (server) => heard.set(server.serverId, server),
    log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
    everySeconds: 3600,
  })
  try {
    socket.bind(0, serverAddress)
    await listening
    socket.setBroadcast(true)
    if (!(await watch.start())) return undefined
    await new Promise((resolve) => setTimeout(resolve, PROBE_WAIT_MS))
    return [...heard.values()]
  } finally {
    await watch.stop()
    socket.close()
  }
}
