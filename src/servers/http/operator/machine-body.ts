import { type Static, Type } from 'typebox'
import { parseIpv4 } from '../../../net/ipv4.ts'
import { type Mac, parseMac } from '../../../net/mac.ts'
import type { MachineWish } from '../../../policy/machine/decide-registration.ts'
import type { Store } from '../../../store/store.ts'
import { ProblemError } from './problem.ts'

const text = Type.String({ maxLength: 255 })

/** What an operator may say of a machine; snake_case, null takes a value away. */
export const MachineBody = Type.Object(
  {
    name: Type.Optional(text),
    macs: Type.Optional(Type.Array(text, { maxItems: 64 })),
    role: Type.Optional(Type.Union([Type.Literal('control-plane'), Type.Literal('worker')])),
    cluster: Type.Optional(Type.Union([text, Type.Null()])),
    image: Type.Optional(Type.Union([text, Type.Null()])),
    loader: Type.Optional(Type.Union([text, Type.Null()])),
    address: Type.Optional(Type.Union([text, Type.Null()])),
    boot_mode: Type.Optional(
      Type.Union([Type.Literal('netboot'), Type.Literal('install'), Type.Literal('local')]),
    ),
    local_boot: Type.Optional(
      Type.Union([Type.Literal('exit'), Type.Literal('sanboot'), Type.Literal('not-found')]),
    ),
    uuid: Type.Optional(Type.Union([text, Type.Null()])),
    serial: Type.Optional(Type.Union([text, Type.Null()])),
  },
  { additionalProperties: false },
)

/** The wish in the words of the model: names of clusters become ids, texts become values. */
export function wishOf(body: Static<typeof MachineBody>, store: Store): MachineWish {
  const { cluster, image, address, boot_mode: bootMode, local_boot: localBoot, macs, ...rest } = body
  const uuid = typeof rest.uuid === 'string' ? rest.uuid.toLowerCase() : rest.uuid
  return {
    ...rest,
    ...(uuid === undefined ? {} : { uuid }),
    ...(bootMode === undefined ? {} : { bootMode }),
    ...(localBoot === undefined ? {} : { localBoot }),
    ...(macs === undefined ? {} : { macs: macs.map(macOrProblem) }),
    ...(cluster === undefined ? {} : { clusterId: cluster === null ? null : clusterId(cluster, store) }),
    ...(image === undefined ? {} : { imageId: image }),
    ...(address === undefined
      ? {}
      : { reservedAddress: address === null ? null : addressOrProblem(address) }),
  }
}

function clusterId(nameOrId: string, store: Store): string {
  return store.lists.clusters.byName(nameOrId)?.id ?? nameOrId
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

function malformed(field: string, got: string, want: string): ProblemError {
  return new ProblemError({
    status: 422,
    code: `${field}-malformed`,
    title: 'Unprocessable',
    detail: `${field} holds ${JSON.stringify(got.slice(0, 60))}, want ${want}`,
    field,
  })
}
