import { type Static, type TSchema, Type } from 'typebox'
import type { ClusterSettings } from '../../../model/cluster.ts'
import { SERVICE_NAMES } from '../../../model/service.ts'
import type { ClusterEdit } from '../../../policy/cluster/decide-cluster-edit.ts'

// In this order: the HTTP server tries each in turn and would make a text of a number.
const Endpoint = Type.Union([Type.Null(), Type.Integer(), Type.String({ maxLength: 255 })])

const ServiceList = Type.Array(Type.Union(SERVICE_NAMES.map((name) => Type.Literal(name))), {
  uniqueItems: true,
})

const Extra = Type.Record(Type.String(), Type.Unknown())

const HealthCa = Type.String({ maxLength: 65536 })
const ServicesApi = Type.Record(Type.String(), Type.Record(Type.String(), Endpoint))
const Services = byRole(ServiceList)
const RoleConfig = byRole(Extra)
const SizeCounts = Type.Union([Type.Literal('voters'), Type.Literal('all')])
const SkewSeconds = Type.Integer({ minimum: 1, maximum: 3600 })
const RearmRule = Type.Union([Type.Literal('same-identity'), Type.Literal('manual')])
const StateKind = Type.Union([Type.Literal('persistent'), Type.Literal('ephemeral')])

/** `POST /clusters`. */
export const ClusterBody = Type.Object(
  {
    name: Type.String({ maxLength: 63 }),
    expected_control_plane: Type.Integer(),
    state_kind: Type.Optional(StateKind),
    health_ca: Type.Optional(HealthCa),
    services_api: Type.Optional(ServicesApi),
    services: Type.Optional(Services),
    extra_config: Type.Optional(Extra),
    role_config: Type.Optional(RoleConfig),
    cluster_size_counts: Type.Optional(SizeCounts),
    clock_skew_limit_seconds: Type.Optional(SkewSeconds),
    rearm: Type.Optional(RearmRule),
  },
  { additionalProperties: false },
)

/** `PATCH /clusters/{name}`: a field left out keeps its value, null takes a setting away. */
export const ClusterEditBody = Type.Object(
  {
    name: Type.Optional(Type.String({ maxLength: 63 })),
    expected_control_plane: Type.Optional(Type.Integer()),
    state_kind: Type.Optional(StateKind),
    health_ca: orNull(HealthCa),
    services_api: orNull(ServicesApi),
    services: orNull(Services),
    extra_config: orNull(Extra),
    role_config: orNull(RoleConfig),
    cluster_size_counts: orNull(SizeCounts),
    clock_skew_limit_seconds: orNull(SkewSeconds),
    rearm: orNull(RearmRule),
  },
  { additionalProperties: false },
)

/** The settings of a body, under the names that the model has; what is left out is left out. */
export function settingsOf(body: Static<typeof ClusterBody>): ClusterSettings
export function settingsOf(body: Static<typeof ClusterEditBody>): ClusterEdit['settings']
export function settingsOf(body: Static<typeof ClusterEditBody>): ClusterEdit['settings'] {
  const seconds = body.clock_skew_limit_seconds
  const named = {
    healthCa: body.health_ca,
    servicesApi: body.services_api,
    services: body.services,
    extraConfig: body.extra_config,
    roleConfig: body.role_config,
    clusterSizeCounts: body.cluster_size_counts,
    clockSkewLimitMs: typeof seconds === 'number' ? seconds * 1000 : seconds,
    rearm: body.rearm,
  }
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined))
}

/** What a PATCH asks for. */
export function editOf(body: Static<typeof ClusterEditBody>): ClusterEdit {
  return {
    settings: settingsOf(body),
    ...(body.name === undefined ? {} : { name: body.name }),
    ...(body.state_kind === undefined ? {} : { stateKind: body.state_kind }),
    ...(body.expected_control_plane === undefined
      ? {}
      : { expectedControlPlane: body.expected_control_plane }),
  }
}

function byRole<Value extends TSchema>(value: Value) {
  return Type.Object(
    {
      'control-plane': Type.Optional(value),
      worker: Type.Optional(value),
      'all-in-one': Type.Optional(value),
    },
    { additionalProperties: false },
  )
}

function orNull<Value extends TSchema>(value: Value) {
  return Type.Optional(Type.Union([Type.Null(), value]))
}
