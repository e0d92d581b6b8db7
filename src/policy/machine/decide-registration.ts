import type { Cluster } from '../../model/cluster.ts'
import type { Image } from '../../model/image.ts'
import { isControlPlane, type Machine } from '../../model/machine.ts'
import type { Subnet } from '../../model/subnet.ts'
import { cidrContains, type Ipv4, isHostAddress } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'
import type { ClusterPicture } from '../cluster/picture.ts'
import type { Decision, Moment } from '../decision.ts'
import { reservedKeyIn } from '../first-boot/cluster-config.ts'
import { unavailable } from '../image/decide-promotion.ts'
import { type Finding, type ImageLimits, preflight } from '../image/preflight.ts'
import { type Refusal, refusal } from '../refusal.ts'
import { imageWarnings } from './check-image.ts'
import { kernelArgumentsFault } from './kernel-arguments.ts'
import { membershipFault } from './membership-fault.ts'

/** What an operator states of a machine; a field left out keeps its value, null takes it away. */
export interface MachineWish {
  readonly name?: string
  readonly macs?: readonly Mac[]
  readonly role?: Machine['role']
  readonly clusterId?: string | null
  /** One image for ever, or a name whose promoted version it boots; either takes the other away. */
  readonly imageId?: string | null
  readonly imageName?: string | null
  readonly bootMode?: Machine['bootMode']
  readonly localBoot?: Machine['localBoot']
  readonly loader?: string | null
  readonly dhcpOptions?: Machine['dhcpOptions'] | null
  readonly reservedAddress?: Ipv4 | null
  readonly uuid?: string | null
  readonly serial?: string | null
  readonly ramMib?: number | null
  readonly kernelArguments?: readonly string[]
  /** Laid over what its cluster and role say, in its `cluster-config.json`. */
  readonly extraConfig?: Readonly<Record<string, unknown>> | null
}

export interface RegistrationSnapshot extends Moment {
  /** The machine to edit; undefined: a new one. */
  readonly machine?: Machine
  /** A machine that is not this one and has the wished name. */
  readonly nameTakenBy?: string
  /** The wished MACs that other machines have, with those machines' names. */
  readonly macsTaken: readonly { readonly mac: Mac; readonly by: Machine }[]
  /** The machine that has the wished address reserved, if that is not this one. */
  readonly addressTakenBy?: string
  readonly cluster?: Cluster
  /** Of the cluster that the machine is in now. */
  readonly picture?: ClusterPicture
  /** The image after the edit: the wished or kept one, or what is promoted under the name of it. */
  readonly image?: Image
  /** Option 93 of the machine's latest boot. */
  readonly architecture?: number
  readonly imageLimits: ImageLimits
  readonly loaders: ReadonlySet<string>
  readonly subnets: readonly Subnet[]
  readonly serverAddress: Ipv4
  readonly freshId: string
}

export type RegistrationReply =
  | { readonly kind: 'done'; readonly machine: Machine; readonly warnings: readonly string[] }
  | Refusal

const DNS_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/**
 * Registers or edits a machine. All that would fail later at boot is refused here: a missing image, an address outside
 * every subnet, a loader that is not installed, a MAC that is another machine's. A machine that was only discovered is
 * accepted by registering its MAC.
 */
export function decideRegistration(
  snapshot: RegistrationSnapshot,
  wish: MachineWish,
): Decision<RegistrationReply> {
  const wrong = firstFault(snapshot, wish)
  if (wrong !== undefined) return { reply: wrong, reason: wrong.code, effects: [] }
  const discovered = snapshot.macsTaken.find(({ by }) => by.state === 'discovered')?.by
  const before = snapshot.machine ?? discovered
  const machine = machineAfter(before, wish, snapshot)
  const findings = imageFindings(snapshot, machine)
  const worst = findings.find((finding) => finding.refuses)
  if (worst !== undefined && touchesImage(wish)) {
    const reply = refusal(409, worst.code, worst.detail, worst.cure, 'image')
    return { reply, reason: reply.code, effects: [] }
  }
  return {
    reply: { kind: 'done', machine, warnings: imageWarnings(findings) },
    reason: snapshot.machine === undefined ? 'registered' : 'edited',
    effects: [
      { kind: 'put-machine', machine },
      {
        kind: 'append-event',
        event: {
          atMs: snapshot.nowMs,
          type: snapshot.machine === undefined ? 'machine.registered' : 'machine.edited',
          machineId: machine.id,
          data: { name: machine.name, mac: machine.macs[0] ?? null },
          ...(machine.clusterId === undefined ? {} : { clusterId: machine.clusterId }),
        },
      },
    ],
  }
}

