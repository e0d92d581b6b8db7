import { latin1, toHex } from '../../src/net/bytes.ts'
import type { Peer } from '../../src/servers/tftp/session.ts'
import { ackPacket } from '../../src/tftp/packet.ts'
import { ip } from '../support/builders.ts'
import { demand, FuzzFailure, type FuzzOptions, type FuzzResult, FuzzTally } from './fuzzing.ts'
import { SeededRandom } from './random.ts'
import { broken, someOther, someRequest } from './tftp-mutations.ts'
import { checkLookedUp, errorCodeOf, type ReadAsked, readAsked, TransferRules } from './tftp-rules.ts'
import { fuzzLoaders, type OpenTransfer, type SentPacket, TftpFuzzWorld } from './tftp-world.ts'

const LOOK_EVERY = 2_500
const CLIENTS = ['10.77.0.11', '10.77.0.12', '10.77.0.13', '10.77.0.14'].map(ip)
const OUTSIDERS = ['192.0.2.9', '255.255.255.255', '0.0.0.0'].map(ip)
const PORTS = [1024, 2000, 2001, 65_535]
const OPCODES = ['garbage', 'rrq', 'wrq', 'data', 'ack', 'error', 'oack']
/** More than any transfer lives in silence. */
const FOR_EVER_MS = 1_000_000

/** One thing that happens: a packet to the listening port or to a transfer's own, or time that passes. */
type Happening =
  | { readonly kind: 'time'; readonly ms: number }
  | { readonly kind: 'packet'; readonly bytes: Uint8Array; readonly from: Peer; readonly at?: OpenTransfer }

/**
 * Sends mutated packets to the whole of TFTP but its sockets. Nothing may throw; each packet that leaves is one that
 * protocol.md §6 allows as an answer to the one that came, goes to who sent that, and holds the file's own bytes; no
 * name is looked up that could mean a path; nothing answers an ERROR; and in the end no transfer and no timer is left.
 *
 * @throws FuzzFailure at the first packet that breaks a rule.
 */
export async function fuzzTftp(options: FuzzOptions): Promise<FuzzResult> {
  const { seed } = options
  const random = new SeededRandom(seed)
  const { manifest, remove } = fuzzLoaders()
  const names = [...manifest.names]
  const contents = new Map(names.map((name) => [name, manifest.find(name)?.bytes ?? new Uint8Array()]))
  const runs = [
    new TftpFuzzWorld('as shipped', manifest, {}),
    new TftpFuzzWorld('tight', manifest, { sessions: 5, sessionsPerAddress: 2, requestsPerSecond: 6 }),
    new TftpFuzzWorld('one port', manifest, { singlePort: true }),
    new TftpFuzzWorld('small blocks', manifest, { maxWindow: 4 }, 600),
  ].map((world) => new TftpFuzzRun(world, random, names, contents))
  const tally = new FuzzTally(options, LOOK_EVERY)
  try {
    while (tally.goesOn('packets')) {
      const run = random.pick(runs)
      const happening = run.next()
      try {
        const way = await run.carryOut(happening)
        tally.add(way, !way.endsWith('silent'))
      } catch (cause) {
        throw failure(cause, seed, tally.index, run, happening)
      }
    }
    for (const run of runs) {
      try {
        await run.finish()
      } catch (cause) {
        throw failure(cause, seed, tally.index, run, { kind: 'time', ms: FOR_EVER_MS })
      }
      for (const [end, times] of run.world.ends) tally.note(`ended ${end}`, times)
      tally.note('rolled over', run.rolledOver)
    }
  } finally {
    remove()
  }
  return tally.result
}

function failure(
  cause: unknown,
  seed: number,
  index: number,
  run: TftpFuzzRun,
  happening: Happening,
): FuzzFailure {
  const what =
    happening.kind === 'time'
      ? `${happening.ms} ms pass`
      : `${happening.at === undefined ? 'to the listening port' : `to the transfer of ${happening.at.order.to.port}`} from ${happening.from.address}:${happening.from.port}: ${toHex(happening.bytes)}`
  const where = `packet ${index} of seed ${seed}, world ${run.world.name}, ${what}`
  return new FuzzFailure((cause as Error).message, where, cause)
}

