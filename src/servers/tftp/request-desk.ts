import type { Logger } from 'pino'
import { printable } from '../../net/bytes.ts'
import { type Ipv4, parseIpv4 } from '../../net/ipv4.ts'
import { cleanFileName } from '../../tftp/file-name.ts'
import { negotiate } from '../../tftp/negotiate.ts'
import { errorPacket, parsePacket, type ReadRequest, TFTP_ERROR } from '../../tftp/packet.ts'
import type { Sender } from './inbox.ts'
import { NetasciiFiles } from './netascii-file.ts'
import { RequestRates } from './request-rates.ts'
import type { Peer, TransferResult } from './session.ts'
import type { SinglePortTransfers } from './single-port.ts'
import type { TftpFile } from './tftp-file.ts'
import type { TftpLimits } from './tftp-limits.ts'
import { PROCESS_CLOCK, type TransferClock } from './transfer-clock.ts'
import type { RunningTransfer, TransferHost } from './transfer-host.ts'

/** What a request is answered by: files, who may ask, and who is told. */
export interface DeskOptions {
  readonly log: Logger
  /** Looks a clean name up in a list of what there is; never a path. */
  find(name: string): TftpFile | undefined
  /**
   * Who may ask: `yes` for addresses of served subnets, `many-behind-it` where machines share one and the limits per
   * address are off. Nobody else gets a byte, so nobody can be flooded through us.
   */
  admits(address: Ipv4): 'yes' | 'many-behind-it' | 'no'
  /** The largest block that this client's firmware bears; undefined: the server's own limit. */
  mostBlockBytes?(client: Ipv4): number | undefined
  onEnd?(ended: EndedTransfer): void
  /** Told when a transfer begins. */
  onBegin?(client: Ipv4, file: TftpFile): void
  /** Told of every name asked for that is not there, made printable. */
  onMissing?(client: Ipv4, name: string): void
}

/** A transfer that is over, with whose and which it was. */
export interface EndedTransfer extends TransferResult {
  readonly client: Ipv4
  readonly fileName: string
  readonly fileBytes: number
}

export interface DeskParts {
  readonly options: DeskOptions
  readonly limits: TftpLimits
  readonly host: TransferHost
  /** The host once more, where transfers go through the listener's own port. */
  readonly singlePort?: SinglePortTransfers
  /** Sends a refusal, from wherever answers come. */
  refuse(packet: Uint8Array, to: Peer): void
  readonly clock?: TransferClock
}

interface Session {
  readonly request: ReadRequest
  readonly transfer: RunningTransfer
}

/** What comes to the listening port: admits, refuses, and has a host begin transfers. Knows no socket. */
export class RequestDesk {
  /** Drops, refusals and ends by reason since start. */
  readonly counters = new Map<string, number>()
  readonly #options: DeskOptions
  readonly #limits: TftpLimits
  readonly #host: TransferHost
  readonly #singlePort: SinglePortTransfers | undefined
  readonly #send: DeskParts['refuse']
  readonly #clock: TransferClock
  readonly #sessions = new Map<string, Session>()
  readonly #countByAddress = new Map<Ipv4, number>()
  readonly #netascii = new NetasciiFiles()
  readonly #rates = new RequestRates()
  #isClosed = false

  constructor({ options, limits, host, singlePort, refuse, clock = PROCESS_CLOCK }: DeskParts) {
    this.#options = options
    this.#limits = limits
    this.#host = host
    this.#singlePort = singlePort
    this.#send = refuse
    this.#clock = clock
  }

