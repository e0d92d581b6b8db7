import type { BootAttempt } from '../../model/boot-attempt.ts'
import type { Cluster, FleetHold, Member } from '../../model/cluster.ts'
import type { Lease } from '../../model/lease.ts'
import type { Machine } from '../../model/machine.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'
import type { Decision, Moment } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { diskMemberOf } from '../machine/disk-member.ts'
import { type AddressOwner, isOwnAddress } from '../machine/own-address.ts'
import { attemptFor } from './attempt.ts'
import { TOKEN_CAP_MS, TOKEN_LIFE_MS } from './boot-token.ts'
import { chooseScript, isClusterHeldWhole, PARKING_SENTENCES, type ParkingReason } from './choose-script.ts'
import { type BootImageFacts, imageToBoot } from './image-to-boot.ts'
import { armedAgain, mayRearm, type Rearm } from './may-rearm.ts'
import { heldByUs, rearmEffects } from './rearm-effects.ts'
import { renderImageScript, renderLocalDiskScript, renderParkingScript } from './script-text.ts'

/** A script request that carries the machine's SMBIOS values. */
export interface ScriptRequest {
  readonly mac: Mac
  /** The address that asks. */
  readonly address: Ipv4
  /** SMBIOS UUID in lower case, where it is one; claims, like all that a machine says. */
  readonly uuid?: string
  readonly serial?: string
  /** What the machine says that it has: good for a hint, and refused nothing by. */
  readonly ramMib?: number
  /** HEAD never mints a token and never moves an attempt. */
  readonly isHead: boolean
}

export interface ScriptSnapshot extends Moment, BootImageFacts, AddressOwner {
  readonly hasCluster: boolean
  readonly cluster?: Cluster
  readonly fleetHold?: FleetHold
  /** What `ScriptQuestion` says. */
  readonly isInstalled?: boolean
  /** The members of its cluster, where it is to be installed; undefined: they have no say. */
  readonly members?: readonly Member[]
  /** Its last boots, the latest first; none where they have no say (`mayAskToRearm`). */
  readonly recentBoots: readonly BootAttempt[]
  /** The active lease of the asking address, whoever's it is. */
  readonly lease?: Lease
  /** Hash of the archive of the machine's own files; undefined: it has none. */
  readonly filesSha256?: string
  /** The relay's port by which its loader got its lease in this boot, where a relay names one. */
  readonly relayPort?: string
  readonly leaseSeconds: number
  readonly bootUrl: string
  /** Base of image URLs, `http://10.77.0.1:8080/images`. */
  readonly imageBaseUrl: string
  /** Its place in the line of those who wait for image bytes; undefined: it may have them now. */
  readonly imageQueuePlace?: number
  /** 32 random bytes for the id of an attempt that may begin. */
  readonly freshBytes: Uint8Array
  /** A token that nobody has seen: its text for the script, its hash for the table. */
  readonly freshToken: { readonly text: string; readonly sha256: string }
}

export type ScriptReply =
  | { readonly kind: 'script'; readonly text: string; readonly bootId?: string }
  | { readonly kind: 'not-found' }

/** Answers a machine that asks what to boot, by the table of `chooseScript`; mints a token where that says image. */
export function decideScript(snapshot: ScriptSnapshot, request: ScriptRequest): Decision<ScriptReply> {
  const decision = scriptFor(snapshot, request)
  if (snapshot.machine === undefined || request.isHead) return decision
  // It asked for its script: whatever loaders it took before, it does not go round in a circle.
  const { id: machineId } = snapshot.machine
  return { ...decision, effects: [...decision.effects, { kind: 'forget-loader-sends', machineId }] }
}

