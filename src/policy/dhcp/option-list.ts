import { type DhcpPacket, OPTION } from '../../dhcp/packet.ts'

/** What stands first, whatever the client's order: clients of every age expect it there. */
const HEAD: readonly number[] = [
  OPTION.serverId,
  OPTION.leaseSeconds,
  OPTION.renewalSeconds,
  OPTION.rebindingSeconds,
  OPTION.subnetMask, // RFC 2132 §3.3: before the routers
]

/** What stands last: boot data, echoes. */
const TAIL: readonly number[] = [
  OPTION.message,
  OPTION.vendorClass,
  OPTION.machineUuid,
  OPTION.vendorOptions,
  OPTION.tftpServer,
  OPTION.bootFile,
  OPTION.configFile,
  OPTION.ipxe,
  OPTION.clientId,
  OPTION.relayAgent,
]

const UNRANKED = 500
const RANKS: readonly number[] = Array.from({ length: 256 }, (_, code) => {
  if (HEAD.includes(code)) return HEAD.indexOf(code)
  return TAIL.includes(code) ? 1000 + TAIL.indexOf(code) : UNRANKED
})

/** The options of one reply while it is put together. */
export class OptionList {
  readonly #wanted: Uint8Array | undefined
  readonly #options: { readonly code: number; readonly rank: number; readonly value: Uint8Array }[] = []

  /** @param wanted option 55 of the request; undefined when the client did not say. */
  constructor(wanted: Uint8Array | undefined) {
    this.#wanted = wanted
  }

  /** Puts an option; each code once. */
  put(code: number, value: Uint8Array): void {
    this.#options.push({ code, rank: this.#rankOf(code), value })
  }

  /** Puts an option that a client without option 55 gets as well. */
  putIfWanted(code: number, value: Uint8Array): void {
    if (this.#wanted === undefined || this.#wanted.includes(code)) this.put(code, value)
  }

  /** Puts an option that only a client which lists it gets. */
  putIfRequested(code: number, value: Uint8Array): void {
    if (this.#wanted?.includes(code) === true) this.put(code, value)
  }

  /** Puts the request's own value back, byte for byte, where it has one. */
  echo(request: DhcpPacket, code: number): void {
    const value = request.options.get(code)
    if (value !== undefined) this.put(code, value)
  }

  /** Head, then the rest in the client's order (RFC 2132 §9.8), then tail. */
  inOrder(): ReadonlyMap<number, Uint8Array> {
    const ordered = new Map<number, Uint8Array>()
    for (const { code, value } of this.#options.sort((a, b) => a.rank - b.rank)) ordered.set(code, value)
    return ordered
  }

  #rankOf(code: number): number {
    const rank = RANKS[code] ?? UNRANKED
    const asked = rank === UNRANKED && this.#wanted !== undefined ? this.#wanted.indexOf(code) : -1
    return asked === -1 ? rank : 10 + asked
  }
}