  /** The transfers that run. */
  get running(): readonly RunningTransfer[] {
    return [...this.#sessions.values()].map(({ transfer }) => transfer)
  }

  /** From now on no transfer is begun. */
  close(): void {
    this.#isClosed = true
  }

  /** A datagram, from whomever. */
  receive(bytes: Uint8Array, from: Sender): void {
    // RFC 768: a datagram need not name a port to answer to, and Node throws at whoever sends to port 0.
    if (from.port === 0) return this.#count('no-source-port')
    if (bytes[1] === 4 && this.#singlePort?.receive(bytes, from) === true) return
    const client = parseIpv4(from.address)
    const admission = client === undefined ? 'no' : this.#options.admits(client)
    if (client === undefined || admission === 'no') return this.#count('not-admitted')
    const packet = parsePacket(bytes)
    if (packet === undefined) return this.#count('not-tftp')
    const to = { address: client, port: from.port }
    const isLimited = admission === 'yes' && !this.#limits.singlePort
    switch (packet.kind) {
      case 'rrq':
        return this.#answer(packet, to, isLimited)
      case 'wrq':
        if (this.#isTooMany(client, isLimited)) return
        this.#count('write-refused')
        return this.#refuse(to, TFTP_ERROR.accessViolation, 'this server is read-only')
      case 'malformed-request':
        if (this.#isTooMany(client, isLimited)) return
        this.#count('malformed-request')
        return this.#refuse(to, TFTP_ERROR.illegalOperation, packet.message)
      default:
        // RFC 1350 §4: never answer what may itself be an answer.
        if (this.#singlePort?.receive(bytes, from) !== true) this.#count('stray-packet')
    }
  }

  #answer(request: ReadRequest, to: Peer, isLimited: boolean): void {
    const { log } = this.#options
    const key = `${to.address}:${to.port}`
    const running = this.#sessions.get(key)
    if (running !== undefined && isSame(running.request, request)) return running.transfer.askAgain()
    if (this.#isClosed) return this.#count('stopping')
    if (this.#isTooMany(to.address, isLimited)) return
    if (running !== undefined) {
      this.#forget(key, running, to.address)
      running.transfer.drop('the client began another transfer')
    }
    const name = cleanFileName(request.fileName)
    if (name === undefined) {
      this.#count('hostile-name')
      log.warn({ client: to.address, file: printable(request.fileName) }, 'TFTP name refused')
      return this.#refuse(to, TFTP_ERROR.accessViolation, 'no such name')
    }
    const file = this.#options.find(name)
    if (file === undefined) {
      this.#count('not-found')
      log.info({ client: to.address, file: printable(name) }, 'TFTP file not found')
      this.#options.onMissing?.(to.address, printable(name))
      return this.#refuse(to, TFTP_ERROR.fileNotFound, 'file not found')
    }
    const { sessions, sessionsPerAddress } = this.#limits
    const ofAddress = this.#countByAddress.get(to.address) ?? 0
    if (
      this.#sessions.size >= sessions ||
      (isLimited && sessionsPerAddress > 0 && ofAddress >= sessionsPerAddress)
    ) {
      this.#count('too-many-sessions')
      return this.#refuse(to, TFTP_ERROR.undefined, 'too many transfers at once')
    }
    this.#begin(request, request.mode === 'netascii' ? this.#netascii.of(file) : file, to, key)
  }

  #begin(request: ReadRequest, file: TftpFile, to: Peer, key: string): void {
    const { maxBlockBytes } = this.#limits
    const capped = Math.min(maxBlockBytes, this.#options.mostBlockBytes?.(to.address) ?? maxBlockBytes)
    const terms = negotiate(request, file.bytes.length, { ...this.#limits, maxBlockBytes: capped })
    this.#options.onBegin?.(to.address, file)
    const transfer = this.#host.begin({ to, fileBytes: file.bytes, terms })
    const session = { request, transfer }
    this.#sessions.set(key, session)
    this.#countByAddress.set(to.address, (this.#countByAddress.get(to.address) ?? 0) + 1)
    void transfer.ended.then((result) => {
      this.#forget(key, session, to.address)
      this.#count(result.end.kind)
      const { end, bytes, resends, durationMs } = result
      this.#options.log[end.kind === 'probe' ? 'debug' : 'info'](
        {
          client: to.address,
          file: file.name,
          end: end.kind,
          bytes,
          resends,
          ms: Math.round(durationMs),
          ...(end.kind === 'aborted' ? { code: end.code, message: printable(end.message) } : {}),
        },
        'TFTP transfer ended',
      )
      this.#options.onEnd?.({
        client: to.address,
        fileName: file.name,
        fileBytes: file.bytes.length,
        ...result,
      })
    })
  }

  #forget(key: string, session: Session, address: Ipv4): void {
    if (this.#sessions.get(key) !== session) return
    this.#sessions.delete(key)
    const left = (this.#countByAddress.get(address) ?? 1) - 1
    if (left === 0) this.#countByAddress.delete(address)
    else this.#countByAddress.set(address, left)
  }

  #isTooMany(client: Ipv4, isLimited: boolean): boolean {
    const { requestsPerSecond } = this.#limits
    if (!isLimited || requestsPerSecond === 0) return false
    if (this.#rates.allows(client, requestsPerSecond, this.#clock.nowMs())) return false
    this.#count('rate-limited')
    return true
  }

  #refuse(to: Peer, code: number, message: string): void {
    this.#send(errorPacket(code, message), to)
  }

  #count(reason: string): void {
    this.counters.set(reason, (this.counters.get(reason) ?? 0) + 1)
  }
}

/** The same request word for word; EDK2 asks again with other options, and means another transfer. */
function isSame(one: ReadRequest, other: ReadRequest): boolean {
  return (
    one.fileName === other.fileName &&
    one.mode === other.mode &&
    one.options.size === other.options.size &&
    [...one.options].every(([name, value]) => other.options.get(name) === value)
  )
}