function scriptFor(asked: ScriptSnapshot, request: ScriptRequest): Decision<ScriptReply> {
  const { machine: before, nowMs } = asked
  const rearm = rearmOf(asked, request)
  if (before !== undefined && rearm.kind === 'hold' && !request.isHead) {
    const parked = parking(asked, request, 'held-by-server')
    const effects = [...parked.effects, ...heldByUs(before, rearm.reason, rearm.detail, nowMs)]
    return { ...parked, reason: rearm.reason, effects }
  }
  const isRearmed = before !== undefined && rearm.kind === 'yes'
  const machine = isRearmed ? armedAgain(before, nowMs) : before
  const snapshot: ScriptSnapshot = machine === undefined ? asked : { ...asked, machine }
  const image = imageToBoot(snapshot)
  const choice = chooseScript({
    machine,
    imageLack: typeof image === 'string' ? image : undefined,
    hasCluster: snapshot.hasCluster,
    isClusterHeld: isClusterHeldWhole(snapshot.cluster, snapshot.fleetHold),
    isMemberOnDisk:
      machine !== undefined && diskMemberOf(machine, snapshot.cluster, snapshot.members ?? []) !== undefined,
    isInstalled: snapshot.isInstalled === true,
    attempt: snapshot.latestAttempt,
    isOwnAddress: machine !== undefined && isOwnAddress(machine, request.address, snapshot),
    isForeign: snapshot.foreign !== undefined,
    nowMs,
  })
  switch (choice.kind) {
    case 'parking':
      return parking(snapshot, request, choice.reason)
    case 'local-disk': {
      const effects = machine === undefined || request.isHead ? [] : endAttempt(snapshot, 'local')
      if (machine === undefined || machine.localBoot === 'not-found') {
        return { reply: { kind: 'not-found' }, reason: choice.reason, effects }
      }
      const text = renderLocalDiskScript(machine.localBoot, machine.bootMode)
      return { reply: { kind: 'script', text }, reason: choice.reason, effects }
    }
    case 'image': {
      if (snapshot.imageQueuePlace !== undefined) return parking(snapshot, request, 'image-queue')
      const decision = imageScript(snapshot, request, image)
      if (!isRearmed || request.isHead || decision.reason !== 'armed') return decision
      // Its state stays what it is until the redemption: whoever only pretends to be it changes nothing.
      const effects = decision.effects.filter((effect) => effect.kind !== 'set-machine-state')
      return { ...decision, reason: 'rearmed', effects: [...rearmEffects(before, nowMs), ...effects] }
    }
  }
}

function rearmOf(snapshot: ScriptSnapshot, request: ScriptRequest): Rearm {
  const { machine, cluster, fleetHold, recentBoots, nowMs } = snapshot
  if (machine === undefined || !isOwnAddress(machine, request.address, snapshot)) return { kind: 'no' }
  const { relayPort } = snapshot
  const seen = relayPort === undefined ? request : { ...request, relayPort }
  return mayRearm(machine, cluster, fleetHold, recentBoots, seen, nowMs)
}

function imageScript(
  snapshot: ScriptSnapshot,
  request: ScriptRequest,
  image: ReturnType<typeof imageToBoot>,
): Decision<ScriptReply> {
  const { machine, nowMs } = snapshot
  if (machine === undefined || typeof image === 'string')
    throw new Error('an image script was chosen without machine or image')
  const kernel = image.files.find((file) => file.role === 'kernel')
  const initrd = image.files.find((file) => file.role === 'initrd')
  const squashfs = image.files.find((file) => file.role === 'squashfs')
  if (kernel === undefined || initrd === undefined) return parking(snapshot, request, 'no-image')

  const { bootId, effects: beginning } = attemptFor(snapshot.latestAttempt, {
    machineId: machine.id,
    via: 'script',
    nowMs,
    freshBytes: snapshot.freshBytes,
  })
  const text = renderImageScript({
    mac: request.mac,
    machineName: machine.name,
    bootId,
    bootUrl: snapshot.bootUrl,
    imageUrl: `${snapshot.imageBaseUrl}/${image.id}`,
    kernelFile: kernel.name,
    initrdFile: initrd.name,
    ...(squashfs === undefined ? {} : { squashfs }),
    ...(snapshot.filesSha256 === undefined ? {} : { filesSha256: snapshot.filesSha256 }),
    ...(snapshot.imageBaseUrl === `${snapshot.bootUrl}/images`
      ? {}
      : { beacons: { kernelBytes: kernel.bytes, initrdBytes: initrd.bytes } }),
    init: image.init,
    parameters: [...image.parameters, ...(machine.kernelArguments ?? [])],
    token: request.isHead ? 'head-mints-none' : snapshot.freshToken.text,
  })
  if (request.isHead) return { reply: { kind: 'script', text }, reason: 'armed', effects: [] }

  const effects: Effect[] = [
    ...beginning,
    { kind: 'reach-stage', bootId, stage: 'script-sent', atMs: nowMs, bytes: text.length, retries: 0 },
    {
      kind: 'mint-boot-token',
      tokenSha256: snapshot.freshToken.sha256,
      bootId,
      machineId: machine.id,
      address: request.address,
      atMs: nowMs,
      expiresAtMs: nowMs + TOKEN_LIFE_MS,
      capMs: nowMs + TOKEN_CAP_MS,
    },
    ...bootingWith(snapshot, machine, bootId, image.id),
    ...followed(snapshot, request),
    ...noteIdentity(machine, request),
    {
      kind: 'append-event',
      event: {
        atMs: nowMs,
        type: 'boot.script-sent',
        machineId: machine.id,
        bootId,
        data: { name: machine.name, image: image.id, address: request.address },
      },
    },
  ]
  return { reply: { kind: 'script', text, bootId }, reason: 'armed', effects }
}

