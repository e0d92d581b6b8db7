import { encode } from '../../dhcp/encode.ts'
import { payloadMaxOf } from '../../dhcp/options.ts'
import type { DhcpPacket } from '../../dhcp/packet.ts'
import type { BootAttempt } from '../../model/boot-attempt.ts'
import type { NewEvent } from '../../model/event.ts'
import type { ReplyShape } from '../../model/quirk.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'
import { attemptFor, uuidFrom } from '../boot/attempt.ts'
import type { Decision } from '../decision.ts'
import type { Effect, EventEffect } from '../effect.ts'
import type { BootFile, BootReason } from './choose-boot-file.ts'
import { type BootClient, isBootable } from './classify-client.ts'
import type { DhcpRequest } from './question.ts'
import type { ReplyDestination } from './reply-destination.ts'
import type { DhcpSnapshot } from './snapshot.ts'

/** A reply ready to be sent. */
export interface DhcpReply extends ReplyDestination {
  readonly packet: DhcpPacket
  readonly bytes: Uint8Array
  /** Why it carries the boot file that it carries, or none. */
  readonly boot: BootReason
  /** How long to wait before it is sent: firmware that misses an instant answer. */
  readonly delayMs?: number
  /** Most bytes of a TFTP block that this client bears. */
  readonly tftpBlockBytes?: number
}

export interface DhcpDecision extends Decision<DhcpReply | undefined> {
  /** An address that is to be probed first; the message is to be decided again with what the probe found. */
  readonly probe?: Ipv4
  /** Proxy mode: the address that the client is about to have, and the most bytes of a TFTP block that it bears. */
  readonly expected?: { readonly address: Ipv4; readonly tftpBlockBytes: number | undefined }
}

/** One message on its way to a decision, with what was read off it. */
export interface DhcpCase {
  readonly snapshot: DhcpSnapshot
  /** Its packet's ciaddr is zero where it must be. */
  readonly request: DhcpRequest
  readonly mac: Mac
  readonly client: BootClient
  readonly shape: ReplyShape
}

export function silent(reason: string, effects: readonly Effect[] = []): DhcpDecision {
  return { reply: undefined, reason, effects }
}

/** Writes the packet within the client's limit and addresses it. */
export function answer(
  { request, shape }: DhcpCase,
  packet: DhcpPacket,
  destination: ReplyDestination,
  boot: BootReason,
  reason: string,
  effects: readonly Effect[],
): DhcpDecision {
  const { padBytes, delayMs, tftpBlockBytes } = shape
  const bytes = encode(packet, payloadMaxOf(request.packet), padBytes)
  const reply: DhcpReply = {
    ...destination,
    packet,
    bytes,
    boot,
    ...(delayMs === undefined ? {} : { delayMs }),
    ...(tftpBlockBytes === undefined ? {} : { tftpBlockBytes }),
  }
  return { reply, reason, effects }
}

/** Whose machine a client is. */
export interface Admission {
  readonly machineId: string
  /** Effects that make it a machine, where it was none. */
  readonly effects: readonly Effect[]
}

/** Enough for a hall that is switched on at once, far below what fills a disk with invented MACs. */
const MOST_NEW_MACHINES_A_MINUTE = 1000

/**
 * Decides whether a client is served at all: a machine's MAC always is; of the others only one that is about to boot,
 * and only where unknown machines are discovered.
 *
 * @returns the reason to stay silent, where it is not served.
 */
export function admit({ snapshot, mac, client }: DhcpCase): Admission | string {
  const { machine, settings, nowMs, freshBytes } = snapshot
  if (machine !== undefined) return { machineId: machine.id, effects: [] }
  if (settings.unknownMachines === 'ignore') return 'unknown-machine'
  if (!isBootable(client)) return 'unknown-and-not-booting'
  if ((snapshot.newMachinesInLastMinute ?? 0) >= MOST_NEW_MACHINES_A_MINUTE) return 'too-many-new-machines'
  // The other half of the random bytes than a boot attempt's id is made of.
  const machineId = uuidFrom(freshBytes.subarray(16))
  const discovered = eventOf(snapshot, 'machine.discovered', { mac }, machineId)
  return { machineId, effects: [{ kind: 'discover-machine', machineId, mac, atMs: nowMs }, discovered] }
}

