import type { BootAttempt } from '../../model/boot-attempt.ts'
import type { Image } from '../../model/image.ts'
import type { Lease } from '../../model/lease.ts'
import type { Machine } from '../../model/machine.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'
import type { Decision, Moment } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { attemptFor } from './attempt.ts'
import { chooseScript, PARKING_SENTENCES, type ParkingReason } from './choose-script.ts'
import { renderImageScript, renderLocalDiskScript, renderParkingScript } from './script-text.ts'

const TOKEN_LIFE_MS = 15 * 60_000
const TOKEN_CAP_MS = 2 * 60 * 60_000

/** A script request that carries the machine's SMBIOS values. */
export interface ScriptRequest {
  readonly mac: Mac
  /** The address that asks. */
  readonly address: Ipv4
  /** SMBIOS UUID in lower case, where it is one; claims, like all that a machine says. */
  readonly uuid?: string
  readonly serial?: string
  /** HEAD never mints a token and never moves an attempt. */
  readonly isHead: boolean
}

export interface ScriptSnapshot extends Moment {
  readonly machine?: Machine
  readonly image?: Image
  readonly hasCluster: boolean
  readonly latestAttempt?: BootAttempt
  /** The active lease of the asking address, whoever's it is. */
  readonly lease?: Lease
  /** The machine that the asking address is leased to. */
  readonly leasedToMachineId?: string
  readonly leaseSeconds: number
  readonly bootUrl: string
  /** Base of image URLs, `http://10.77.0.1:8080/images`. */
  readonly imageBaseUrl: string
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
  const { machine, nowMs } = snapshot
  const choice = chooseScript({
    machine,
    hasImage: snapshot.image !== undefined,
    hasCluster: snapshot.hasCluster,
    attempt: snapshot.latestAttempt,
    isOwnAddress: machine !== undefined && snapshot.leasedToMachineId === machine.id,
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
    case 'image':
      return imageScript(snapshot, request)
  }
}

function imageScript(snapshot: ScriptSnapshot, request: ScriptRequest): Decision<ScriptReply> {
  const { machine, image, nowMs } = snapshot
  if (machine === undefined || image === undefined)
    throw new Error('an image script was chosen without machine or image')
  const kernel = image.files.find((file) => file.role === 'kernel')
  const initrd = image.files.find((file) => file.role === 'initrd')
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
    init: image.init,
    parameters: image.parameters,
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
    { kind: 'set-machine-state', machineId: machine.id, state: 'booting' },
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

function parking(
  snapshot: ScriptSnapshot,
  request: ScriptRequest,
  reason: ParkingReason,
): Decision<ScriptReply> {
  const { machine } = snapshot
  const text = renderParkingScript({
    mac: request.mac,
    bootUrl: snapshot.bootUrl,
    why: PARKING_SENTENCES[reason],
    ...(machine === undefined || machine.state === 'discovered' ? {} : { machineName: machine.name }),
  })
  const effects: Effect[] = []
  if (!request.isHead && machine !== undefined) {
    const attempt = snapshot.latestAttempt
    if (attempt !== undefined && attempt.endedAtMs === undefined) {
      effects.push({ kind: 'heard-from', bootId: attempt.bootId, atMs: snapshot.nowMs })
    }
    effects.push(...extendLease(snapshot, machine), ...noteIdentity(machine, request))
    if (reason === 'address-not-leased') {
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