function firstFault(snapshot: RegistrationSnapshot, wish: MachineWish): Refusal | undefined {
  const { machine } = snapshot
  const name = wish.name ?? machine?.name
  const reserved = reservedKeyIn(wish.extraConfig ?? undefined)
  if (reserved !== undefined) {
    const detail = `${reserved} in extra_config is the server's own key`
    return refusal(422, 'reserved-key', detail, 'name your key differently', 'extra_config')
  }
  if (name === undefined || !DNS_LABEL.test(name)) {
    const want = 'want one DNS label: 1 to 63 of a-z 0-9 -, neither first nor last a hyphen'
    return refusal(
      422,
      'name-malformed',
      `name is ${JSON.stringify(name ?? null)}, ${want}`,
      'choose another name',
      'name',
    )
  }
  if (snapshot.nameTakenBy !== undefined) {
    return refusal(
      409,
      'name-taken',
      `another machine is named ${name}`,
      'choose another name, or edit that machine',
      'name',
    )
  }
  const macs = wish.macs ?? machine?.macs ?? []
  if (macs.length === 0) {
    return refusal(
      422,
      'mac-missing',
      'a machine has no MAC, want at least one',
      'name the MAC of its boot port',
      'macs',
    )
  }
  const taken = snapshot.macsTaken.find(({ by }) => by.state !== 'discovered' || machine !== undefined)
  if (taken !== undefined) {
    const detail = `${taken.mac} belongs to machine ${taken.by.name}`
    return refusal(409, 'mac-taken', detail, `edit or delete ${taken.by.name} first`, 'macs')
  }
  if (typeof wish.clusterId === 'string' && snapshot.cluster === undefined) {
    return refusal(
      422,
      'cluster-unknown',
      `no cluster ${wish.clusterId}`,
      'create it: pilotlight cluster create',
      'cluster',
    )
  }
  const leaves = machine === undefined ? undefined : leavingField(machine, wish)
  if (machine !== undefined && leaves !== undefined) {
    const stays = membershipFault(machine, snapshot.picture)
    if (stays !== undefined) return { ...stays, field: leaves }
  }
  const argumentsWrong = kernelArgumentsFault(wish.kernelArguments ?? [])
  if (argumentsWrong !== undefined) return argumentsWrong
  const imageWrong = imageFault(snapshot.image, wish)
  if (imageWrong !== undefined) return imageWrong
  if (typeof wish.loader === 'string' && !snapshot.loaders.has(wish.loader)) {
    const have = [...snapshot.loaders].sort().join(', ') || 'none'
    return refusal(
      422,
      'loader-unknown',
      `no loader ${wish.loader}; installed: ${have}`,
      'pilotlight assets install',
      'loader',
    )
  }
  return typeof wish.reservedAddress === 'string' ? addressFault(snapshot, wish.reservedAddress) : undefined
}

/** The field of an edit that takes a machine out of its cluster, or out of those of it that found and vote. */
function leavingField(machine: Machine, { clusterId, role }: MachineWish): 'cluster' | 'role' | undefined {
  if (machine.clusterId === undefined) return undefined
  if (clusterId !== undefined && clusterId !== machine.clusterId) return 'cluster'
  if (role !== undefined && isControlPlane(machine.role) !== isControlPlane(role)) return 'role'
  return undefined
}

/** True for an edit that changes what the machine boots, or what is known of its fitness to boot it. */
function touchesImage(wish: MachineWish): boolean {
  const { imageId, imageName, ramMib, kernelArguments } = wish
  return [imageId, imageName, ramMib, kernelArguments].some((field) => field !== undefined && field !== null)
}