/** The boot attempt that a message belongs to. */
export interface NotedBoot {
  /** The attempt as it stood; undefined when this message begins one, or is not about booting. */
  readonly attempt: BootAttempt | undefined
  readonly bootId: string | undefined
  readonly effects: readonly Effect[]
}

/** Begins or continues the machine's boot attempt, where the client is about to boot. */
export function noteBoot({ snapshot, client, request }: DhcpCase, machineId: string): NotedBoot {
  if (!isBootable(client)) return { attempt: undefined, bootId: undefined, effects: [] }
  const { latestAttempt, nowMs, freshBytes } = snapshot
  const architecture = 'architecture' in client ? client.architecture?.code : undefined
  const { bootId, effects } = attemptFor(latestAttempt, {
    machineId,
    via: 'dhcp',
    nowMs,
    freshBytes,
    ...(architecture === undefined ? {} : { architecture }),
  })
  const attempt = effects.length === 0 ? latestAttempt : undefined
  if (attempt !== undefined && request.packet.messageType !== 'discover') {
    return { attempt, bootId, effects: [{ kind: 'heard-from', bootId, atMs: nowMs }] }
  }
  // A DISCOVER of an attempt that is still at its offer is the firmware trying again.
  const retries = attempt?.stage === 'offered' ? 1 : 0
  const offered: Effect = { kind: 'reach-stage', bootId, stage: 'offered', atMs: nowMs, bytes: 0, retries }
  return { attempt, bootId, effects: [...effects, offered] }
}

/** One machine that tries again and again must not fill the feed: a fact is told once in this time. */
const TELL_AGAIN_AFTER_MS = 60_000

/**
 * Tells the feed of a fact that comes back with every packet, once a minute.
 *
 * @param subject whose fact it is: a MAC, a subnet, a port.
 */
export function tellOnce(
  snapshot: DhcpSnapshot,
  subject: string,
  type: string,
  data: NewEvent['data'],
  machineId?: string,
  bootId?: string,
): readonly Effect[] {
  const { nowMs, told } = snapshot
  const toldAtMs = told?.get(`${type} ${subject}`)
  if (toldAtMs !== undefined && nowMs - toldAtMs < TELL_AGAIN_AFTER_MS) return []
  return [eventOf(snapshot, type, data, machineId, bootId), { kind: 'note-told', type, subject, atMs: nowMs }]
}

/** Facts worth telling about the boot file: a loop, a loader that is not there, an architecture nobody knows. */
export function bootEvents(
  c: DhcpCase,
  boot: BootFile,
  machineId: string,
  bootId?: string,
): readonly Effect[] {
  const { snapshot, mac, client } = c
  const told = (type: string, data: NewEvent['data']) =>
    tellOnce(snapshot, mac, type, data, machineId, bootId)
  if (boot.looks === 'looping') {
    return told('boot.loop', { mac, loaders: snapshot.loaderSends?.length ?? 0, served: boot.file !== '' })
  }
  if (boot.missing !== undefined) return told('boot.loader-missing', { mac, loader: boot.missing })
  if (client.kind === 'unlisted') return told('boot.unknown-architecture', { mac, code: client.code })
  return []
}

export function eventOf(
  snapshot: DhcpSnapshot,
  type: string,
  data: NewEvent['data'],
  machineId = snapshot.machine?.id,
  bootId?: string,
): EventEffect {
  return {
    kind: 'append-event',
    event: {
      atMs: snapshot.nowMs,
      type,
      data,
      ...(machineId === undefined ? {} : { machineId }),
      ...(bootId === undefined ? {} : { bootId }),
    },
  }
}
