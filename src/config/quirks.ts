import type { Quirk, ReplyShape } from '../model/quirk.ts'
import { type Complaint, shown } from './messages.ts'

/** The longest that a reply may wait: clients choose among offers within seconds. */
const LONGEST_DELAY_MS = 3000

export type ParsedQuirks =
  | { readonly ok: true; readonly quirks: readonly Quirk[] }
  | { readonly ok: false; readonly fault: Pick<Complaint, 'got' | 'want'> }

type Reader = (value: unknown) => unknown

interface Field {
  readonly name: string
  readonly want: string
  /** Undefined: the value is not what is wanted. */
  readonly read: Reader
}

const wholeNumber =
  (least: number, most: number): Reader =>
  (value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
      ? value
      : undefined

const oneOf =
  (...words: readonly string[]): Reader =>
  (value) =>
    words.find((word) => word === value)

const listOf =
  (read: Reader): Reader =>
  (value) => {
    const list = Array.isArray(value) ? value.map(read) : []
    return list.length > 0 && !list.includes(undefined) ? list : undefined
  }

const matching =
  (pattern: RegExp): Reader =>
  (value) =>
    typeof value === 'string' && pattern.test(value) ? value.toLowerCase() : undefined

/** As it is spelt: DHCP promises only what is on hand under this very name. */
const loaderName: Reader = (value) =>
  typeof value === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(value) ? value : undefined

const prefixText: Reader = (value) =>
  typeof value === 'string' && value.length > 0 && value.length <= 64 ? value : undefined

const MATCH: Readonly<Record<string, Field>> = {
  vendor_classes: {
    name: 'vendorClasses',
    want: 'a list of what option 60 begins with',
    read: listOf(prefixText),
  },
  architectures: {
    name: 'architectures',
    want: 'a list of numbers of option 93',
    read: listOf(wholeNumber(0, 65534)),
  },
  macs: {
    name: 'macs',
    want: 'a list of MACs or their first bytes, [b8:27:eb]',
    read: listOf(matching(/^[0-9a-f]{2}(?::[0-9a-f]{2}){0,5}$/i)),
  },
  uuids: {
    name: 'uuids',
    want: 'a list of UUIDs or what they begin with, as dmidecode prints them',
    read: listOf(matching(/^[0-9a-f-]{2,36}$/i)),
  },
}

const REPLY: Readonly<Record<string, Field>> = {
  pxe_class: {
    name: 'pxeClass',
    want: 'true or false',
    read: (value) => (typeof value === 'boolean' ? value : undefined),
  },
  vendor_options: {
    name: 'vendorOptions',
    want: 'none, direct or raspberry-pi',
    read: oneOf('none', 'direct', 'raspberry-pi'),
  },
  file_in: { name: 'fileIn', want: 'both, field or option', read: oneOf('both', 'field', 'option') },
  pad_bytes: { name: 'padBytes', want: 'a whole number from 300 to 548', read: wholeNumber(300, 548) },
  delay_ms: {
    name: 'delayMs',
    want: `a whole number from 0 to ${LONGEST_DELAY_MS}`,
    read: wholeNumber(0, LONGEST_DELAY_MS),
  },
  loader: { name: 'loader', want: 'the name of a loader', read: loaderName },
  tftp_block_bytes: {
    name: 'tftpBlockBytes',
    want: 'a whole number from 512 to 1468',
    read: wholeNumber(512, 1468),
  },
}

/** Reads the operator's quirks: `[{ name, source, match, reply }]`; the first thing that is wrong is told. */
export function parseQuirks(value: unknown): ParsedQuirks {
  if (!Array.isArray(value)) return wrong(shown(value), 'a list of { name, source, match, reply }')
  const quirks: Quirk[] = []
  for (const [index, entry] of value.entries()) {
    const parsed = parseQuirk(entry, `quirk ${index + 1}`)
    if ('fault' in parsed) return { ok: false, fault: parsed.fault }
    quirks.push(parsed)
  }
  return { ok: true, quirks }
}

type Fault = { readonly fault: Pick<Complaint, 'got' | 'want'> }

function parseQuirk(entry: unknown, place: string): Quirk | Fault {
  if (!isMap(entry)) return faultAt(place, entry, '{ name, source, match, reply }')
  const { name, source = 'the operator', match, reply: answer, ...unknown } = entry
  const [extra] = Object.keys(unknown)
  if (extra !== undefined)
    return faultAt(`${place}: ${extra}`, 'an unknown key', 'name, source, match, reply')
  if (typeof name !== 'string' || !/^[a-z0-9][a-z0-9-]{0,62}$/.test(name))
    return faultAt(`${place}: name`, name, 'words of a-z 0-9 with hyphens')
  if (typeof source !== 'string') return faultAt(`${name}: source`, source, 'where it is known from')
  if (!isMap(match) || Object.keys(match).length === 0)
    return faultAt(`${name}: match`, match, `one or more of ${Object.keys(MATCH).join(', ')}`)
  const matched = fieldsOf(match, MATCH, `${name}: match`)
  if ('fault' in matched) return matched
  // An entry without a reply takes a shipped one of its name away.
  const reply = answer ?? {}
  if (!isMap(reply)) return faultAt(`${name}: reply`, reply, `some of ${Object.keys(REPLY).join(', ')}`)
  const shaped = fieldsOf(reply, REPLY, `${name}: reply`)
  if ('fault' in shaped) return shaped
  return { name, source, match: matched.values as Quirk['match'], reply: shaped.values as ReplyShape }
}

function fieldsOf(
  map: Readonly<Record<string, unknown>>,
  fields: Readonly<Record<string, Field>>,
  place: string,
): { readonly values: Readonly<Record<string, unknown>> } | Fault {
  const values: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(map)) {
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined
    if (field === undefined)
      return faultAt(`${place}.${key}`, 'an unknown key', Object.keys(fields).join(', '))
    const read = field.read(value)
    if (read === undefined) return faultAt(`${place}.${key}`, value, field.want)
    values[field.name] = read
  }
  return { values }
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function faultAt(place: string, got: unknown, want: string): Fault {
  return { fault: { got: `${place}: ${typeof got === 'string' ? got.slice(0, 60) : shown(got)}`, want } }
}

function wrong(got: string, want: string): ParsedQuirks {
  return { ok: false, fault: { got, want } }
}
