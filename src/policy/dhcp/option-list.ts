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

/** The options of one reply while it is put together. */
export class OptionList {
  readonly #wanted: readonly number[] | undefined
  readonly #values = new Map<number, Uint8Array>()

  /** @param wanted option 55 of the request; undefined when the client did not say. */
  constructor(wanted: readonly number[] | undefined) {
    this.#wanted = wanted
  }

  put(code: number, value: Uint8Array): void {
    this.#values.set(code, value)
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
    const asked = this.#wanted ?? []
    const rank = (code: number): number => {
      if (HEAD.includes(code)) return HEAD.indexOf(code)
      if (TAIL.includes(code)) return 1000 + TAIL.indexOf(code)
      return asked.includes(code) ? 10 + asked.indexOf(code) : 500
    }
    return new Map([...this.#values].sort(([a], [b]) => rank(a) - rank(b)))
  }
}