function imageFindings(snapshot: RegistrationSnapshot, machine: Machine): readonly Finding[] {
  const { image, architecture, imageLimits: limits } = snapshot
  if (image === undefined) return []
  return preflight({ machine, image, limits, ...(architecture === undefined ? {} : { architecture }) })
}

function imageFault(image: Image | undefined, { imageId, imageName }: MachineWish): Refusal | undefined {
  if (typeof imageId !== 'string' && typeof imageName !== 'string') return undefined
  if (image !== undefined) return image.state === 'available' ? undefined : unavailable(image)
  return typeof imageName === 'string'
    ? refusal(
        422,
        'image-not-promoted',
        `no version of image ${imageName} is promoted`,
        `pilotlight image promote ${imageName} VERSION`,
        'image',
      )
    : refusal(422, 'image-unknown', `no image ${imageId}`, 'import it: pilotlight image import', 'image')
}

function addressFault(snapshot: RegistrationSnapshot, address: Ipv4): Refusal | undefined {
  const subnet = snapshot.subnets.find((candidate) => cidrContains(candidate.cidr, address))
  if (subnet === undefined || !isHostAddress(subnet.cidr, address)) {
    return refusal(
      422,
      'address-outside',
      `${address} is no host address of a served subnet`,
      'add the subnet to the configuration, or choose another address',
      'address',
    )
  }
  if (address === snapshot.serverAddress || address === subnet.router) {
    return refusal(
      422,
      'address-in-use',
      `${address} is the server's or the router's`,
      'choose another address',
      'address',
    )
  }
  if (snapshot.addressTakenBy !== undefined) {
    return refusal(
      409,
      'address-taken',
      `${address} is reserved for ${snapshot.addressTakenBy}`,
      'choose another address',
      'address',
    )
  }
  return undefined
}

function machineAfter(
  before: Machine | undefined,
  wish: MachineWish,
  snapshot: RegistrationSnapshot,
): Machine {
  const base = {
    id: before?.id ?? snapshot.freshId,
    name: wish.name ?? before?.name ?? '',
    macs: wish.macs ?? before?.macs ?? [],
    role: wish.role ?? before?.role ?? 'worker',
    state: before === undefined || before.state === 'discovered' ? 'enrolled' : before.state,
    bootMode: wish.bootMode ?? before?.bootMode ?? 'netboot',
    localBoot: wish.localBoot ?? before?.localBoot ?? 'exit',
    createdAtMs: before?.createdAtMs ?? snapshot.nowMs,
  } as const
  return {
    ...base,
    ...optional('clusterId', wish.clusterId, before?.clusterId),
    ...optional('imageId', typeof wish.imageName === 'string' ? null : wish.imageId, before?.imageId),
    ...optional('imageName', typeof wish.imageId === 'string' ? null : wish.imageName, before?.imageName),
    ...optional('ramMib', wish.ramMib, before?.ramMib),
    ...optional('kernelArguments', wish.kernelArguments, before?.kernelArguments),
    ...optional('loader', wish.loader, before?.loader),
    ...optional('dhcpOptions', wish.dhcpOptions, before?.dhcpOptions),
    ...optional('reservedAddress', wish.reservedAddress, before?.reservedAddress),
    ...optional('uuid', wish.uuid, before?.uuid),
    ...optional('serial', wish.serial, before?.serial),
    ...optional('armedUntilMs', undefined, before?.armedUntilMs),
    ...optional('currentBootId', undefined, before?.currentBootId),
    ...optional('extraConfig', wish.extraConfig, before?.extraConfig),
    ...optional('holdReason', undefined, before?.holdReason),
    ...optional('holdStep', undefined, before?.holdStep),
    ...optional('acceptedAs', undefined, before?.acceptedAs),
  }
}

/** One optional field after an edit: left out keeps the old value, null removes it. */
function optional<Key extends string, Value>(
  key: Key,
  wish: Value | null | undefined,
  before: Value | undefined,
): { readonly [K in Key]?: Value } {
  const value = wish === undefined ? before : (wish ?? undefined)
  return (value === undefined ? {} : { [key]: value }) as { readonly [K in Key]?: Value }
}
