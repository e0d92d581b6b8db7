import type { ImageFile } from '../../../model/image.ts'
import type { RootFailure } from '../../boot/decide-beacon.ts'
import { ago, type Case, type Cause, type Evidence, STUCK, times } from '../cause.ts'
import { bytesOf, rootProgressOf } from '../root-progress.ts'

/** What stage 1 says when it cannot have its root, and what an operator does about it. */
const SAID: { readonly [Why in RootFailure]: { readonly text: string; readonly cure: string } } = {
  refused: {
    text: 'whoever has that URL refuses it (404 or another 4xx)',
    cure: 'pilotlight image show tells whether it was withdrawn; where boot.image_base_url is set, that server does not have it',
  },
  unreachable: {
    text: 'it does not come: nobody answers, or it breaks off again and again',
    cure: 'allow the boot HTTP port from the machines to this server, and check boot.image_base_url if it is set',
  },
  busy: {
    text: 'there was no room for its transfer for two hours',
    cure: 'raise boot.max_streams, or put nginx in front (docs/nginx-images.conf)',
  },
  'wrong-size': {
    text: 'what it got has another length than the image’s file, twice',
    cure: 'pilotlight image verify reads this server’s own; where boot.image_base_url is set, drop that server’s copy',
  },
  'wrong-sha256': {
    text: 'what it got is not the image’s file by its SHA-256, twice',
    cure: 'pilotlight image verify reads this server’s own; where boot.image_base_url is set, drop that server’s copy',
  },
  'no-memory': {
    text: 'it has too little free RAM to hold it',
    cure: 'give it more RAM, or a smaller image',
  },
  'wrong-url': {
    text: 'the kernel command line names no URL or length that it can read',
    cure: 'its console shows what it read; pilotlight image show has the image’s own parameters',
  },
  unknown: { text: 'it did not get it', cure: 'its console says why' },
}

/** What keeps a machine between its kernel and a root that is a squashfs of its own. */
export const ROOT_CAUSES: readonly Cause[] = [
  {
    code: 'root-not-loaded',
    title: 'stage 1 does not get the squashfs that is its root',
    // What stage 1 says itself is worth a word at once: it restarts, and would never stand still for long enough.
    when: 'always',
    detect(c) {
      const squashfs = rootOf(c)
      if (squashfs === undefined || c.situation.stage !== 'initrd-sent' || c.traces('redeem').length > 0)
        return undefined
      const failed = failureOf(c)
      if (failed !== undefined) {
        const text = `stage 1 says of ${squashfs.name}: ${SAID[failed.why].text}; ${failed.bytes} of ${squashfs.bytes} bytes were there ${ago(c, failed.atMs)} ago`
        return { likelihood: 'certain', text }
      }
      return STUCK.includes(c.situation.standing) ? seenFromHere(c, squashfs) : undefined
    },
    cure(c) {
      const failed = failureOf(c)
      return failed === undefined
        ? 'its console shows how far stage 1 is; check boot.image_base_url if it is set, and that the initrd honours pilotlight.squashfs='
        : SAID[failed.why].cure
    },
  },
]

/** True where the machine has its root, as far as is seen from here, or where its image has none beside the initrd. */
export function hasItsRoot(c: Case): boolean {
  if (rootOf(c) === undefined || c.traces('http', 'squashfs-loaded').length > 0) return true
  return c.traces('http', 'squashfs:').some(({ facts }) => facts.end === 'sent')
}

/** True where stage 1 ran: nobody else asks for its root. */
export function hasAskedForItsRoot(c: Case): boolean {
  return c.traces('http', 'asked:squashfs:').length + c.traces('http', 'squashfs-').length > 0
}

/** The root that the image has beside its initrd. */
export function rootOf({ snapshot }: Case): ImageFile | undefined {
  return snapshot.image?.files.find(({ role }) => role === 'squashfs')
}

function failureOf(c: Case) {
  const [loaded] = c.traces('http', 'squashfs-loaded')
  const [failed] = c.traces('http', 'squashfs-failed')
  if (failed === undefined || (loaded !== undefined && loaded.lastAtMs > failed.lastAtMs)) return undefined
  const why = String(failed.facts.why)
  return {
    why: Object.hasOwn(SAID, why) ? (why as RootFailure) : 'unknown',
    bytes: Number(failed.facts.bytes),
    atMs: failed.lastAtMs,
  }
}

/** Where stage 1 has not given up: what this server sent of it, and what stage 1 told of so far, if it tells. */
function seenFromHere(c: Case, { name }: ImageFile): Evidence | undefined {
  if (c.traces('http', 'squashfs-loaded').length > 0) return undefined
  const progress = c.snapshot.records === undefined ? undefined : rootProgressOf(c.snapshot.records)
  if (progress?.isWaiting === true) {
    const text = `stage 1 waits: whoever has ${name} has no room for its transfer (503 or 429); ${bytesOf(progress)} were there ${ago(c, progress.toldAtMs)} ago`
    return { likelihood: 'certain', text }
  }
  const [sent] = c.traces('http', 'squashfs:')
  if (sent?.facts.end === 'broken-off') {
    const text = `${name} broke off after ${sent.facts.confirmed_bytes} of ${sent.facts.file_bytes} bytes, ${ago(c, sent.lastAtMs)} ago`
    return { likelihood: 'certain', text }
  }
  if (sent !== undefined && sent.times > 1)
    return { likelihood: 'likely', text: `${name} was sent ${times(sent.times)}, and nothing came of it` }
  if (sent !== undefined) return undefined
  const [asked] = c.traces('http', 'asked:squashfs:')
  if (asked !== undefined) {
    const text = `${name} (${asked.facts.file_bytes} bytes) was asked for ${ago(c, asked.lastAtMs)} ago and is still being read`
    return { likelihood: 'likely', text }
  }
  if (progress !== undefined) {
    const text = `stage 1 had ${bytesOf(progress)} of ${name} ${ago(c, progress.toldAtMs)} ago, and has told of no more since`
    return { likelihood: 'likely', text }
  }
  const ack = c.traces('dhcp', 'request:system').find(({ facts }) => facts.answer === 'ack')
  if (ack === undefined) return undefined
  return {
    likelihood: 'likely',
    text: `stage 1 took the address ${ack.facts.address} ${ago(c, ack.lastAtMs)} ago, and ${name} was not asked for here (an image_base_url elsewhere is not seen)`,
  }
}