/** One world with the rules of its transfers. */
class TftpFuzzRun {
  readonly world: TftpFuzzWorld
  readonly #random: SeededRandom
  readonly #names: readonly string[]
  readonly #contents: ReadonlyMap<string, Uint8Array>
  readonly #rules = new Map<OpenTransfer, TransferRules>()
  readonly #netascii = new Map<Uint8Array, Uint8Array>()
  /** Block 65,536 was acknowledged so often. */
  rolledOver = 0
  #followed: OpenTransfer | undefined
  #before: Uint8Array = Uint8Array.of(0, 1)

  constructor(
    world: TftpFuzzWorld,
    random: SeededRandom,
    names: readonly string[],
    contents: ReadonlyMap<string, Uint8Array>,
  ) {
    this.world = world
    this.#random = random
    this.#names = names
    this.#contents = contents
  }

  /** What happens next: mostly what keeps transfers going, so that the others meet them everywhere. */
  next(): Happening {
    const random = this.#random
    const open = [...this.world.open]
    if (!open.includes(this.#followed as OpenTransfer)) this.#followed = undefined
    if (this.#followed !== undefined && random.below(1000) !== 0) return this.#follow(this.#followed)
    if (random.below(40) === 0) return { kind: 'time', ms: random.pick([1, 300, 1001, 1001, 4000, 130_000]) }
    if (open.length > 0 && random.below(8000) === 0) this.#followed = longestOf(open)
    if (open.length > 0 && random.below(4) !== 0) return this.#toTransfer(random.pick(open))
    const bytes = this.#mutated(random.below(10) === 0 ? someOther(random) : someRequest(random, this.#names))
    return { kind: 'packet', bytes, from: this.#somebody() }
  }

  /** What a client does that wants the whole file. */
  #follow(at: OpenTransfer): Happening {
    const lastSent = this.#rules.get(at)?.lastSent ?? 0
    if (lastSent > 65_536 && (this.#rules.get(at)?.lastAcked ?? 0) <= 65_536) this.rolledOver += 1
    const target = at.session === undefined ? {} : { at }
    return { kind: 'packet', bytes: ackPacket(lastSent & 0xffff), from: at.order.to, ...target }
  }

  #toTransfer(at: OpenTransfer): Happening {
    const random = this.#random
    const { to } = at.order
    const rules = this.#rules.get(at)
    const from = random.below(20) === 0 ? this.#somebody() : to
    const target = at.session === undefined ? {} : { at }
    switch (random.below(60)) {
      case 0:
        return { kind: 'packet', bytes: this.#mutated(someOther(random)), from, ...target }
      case 1:
        return { kind: 'packet', bytes: this.#mutated(someRequest(random, this.#names)), from, ...target }
      case 2:
        return { kind: 'packet', bytes: ackPacket(random.below(65_536)), from, ...target }
      case 3:
      case 4: {
        // A block of the window, or one beside it.
        const acked = rules?.lastAcked ?? 0
        const block = acked - 2 + random.below((rules?.lastSent ?? 0) - acked + 5)
        return { kind: 'packet', bytes: ackPacket(block & 0xffff), from, ...target }
      }
      default:
        return { kind: 'packet', bytes: ackPacket((rules?.lastSent ?? 0) & 0xffff), from, ...target }
    }
  }

  #somebody(): Peer {
    const random = this.#random
    const address = random.pick(random.below(30) === 0 ? OUTSIDERS : CLIENTS)
    return { address, port: random.below(100) === 0 ? 0 : random.pick(PORTS) }
  }

  #mutated(bytes: Uint8Array): Uint8Array {
    const before = this.#before
    this.#before = bytes
    return this.#random.below(3) === 0 ? broken(this.#random, bytes, before) : bytes
  }

  /** @returns the way that it took: what it was, and what came of it. */
  async carryOut(happening: Happening): Promise<string> {
    const { world } = this
    if (happening.kind === 'time') {
      world.clock.pass(happening.ms)
      return `time ${this.#checkInTransfers(world.takeSent())}`
    }
    const { bytes, from, at } = happening
    const unchanged = Buffer.from(bytes)
    const transfer = at ?? (world.limits.singlePort ? world.transferOf(from) : undefined)
    if (at?.session !== undefined) at.session.receive(bytes, from)
    else world.desk.receive(bytes, from)
    const sent = world.takeSent()
    demand(unchanged.equals(bytes), 'the packet was written into')
    const way =
      at === undefined
        ? this.#checkAtDesk(bytes, from, sent, transfer)
        : this.#checkAtTransfer(at, bytes, from, sent)
    // Ends are told by promises.
    await undefined
    await undefined
    this.#checkNotes()
    for (const one of this.#rules.keys()) if (!world.open.has(one)) this.#rules.delete(one)
    return way
  }

  /** All clients fall silent: nothing may be left of them. */
  async finish(): Promise<void> {
    const { world } = this
    for (let round = 0; round < 20; round += 1) {
      world.clock.pass(FOR_EVER_MS / 20)
      this.#checkInTransfers(world.takeSent())
      await new Promise((resolve) => setImmediate(resolve))
    }
    demand(world.desk.running.length === 0, `${world.desk.running.length} transfers never end`)
    demand(world.open.size === 0, `${world.open.size} sessions never end`)
    demand(world.clock.pending === 0, `${world.clock.pending} timers are left`)
  }

  #checkAtDesk(
    bytes: Uint8Array,
    from: Peer,
    sent: readonly SentPacket[],
    before: OpenTransfer | undefined,
  ): string {
    const { world } = this
    const asked = readAsked(bytes)
    const isServed = from.port !== 0 && CLIENTS.includes(from.address)
    for (const name of world.lookedUp.splice(0)) checkLookedUp(name)
    if (!isServed) {
      demand(sent.length === 0, 'an answer to who is not served')
      return 'outsider silent'
    }
    for (const { to } of sent)
      demand(to.port === from.port && to.address === from.address, 'an answer to somebody else')
    if (asked.kind === 'none') {
      if (before !== undefined) return `one port: ${this.#checkAtTransfer(before, bytes, from, sent)}`
      demand(sent.length === 0, 'an answer to what is no request')
      return 'no request silent'
    }
    const refusals = sent.filter(({ transfer }) => transfer === undefined)
    if (refusals.length > 0) {
      const [refusal] = refusals
      demand(refusal !== undefined && sent.length === 1, `${sent.length} packets with a refusal among them`)
      const code = errorCodeOf(refusal)
      demand(
        codesFor(asked).includes(code),
        `refused with ERROR ${code}, want ${codesFor(asked).join(' or ')}`,
      )
      return `request error ${code}`
    }
    if (sent.length === 0) {
      const isCopy = world.transferOf(from) !== undefined
      demand(isCopy || world.limits.requestsPerSecond > 0, 'a request without an answer')
      return 'request silent'
    }
    demand(asked.kind === 'file', 'a transfer of what was to be refused')
    return `request ${this.#checkBegun(asked, from, sent)}`
  }

  #checkBegun(asked: ReadAsked & { kind: 'file' }, from: Peer, sent: readonly SentPacket[]): string {
    const transfer = this.world.transferOf(from)
    demand(transfer !== undefined, 'packets of no transfer')
    const known = this.#rules.get(transfer)
    const rules = known ?? new TransferRules(this.world, transfer, asked, this.#wantedBytes(asked))
    this.#rules.set(transfer, rules)
    if (known !== undefined) rules.askedAgain(sent)
    rules.check(sent)
    return shape(sent)
  }

  #checkAtTransfer(at: OpenTransfer, bytes: Uint8Array, from: Peer, sent: readonly SentPacket[]): string {
    const opcode = bytes[0] === 0 && bytes.length >= 4 ? bytes[1] : undefined
    const isPeer = from.port === at.order.to.port && from.address === at.order.to.address
    if (!isPeer) {
      const [refusal] = sent
      if (refusal === undefined) return 'stranger silent'
      demand(
        opcode !== undefined && opcode >= 1 && opcode <= 6 && opcode !== 5,
        'an answer to garbage or to an ERROR',
      )
      demand(sent.length === 1 && errorCodeOf(refusal) === 5, 'a stranger hears something else than ERROR 5')
      demand(
        refusal.to.port === from.port && from.port !== 0 && refusal.to.address === from.address,
        'sent to somebody else',
      )
      return 'stranger error 5'
    }
    demand(opcode === 4 || sent.length === 0, `an answer to opcode ${opcode} in a transfer`)
    const rules = this.#rules.get(at)
    demand(rules !== undefined, 'a transfer without a beginning')
    if (opcode === 4) rules.acknowledged(((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0))
    rules.check(sent)
    return `transfer ${OPCODES[opcode ?? 0] ?? 'garbage'} ${shape(sent)}`
  }

  #checkInTransfers(sent: readonly SentPacket[]): string {
    for (const transfer of new Set(sent.map((packet) => packet.transfer))) {
      demand(transfer !== undefined, 'a refusal out of nothing')
      const own = sent.filter((packet) => packet.transfer === transfer)
      const { window } = transfer.order.terms
      // Several timers may have run out one after the other.
      for (let first = 0; first < own.length; first += window) {
        const isOack = own[first]?.bytes[1] === 6
        this.#rules.get(transfer)?.check(own.slice(first, isOack ? first + 1 : first + window))
        if (isOack) first += 1 - window
      }
    }
    return shape(sent)
  }

  #checkNotes(): void {
    for (const note of this.world.notes.splice(0)) {
      const text = JSON.stringify(note)
      demand(
        !/[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/.test(text),
        `a note with control characters: ${text}`,
      )
      demand(text.length < 1000, `a note of ${text.length} characters`)
    }
  }

  /** The bytes of the file that a name means: exactly one that is in the manifest. */
  #wantedBytes({ name, isNetascii }: ReadAsked & { kind: 'file' }): Uint8Array {
    const flat = segmentsOf(name)
    const [only = ''] = flat
    const known =
      this.#names.find((one) => one === only) ??
      this.#names.find((one) => one.toLowerCase() === only.toLowerCase())
    const bytes = flat.length === 1 && known !== undefined ? this.#contents.get(known) : undefined
    demand(bytes !== undefined, `a transfer of ${JSON.stringify(name)}, which is in no manifest`)
    return isNetascii ? this.#inNetascii(bytes) : bytes
  }

  #inNetascii(bytes: Uint8Array): Uint8Array {
    const known = this.#netascii.get(bytes)
    if (known !== undefined) return known
    const text = latin1(bytes).replaceAll(/[\r\n]/g, (char) => (char === '\n' ? '\r\n' : '\r\0'))
    const converted = Uint8Array.from(text, (char) => char.charCodeAt(0))
    this.#netascii.set(bytes, converted)
    return converted
  }
}

/** The codes that a refusal of a request may have. */
function codesFor(asked: ReadAsked): readonly number[] {
  if (asked.kind === 'refused') return [asked.code]
  if (asked.kind === 'none') return []
  const isHostile = /[\0-\x1f\x7f-\x9f%]|(^|[/\\])\.\.[\xff ]*([/\\]|$)/.test(asked.name)
  const isNothing = segmentsOf(asked.name).length === 0
  if (isHostile) return [2]
  // 0: too many transfers at once.
  return isNothing ? [2] : [1, 0]
}

/** The parts of a name that count; ROMs end names with 0xff or blanks. */
function segmentsOf(name: string): readonly string[] {
  return name
    .split(/[/\\]/)
    .map((part) => part.replace(/[\xff ]+$/, ''))
    .filter((part) => part !== '' && part !== '.')
}

/** The one with the most blocks: only there do block numbers roll over. */
function longestOf(open: readonly OpenTransfer[]): OpenTransfer | undefined {
  const blocks = ({ order }: OpenTransfer) => order.fileBytes.length / order.terms.blockBytes
  return [...open].sort((a, b) => blocks(b) - blocks(a))[0]
}

function shape(sent: readonly SentPacket[]): string {
  const [first] = sent
  if (first === undefined) return 'silent'
  return ['', '', '', 'data', '', `error ${first.bytes[3]}`, 'oack'][first.bytes[1] ?? 0] ?? 'unknown'
}