/** A script that is asked for again finds most of it written down already. */
function bootingWith(
  { latestAttempt }: ScriptSnapshot,
  { id: machineId, state }: Machine,
  bootId: string,
  imageId: string,
): Effect[] {
  const isPinned = latestAttempt?.bootId === bootId && latestAttempt.imageId === imageId
  return [
    ...(state === 'booting' ? [] : [{ kind: 'set-machine-state', machineId, state: 'booting' } as const]),
    ...(isPinned ? [] : [{ kind: 'pin-image', bootId, imageId } as const]),
  ]
}

function parking(
  snapshot: ScriptSnapshot,
  request: ScriptRequest,
  reason: ParkingReason,
): Decision<ScriptReply> {
  const { machine } = snapshot
  const text = renderParkingScript({
    mac: request.mac,
    bootUrl: snapshot.bootUrl,
    why: whyParked(snapshot, reason),
    ...(machine === undefined || machine.state === 'discovered' ? {} : { machineName: machine.name }),
  })
  const effects: Effect[] = []
  if (!request.isHead && machine !== undefined) {
    const attempt = snapshot.latestAttempt
    if (attempt !== undefined && attempt.endedAtMs === undefined) {
      effects.push({ kind: 'heard-from', bootId: attempt.bootId, atMs: snapshot.nowMs })
    }
    effects.push(...extendLease(snapshot, machine), ...noteIdentity(machine, request))
    if (reason === 'address-not-leased' || reason === 'address-not-stated') {
      effects.push({
        kind: 'append-event',
        event: {
          atMs: snapshot.nowMs,
          type: 'boot.foreign-address',
          machineId: machine.id,
          data: { mac: request.mac, address: request.address },
        },
      })
    }
  }
  return { reply: { kind: 'script', text }, reason, effects }
}

function whyParked({ imageQueuePlace }: ScriptSnapshot, reason: ParkingReason): string {
  const sentence = PARKING_SENTENCES[reason]
  return reason === 'image-queue' ? `${sentence}; place ${imageQueuePlace} in the line` : sentence
}

/** Without a lease of ours, only by what a machine says itself can a file that is sent to it be told from another's. */
function followed({ foreign }: ScriptSnapshot, { mac, address }: ScriptRequest): Effect[] {
  return foreign === undefined ? [] : [{ kind: 'overhear-address', mac, address }]
}

/** iPXE never renews its lease, so a machine that waits has it extended by its polls, once half of it is gone. */
function extendLease(snapshot: ScriptSnapshot, machine: Machine): Effect[] {
  const { lease, nowMs } = snapshot
  const lifeMs = snapshot.leaseSeconds * 1000
  if (lease === undefined || snapshot.leasedToMachineId !== machine.id) return []
  if (lease.state !== 'active' || lease.expiresAtMs - nowMs > lifeMs / 2) return []
  return [{ kind: 'put-lease', lease: { ...lease, expiresAtMs: nowMs + lifeMs } }]
}

/** A machine is known by what it said first; what it says differently later is shown, never written over. */
function noteIdentity(machine: Machine, request: ScriptRequest): Effect[] {
  const uuid = machine.uuid === undefined ? request.uuid : undefined
  const serial = machine.serial === undefined ? request.serial : undefined
  if (uuid === undefined && serial === undefined) return []
  return [
    {
      kind: 'note-identity',
      machineId: machine.id,
      ...(uuid === undefined ? {} : { uuid }),
      ...(serial === undefined ? {} : { serial }),
    },
  ]
}

function endAttempt(snapshot: ScriptSnapshot, end: 'local'): Effect[] {
  const { latestAttempt, nowMs } = snapshot
  if (latestAttempt === undefined || latestAttempt.endedAtMs !== undefined) return []
  if (latestAttempt.status !== 'tentative') return []
  return [{ kind: 'end-attempt', bootId: latestAttempt.bootId, end, atMs: nowMs }]
}
