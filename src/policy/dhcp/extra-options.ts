import { type OptionType, optionEntry, optionEntryNamed } from '../../dhcp/option-dictionary.ts'
import { OPTION_TYPES, optionValue, wantedFor } from '../../dhcp/option-value.ts'
import type { ExtraOption } from '../../model/extra-option.ts'
import { toHex } from '../../net/bytes.ts'

/** Firmware and iPXE read only the first piece of a value that is split (RFC 3396), so none may need to be. */
const MOST_BYTES = 255
/** Options of one machine or subnet together: a reply must still fit what the smallest clients take. */
const MOST_BYTES_TOGETHER = 1024

/** Options that an operator cannot set, and why: what they say is decided, or would harm a client. */
const NOT_TO_BE_SET: ReadonlyMap<number, string> = new Map([
  [0, 'it is padding'],
  [1, 'the subnet mask follows from the subnet'],
  [12, 'the host name is the machine’s name'],
  [13, 'UEFI takes it for the size of the boot file and truncates what it loads'],
  [28, 'the broadcast address follows from the subnet'],
  [43, 'its content is decided by the client; a quirk can change its shape'],
  [50, 'only clients send it'],
  [51, 'set lease_seconds'],
  [52, 'replies never use overload: iPXE takes the result for a file name'],
  [53, 'it is the message type'],
  [54, 'it is this server’s address'],
  [55, 'only clients send it'],
  [56, 'it explains a refusal'],
  [57, 'only clients send it'],
  [58, 'it follows from lease_seconds'],
  [59, 'it follows from lease_seconds'],
  [60, 'UEFI takes it for an order to ask port 4011; a quirk can set pxe_class'],
  [61, 'it is echoed'],
  [66, 'it names this server; set boot_address'],
  [67, 'the boot file is chosen for each client; set a loader'],
  [77, 'only clients send it'],
  [82, 'it is the relay’s, and echoed'],
  [90, 'authentication is not supported'],
  [93, 'only clients send it'],
  [94, 'only clients send it'],
  [97, 'it is echoed'],
  [118, 'only clients send it'],
  [175, 'iPXE executes parts of it'],
  [255, 'it ends the options'],
])

/** Options that a subnet has a key of its own for. */
const SUBNET_KEYS: ReadonlyMap<number, string> = new Map([
  [3, 'router'],
  [6, 'dns'],
  [15, 'domain'],
  [42, 'ntp'],
])

/** What is wrong with an option, for a person. */
export interface OptionFault {
  /** The name or number as it was written. */
  readonly option: string
  readonly got: string
  readonly want: string
  readonly cure?: string
}

export type ParsedOptions =
  | { readonly ok: true; readonly options: readonly ExtraOption[] }
  | { readonly ok: false; readonly fault: OptionFault }

/**
 * Reads an operator's options: a map of names or numbers to values, or to `{ type, value, always }` where the number has
 * no name here or the value is to be written in another way.
 *
 * @param of a subnet's options leave out those that it has keys for; a machine may override them.
 */
export function parseExtraOptions(words: unknown, of: 'subnet' | 'machine'): ParsedOptions {
  if (typeof words !== 'object' || words === null || Array.isArray(words)) {
    return fault('options', JSON.stringify(words), 'a map of option names or numbers to values')
  }
  const options = new Map<number, ExtraOption>()
  for (const [key, word] of Object.entries(words)) {
    const parsed = parseOne(key, word, of)
    if (!parsed.ok) return parsed
    for (const option of parsed.options) {
      if (options.has(option.code)) return fault(key, 'the same option twice', 'each option once')
      options.set(option.code, option)
    }
  }
  const together = [...options.values()].reduce((sum, { hex }) => sum + hex.length / 2 + 2, 0)
  if (together > MOST_BYTES_TOGETHER)
    return fault('options', `${together} bytes together`, `at most ${MOST_BYTES_TOGETHER}`)
  return { ok: true, options: [...options.values()] }
}

function parseOne(key: string, word: unknown, of: 'subnet' | 'machine'): ParsedOptions {
  const entry = /^\d{1,3}$/.test(key) ? optionEntry(Number(key)) : optionEntryNamed(key)
  const code = entry?.code ?? (/^\d{1,3}$/.test(key) ? Number(key) : undefined)
  if (code === undefined || code > 255) {
    return fault(key, 'an unknown option', 'a number from 1 to 254, or a name such as mtu or domain-search')
  }
  const why = NOT_TO_BE_SET.get(code)
  if (why !== undefined) return fault(key, 'an option that is not the operator’s to set', 'another one', why)
  const subnetKey = of === 'subnet' ? SUBNET_KEYS.get(code) : undefined
  if (subnetKey !== undefined) {
    return fault(key, 'an option with a key of its own', `the key ${subnetKey} beside options`)
  }
  const spelt = speltOut(word)
  const unknown = Object.keys(spelt ?? {}).find((one) => !SPELT_OUT_KEYS.includes(one))
  if (unknown !== undefined) return fault(key, `an unknown key ${unknown}`, SPELT_OUT_KEYS.join(', '))
  const type = spelt === undefined ? entry?.type : typeNamed(spelt.type ?? entry?.type)
  const value = spelt === undefined ? word : spelt.value
  if (type === undefined) {
    const got = spelt === undefined ? 'no type' : JSON.stringify(spelt.type ?? null)
    return fault(key, got, `{ type, value } with a type of ${OPTION_TYPES.join(', ')}`)
  }
  const bytes = optionValue(type, value)
  if (bytes === undefined || !isKept(value)) return fault(key, JSON.stringify(value ?? null), wantedFor(type))
  if (bytes.length > MOST_BYTES) {
    return fault(
      key,
      `${bytes.length} bytes`,
      `at most ${MOST_BYTES}`,
      'firmware does not join split options',
    )
  }
  const always = spelt?.always ?? false
  if (typeof always !== 'boolean') return fault(key, JSON.stringify(always), 'always: true or false')
  return { ok: true, options: [{ code, type, value, hex: toHex(bytes), always }] }
}

interface SpeltOut {
  readonly type?: unknown
  readonly value?: unknown
  readonly always?: unknown
}

const SPELT_OUT_KEYS = ['type', 'value', 'always']

function speltOut(word: unknown): SpeltOut | undefined {
  return typeof word === 'object' && word !== null && !Array.isArray(word) ? word : undefined
}

function typeNamed(name: unknown): OptionType | undefined {
  return OPTION_TYPES.find((type) => type === name)
}

function isKept(value: unknown): value is ExtraOption['value'] {
  return value !== null && value !== undefined
}

function fault(option: string, got: string, want: string, cure?: string): ParsedOptions {
  const short = got.length > 80 ? `${got.slice(0, 77)}...` : got
  return { ok: false, fault: { option, got: short, want, ...(cure === undefined ? {} : { cure }) } }
}

/** The options as a map that `parseExtraOptions` reads again. */
export function wordsOf(options: readonly ExtraOption[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    options.map(({ code, type, value, always }) => {
      const entry = optionEntry(code)
      const isPlain = entry?.type === type && !always
      return [entry?.name ?? String(code), isPlain ? value : { type, value, ...(always ? { always } : {}) }]
    }),
  )
}
