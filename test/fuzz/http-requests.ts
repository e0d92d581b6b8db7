import {
  brokenBytes,
  otherBody,
  someAuthorization,
  someCondition,
  someHeader,
  withHostilePart,
  withQuery,
} from './http-mutations.ts'
import { PLANS } from './http-plans.ts'
import { FRAMING, HOSTILE_TARGETS, METHODS, NO_METHODS, RANGES, TYPES } from './http-words.ts'
import type { HttpFuzzWorld } from './http-world.ts'
import type { SeededRandom } from './random.ts'
import type { Header, RawRequest } from './raw-request.ts'

/** One request, changed in 0 to 4 places; every sixteenth then in its bytes. */
export function someHttpRequest(random: SeededRandom, facts: HttpFuzzWorld): RawRequest {
  const plan = random.pick(PLANS)(random, facts)
  let version = 'HTTP/1.1'
  let isSound = true
  const odd: string[] = []
  for (let changes = random.below(5); changes > 0; changes -= 1) {
    switch (random.below(18)) {
      case 0:
        plan.method = random.pick(METHODS)
        break
      case 1:
      case 17:
        plan.target = withHostilePart(random, plan.target)
        break
      case 2:
        plan.target = random.pick([...HOSTILE_TARGETS, ...facts.filePaths])
        break
      case 3:
      case 4:
        plan.target = withQuery(random, plan.target)
        break
      case 5:
      case 6:
        plan.headers.push(['Range', random.pick(RANGES)])
        break
      case 7:
        plan.headers.push(someCondition(random, facts))
        break
      case 8:
        plan.headers = plan.headers.filter(([name]) => name !== 'Authorization')
        plan.headers.push(['Authorization', someAuthorization(random, facts)])
        break
      case 9:
        plan.headers.push(someHeader(random))
        break
      case 10:
      case 11:
      case 12:
        if (plan.body !== undefined) plan.body = otherBody(random, plan.body)
        break
      case 13:
        plan.headers = plan.headers.filter(([name]) => name !== 'Content-Type')
        plan.headers.push(['Content-Type', random.pick(TYPES)])
        break
      case 14:
        plan.headers.splice(0, 1)
        break
      case 15:
        if (random.below(3) === 0) plan.method = random.pick(NO_METHODS)
        else version = random.pick(['HTTP/1.0', 'HTTP/2.0', 'HTTP/0.9', 'HTTP/1.10', '', 'ICY', 'HTTP/1.1'])
        break
      case 16:
        if (random.below(2) === 0) odd.push(random.pick(FRAMING))
        break
    }
  }
  const body = Buffer.from(plan.body ?? '')
  const headers: Header[] = [...plan.headers]
  if (plan.body !== undefined || random.below(10) === 0) headers.push(['Content-Length', String(body.length)])
  const lines = [
    `${plan.method} ${plan.target} ${version}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...odd,
  ]
  let bytes = Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body])
  const isPlainTarget = /^(?:\/|http:\/\/)[\x21-\x7e]*$/.test(plan.target)
  const hosts = headers.filter(([name]) => name === 'Host').length
  if (odd.length > 0 || version !== 'HTTP/1.1' || NO_METHODS.includes(plan.method)) isSound = false
  if (!isPlainTarget || hosts !== 1 || headers.some(([name, value]) => !isPlain(name, value))) isSound = false
  if (plan.body === undefined && body.length > 0) isSound = false
  if (random.below(16) === 0) {
    bytes = brokenBytes(random, bytes)
    isSound = false
  }
  const { side, method, target } = plan
  return { side, bytes, method, target, headers, isSound, from: random.pick([1, 1, 1, 2, 2, 9]) }
}

function isPlain(name: string, value: string): boolean {
  return /^[A-Za-z0-9-]+$/.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value)
}
