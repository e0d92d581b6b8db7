import { type Static, Type } from 'typebox'
import { isImageId } from '../../../model/image.ts'
import { parseIpv4 } from '../../../net/ipv4.ts'
import { type Mac, parseMac } from '../../../net/mac.ts'
import { parseExtraOptions } from '../../../policy/dhcp/extra-options.ts'
import type { MachineWish } from '../../../policy/machine/decide-registration.ts'
import { findImage } from '../../../store/snapshots/image.ts'
import type { Store } from '../../../store/store.ts'
import { malformed, ProblemError } from './problem.ts'

const text = Type.String({ maxLength: 255 })

/** What an operator may say of a machine; snake_case, null takes a value away. */
export const MachineBody = Type.Object(
  {
    name: Type.Optional(text),
    macs: Type.Optional(Type.Array(text, { maxItems: 64 })),
    role: Type.Optional(
      Type.Union([Type.Literal('control-plane'), Type.Literal('worker'), Type.Literal('all-in-one')]),
    ),
    cluster: Type.Optional(Type.Union([text, Type.Null()])),
    image: Type.Optional(Type.Union([text, Type.Null()])),
    loader: Type.Optional(Type.Union([text, Type.Null()])),
    address: Type.Optional(Type.Union([text, Type.Null()])),
    /** Options by name or number: a value, or { type, value, always }. */
    dhcp_options: Type.Optional(Type.Union([Type.Record(text, Type.Unknown()), Type.Null()])),
    boot_mode: Type.Optional(
      Type.Union([Type.Literal('netboot'), Type.Literal('install'), Type.Literal('local')]),
    ),
    local_boot: Type.Optional(
      Type.Union([Type.Literal('exit'), Type.Literal('sanboot'), Type.Literal('not-found')]),
    ),
    uuid: Type.Optional(Type.Union([text, Type.Null()])),
    serial: Type.Optional(Type.Union([text, Type.Null()])),
    ram_mib: Type.Optional(Type.Union([Type.Integer({ minimum: 1, maximum: 1 << 30 }), Type.Null()])),
    extra_config: Type.Optional(Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()])),
    kernel_arguments: Type.Optional(Type.Array(text, { maxItems: 64 })),
  },
  { additionalProperties: false },
)

/** The wish in the words of the model: names of clusters become ids, texts become values. */
export function wishOf(body: Static<typeof MachineBody>, store: Store): MachineWish {
  const {
    cluster,
    image,
    address,
    boot_mode: bootMode,
    extra_config: extraConfig,
    dhcp_options: options,
    local_boot: localBoot,
    macs,
    ...others
  } = body
  const { ram_mib: ramMib, kernel_arguments: kernelArguments, ...rest } = others
  const uuid = typeof rest.uuid === 'string' ? rest.uuid.toLowerCase() : rest.uuid
  return {
    ...rest,
    ...(uuid === undefined ? {} : { uuid }),
    ...(bootMode === undefined ? {} : { bootMode }),
    ...(localBoot === undefined ? {} : { localBoot }),
    ...(ramMib === undefined ? {} : { ramMib }),
    ...(kernelArguments === undefined ? {} : { kernelArguments }),
    ...(macs === undefined ? {} : { macs: macs.map(macOrProblem) }),
    ...(cluster === undefined ? {} : { clusterId: cluster === null ? null : clusterId(cluster, store) }),
    ...(options === undefined ? {} : { dhcpOptions: options === null ? null : optionsOrProblem(options) }),
    ...(extraConfig === undefined ? {} : { extraConfig }),
    ...(image === undefined ? {} : imageWish(image, store)),
    ...(address === undefined
      ? {}
      : { reservedAddress: address === null ? null : addressOrProblem(address) }),
  }
}

function clusterId(nameOrId: string, store: Store): string {
  return store.lists.clusters.byName(nameOrId)?.id ?? nameOrId
}

/** An id or `name:version` is one image for ever; a name alone is whatever version of it is promoted at each boot. */
function imageWish(ref: string | null, store: Store): Pick<MachineWish, 'imageId' | 'imageName'> {
  if (ref === null) return { imageId: null, imageName: null }
  if (!isImageId(ref) && !ref.includes(':') && store.lists.images.isName(ref)) return { imageName: ref }
  return { imageId: findImage(store.lists, ref)?.id ?? ref }
}

function macOrProblem(value: string): Mac {
  const mac = parseMac(value)
  if (mac !== undefined) return mac
  throw malformed('macs', value, 'six pairs of hex digits, 52:54:00:99:00:01')
}

function addressOrProblem(value: string) {
  const address = parseIpv4(value)
  if (address !== undefined) return address
  throw malformed('address', value, 'an IPv4 address, 10.77.0.11')
}

function optionsOrProblem(words: Readonly<Record<string, unknown>>) {
  const parsed = parseExtraOptions(words, 'machine')
  if (parsed.ok) return parsed.options
  const { option, got, want, cure } = parsed.fault
  throw new ProblemError({
    status: 422,
    code: 'dhcp-option-malformed',
    title: 'Unprocessable',
    detail: `option ${JSON.stringify(option.slice(0, 60))} holds ${got}, want ${want}`,
    field: 'dhcp_options',
    ...(cure === undefined ? {} : { cure }),
  })
}
