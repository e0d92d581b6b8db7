import { exchange } from '../../src/sim/http-exchange.ts'
import { demand, FuzzFailure, type FuzzOptions, type FuzzResult, FuzzTally } from './fuzzing.ts'
import { HttpLane } from './http-lane.ts'
import { someHttpRequest } from './http-requests.ts'
import type { HttpResponse } from './http-responses.ts'
import { checkResponse } from './http-rules.ts'
import { type HttpFuzzWorld, openHttpFuzzWorld } from './http-world.ts'
import { SeededRandom } from './random.ts'
import type { RawRequest } from './raw-request.ts'

const LOOK_EVERY = 200
const LANES = 32
/** A server is used up by what is done to it: after so many requests there is another. */
const REQUESTS_A_WORLD = 10_000

/**
 * Sends hostile requests to the boot side and the operator side over real connections. The server lives; nothing is
 * answered with 5xx but what is documented so; every answer is HTTP to the letter, holds no secret and no byte of a
 * file that is in no manifest; files and their ranges are right bit for bit; no log line holds control characters.
 * The requests of a seed are the same again, but for tokens; in which order 32 clients get their answers is not.
 *
 * @throws FuzzFailure at the first request that breaks a rule.
 */
export async function fuzzHttp(options: FuzzOptions): Promise<FuzzResult> {
  const random = new SeededRandom(options.seed)
  const tally = new FuzzTally(options, LOOK_EVERY)
  let goesOn = true
  while (goesOn) {
    const facts = await openHttpFuzzWorld()
    try {
      goesOn = await fuzzOne(facts, random, tally, options)
    } finally {
      await facts.world.close()
    }
  }
  return tally.result
}

/** @returns false when there is nothing more to try. */
async function fuzzOne(
  facts: HttpFuzzWorld,
  random: SeededRandom,
  tally: FuzzTally,
  options: FuzzOptions,
): Promise<boolean> {
  const end = Math.min(tally.index + REQUESTS_A_WORLD, options.count)
  const underWay = new Set<RawRequest>()
  let isOver = false
  let failure: FuzzFailure | undefined
  const fail = (cause: unknown, requests: Iterable<RawRequest>) => {
    const what = [...requests].map(shown).join('\n')
    failure ??= new FuzzFailure(
      (cause as Error).message,
      `request ${tally.index} of seed ${options.seed}\n${what}`,
      cause,
    )
  }
  // A bug that no handler caught ends the server: the same here.
  const crash = (error: unknown) => fail(new Error(`the server fell: ${(error as Error).stack}`), underWay)
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)
  const goesOn = () => {
    if (tally.index + underWay.size >= end) return false
    isOver ||= !tally.goesOn('requests')
    return !isOver && failure === undefined
  }
  const run = async () => {
    const lane = new HttpLane(facts)
    while (goesOn()) {
      const request = someHttpRequest(random, facts)
      underWay.add(request)
      try {
        const answers = await lane.send(request)
        for (const answer of answers) checkResponse(facts, request, answer)
        tally.add(wayOf(request, answers), answers.length > 0)
      } catch (cause) {
        fail(cause, [request])
      }
      try {
        checkLog(facts)
      } catch (cause) {
        fail(cause, underWay)
      }
      underWay.delete(request)
    }
    lane.close()
  }
  try {
    await Promise.all(Array.from({ length: LANES }, run))
    if (failure === undefined) await checkAlive(facts).catch((cause) => fail(cause, []))
  } finally {
    process.off('uncaughtException', crash)
    process.off('unhandledRejection', crash)
  }
  if (failure !== undefined) throw failure
  return !isOver && tally.index < options.count
}

/** After all that, a machine is still served. */
async function checkAlive({ world, files, filePaths }: HttpFuzzWorld): Promise<void> {
  for (const path of filePaths) {
    const { status, body, headers } = await world.ask(1, path)
    const wanted = files.get(String(headers.etag).replaceAll('"', ''))
    demand(
      status === 200 && wanted !== undefined && wanted.equals(body),
      `in the end ${path} is answered with ${status}`,
    )
  }
  const health = await exchange({ url: `http://${world.address}:8090/healthz` })
  demand(health.status === 200, `in the end /healthz is ${health.status}`)
}

/** Machine-supplied text is escaped in the log; nothing in it is our fault, and nothing a secret. */
function checkLog({ world, secrets }: HttpFuzzWorld): void {
  for (const line of world.logged.splice(0)) {
    const text = JSON.stringify(line)
    demand(line.level < 50, `logged as an error: ${text.slice(0, 2000)}`)
    const told = secrets.find((secret) => text.includes(secret))
    demand(told === undefined, `a log line holds a secret: ${text.slice(0, 2000)}`)
    const hasControls = /\\u00[01][0-9a-f]|\\[nrtbf]|[\x7f-\x9f\u2028-\u202e\u2066-\u2069]/.test(text)
    demand(!hasControls, `a log line with control characters: ${text.slice(0, 2000)}`)
  }
}

function wayOf({ side, isSound, method, target }: RawRequest, answers: readonly HttpResponse[]): string {
  if (!isSound)
    return `${side} no HTTP: ${answers.map(({ status }) => status).join(' ') || 'silent'}`.slice(0, 30)
  const first = /^\/(?:api\/v1\/)?([a-z-]+)/.exec(target)?.[1] ?? 'other'
  const known = FIRST_PARTS.includes(first) ? first : 'other'
  return `${side} ${/^(?:GET|HEAD)$/.test(method) ? 'read' : 'write'} ${known} ${answers[0]?.status ?? 'silent'}`
}

const FIRST_PARTS = [
  ...[
    'boot',
    'assets',
    'images',
    'machines',
    'beacon',
    'first-boot',
    'clusters',
    'events',
    'simulate',
    'backup',
    'services',
  ],
  ...['healthz', 'readyz', 'boots', 'leases', 'image-names', 'fleet', 'dhcp', 'counters'],
]

function shown({ side, from, bytes }: RawRequest): string {
  return `${side} side, from machine ${from}:\n${JSON.stringify(bytes.subarray(0, 4000).toString('latin1'))}`
}
