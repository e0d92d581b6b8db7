import { PARKING_SENTENCES, type ParkingReason } from '../../boot/choose-script.ts'
import { isImageScript } from '../../boot/trace-files.ts'
import { ago, type Case, type Cause, STUCK, times } from '../cause.ts'
import { parkingOf } from '../situation.ts'
import { rootOf } from './root.ts'

/** An initrd is unpacked beside its packed form: 4 to 8 times as much in all. */
const ENOUGH_RAM_FACTOR = 8
/** What a small system needs beside it. */
const SYSTEM_RAM_MIB = 256

/** What keeps a machine between its address and its kernel. */
export const LOADING_CAUSES: readonly Cause[] = [
  {
    code: 'parked',
    title: 'its boot script makes it wait for a decision',
    when: ['parked'],
    detect(c) {
      const row = parkingRow(c)
      if (row === undefined) return undefined
      return {
        likelihood: 'certain',
        text: `${sentenceOf(row.key)} (${row.key}); it asks again every 5 s, ${times(row.times)} so far`,
      }
    },
    cure(c) {
      if (parkingRow(c)?.key === 'image-queue')
        return 'it goes on by itself; to send to more at a time raise boot.max_streams, or put nginx in front (docs/nginx-images.conf)'
      // The name that it was given when it was seen is not the one that it is to have.
      if (parkingRow(c)?.key === 'not-accepted')
        return `pilotlight machine add NODE --mac ${c.snapshot.machine.macs[0]}`
      const command = /\((pilotlight [^)]*)\)/.exec(sentenceOf(parkingRow(c)?.key ?? ''))?.[1]
      const { name } = c.snapshot.machine
      return command === undefined ? 'check which network port it boots from' : withName(command, name)
    },
  },
  {
    code: 'tftp-stopped',
    title: 'TFTP breaks off: a firewall, the MTU, or a lossy link',
    when: STUCK,
    detect(c) {
      if (!isAt(c, 'offered', 'loader-sent') || hasScript(c)) return undefined
      const row = c
        .traces('tftp', 'loader:')
        .find(({ facts }) => facts.end === 'timed-out' || facts.end === 'aborted')
      if (row === undefined) return undefined
      const got = Number(row.facts.confirmed_bytes)
      const text =
        got === 0
          ? `first block of ${row.key.slice(7)} sent ${times(row.retries + row.times)}, no ACK came`
          : `${row.key.slice(7)} broke off after ${got} of ${row.facts.file_bytes} bytes, ${row.retries} blocks sent again`
      return { likelihood: 'likely', text }
    },
    cure: () =>
      'allow UDP from this server’s high ports to the machine (TFTP answers from a port of its own), and compare the MTU of both ends',
  },
  {
    code: 'tftp-not-asked',
    title: 'the machine never asks for its loader',
    when: STUCK,
    detect(c) {
      const ack = c.traces('dhcp', 'request:firmware').find(({ facts }) => facts.answer === 'ack')
      if (!isAt(c, 'offered') || ack?.facts.file === undefined) return undefined
      if (c.traces('tftp').length > 0 || c.traces('http').length > 0 || hasScript(c)) return undefined
      return {
        likelihood: 'likely',
        text: `ACK of ${ack.facts.address} with the boot file ${ack.facts.file} sent ${ago(c, ack.lastAtMs)} ago, nobody asked for that file`,
      }
    },
    cure: () => 'allow UDP port 69 (TFTP) and the boot HTTP port from the machines to this server',
  },
  {
    code: 'loader-loop',
    title: 'the loader starts again and again without asking for its script',
    when: STUCK,
    detect(c) {
      const count = wholeLoaders(c)
      if (count < 2 || hasScript(c)) return undefined
      return {
        likelihood: 'certain',
        text: `the loader was sent whole ${times(count)}, and no script was asked for`,
      }
    },
    cure: () =>
      'give it another loader: pilotlight machine edit NAME --loader ipxe.efi (all drivers) or snponly.efi (the firmware’s own)',
  },
  {
    code: 'loader-not-started',
    title:
      'the loader arrived and does not run: Secure Boot, the wrong architecture, or no driver for its port',
    when: STUCK,
    detect(c) {
      const row = [...c.traces('tftp', 'loader:'), ...c.traces('http', 'loader:')].find(({ facts }) =>
        isSent(facts.end),
      )
      if (!isAt(c, 'loader-sent') || row === undefined || wholeLoaders(c) > 1) return undefined
      if (c.traces('dhcp', 'discover:ipxe').some(({ lastAtMs }) => lastAtMs >= row.firstAtMs) || hasScript(c))
        return undefined
      return {
        likelihood: 'likely',
        text: `${row.key.slice(7)} was sent whole ${ago(c, row.lastAtMs)} ago; it has not asked for an address since`,
      }
    },
    cure: () =>
      'look at its console; switch Secure Boot off, or choose a loader: pilotlight machine edit NAME --loader',
  },
  {
    code: 'script-not-asked',
    title: 'the loader runs and does not reach the boot HTTP port',
    when: STUCK,
    detect(c) {
      const ack = c
        .traces('dhcp', 'request:ipxe')
        .find(({ facts }) => facts.answer === 'ack' && facts.boot === 'script')
      if (!isAt(c, 'offered', 'loader-sent') || ack === undefined || hasScript(c)) return undefined
      return {
        likelihood: 'likely',
        text: `iPXE got ${ack.facts.address} and the URL ${ack.facts.file} ${ago(c, ack.lastAtMs)} ago, and has not asked for it`,
      }
    },
    cure: () =>
      'allow the boot HTTP port (boot.port, TCP) from the machines to this server, and check the router',
  },
  {
    code: 'image-again',
    title: 'the image does not load: too little RAM for kernel and initrd, usually',
    when: STUCK,
    detect(c) {
      const asked = c.traces('script').filter(isImageScript)
      const count = asked.reduce((sum, row) => sum + row.times, 0)
      if (!isAt(c, 'script-sent', 'kernel-sent', 'initrd-sent') || count < 2) return undefined
      const bytes = (c.snapshot.image?.files ?? []).reduce((sum, file) => sum + file.bytes, 0)
      return {
        likelihood: 'certain',
        text: `its loader asked for the script ${times(count)}; kernel and initrd have ${Math.ceil(bytes / 2 ** 20)} MiB`,
      }
    },
    cure: () =>
      'its console shows iPXE’s error; give it more RAM (about 8 times the initrd), or a smaller image',
  },
  {
    code: 'too-little-memory',
    title: 'the machine has too little RAM to hold its image packed and unpacked',
    when: STUCK,
    detect(c) {
      const told = c.traces('script').findLast(({ facts }) => typeof facts.ram_mib === 'number')
        ?.facts.ram_mib
      const initrd = c.snapshot.image?.files.find(({ role }) => role === 'initrd')
      if (!isAt(c, 'script-sent', 'kernel-sent', 'initrd-sent') || initrd === undefined) return undefined
      const mib = Math.ceil(initrd.bytes / 2 ** 20)
      // Fetched once and used as it is: it lies in RAM as large as it is.
      const rootMib = Math.ceil((rootOf(c)?.bytes ?? 0) / 2 ** 20)
      const least = 2 * mib + rootMib
      if (typeof told !== 'number' || told >= ENOUGH_RAM_FACTOR * mib + rootMib + SYSTEM_RAM_MIB)
        return undefined
      const beside = rootMib === 0 ? '' : `, and the squashfs beside it ${rootMib} MiB`
      return {
        likelihood: told < least ? 'certain' : told < least + SYSTEM_RAM_MIB ? 'likely' : 'possible',
        text: `its firmware tells of ${told} MiB of RAM; the initrd has ${mib} MiB, and unpacked several times that${beside}`,
      }
    },
    cure: () => 'give it more RAM (about 8 times the initrd), or move the root into a squashfs of its own',
  },
  {
    code: 'image-stopped',
    title:
      'kernel or initrd do not arrive whole: a slow reader, a lossy link, or an image server that is not reachable',
    when: STUCK,
    detect(c) {
      const what =
        c.situation.stage === 'script-sent' ? 'kernel' : c.situation.stage === 'kernel-sent' ? 'initrd' : ''
      if (what === '') return undefined
      const asked = c.traces('http', `asked:${what}:`)[0]
      const sent = c.traces('http', `${what}:`)[0]
      if (asked === undefined)
        return {
          likelihood: 'likely',
          text: `the script went out, and the ${what} was not asked for here (an image_base_url elsewhere is not seen)`,
        }
      if (sent?.facts.end === 'broken-off')
        return {
          likelihood: 'certain',
          text: `the ${what} broke off after ${sent.facts.confirmed_bytes} of ${sent.facts.file_bytes} bytes, ${ago(c, sent.lastAtMs)} ago`,
        }
      if (sent !== undefined) return undefined
      return {
        likelihood: 'likely',
        text: `the ${what} (${asked.facts.file_bytes} bytes) was asked for ${ago(c, asked.lastAtMs)} ago and is still being read`,
      }
    },
    cure: () =>
      'its console shows how far iPXE is; check the link’s speed and errors, and boot.image_base_url if it is set',
  },
]

function parkingRow(c: Case) {
  const { records } = c.snapshot
  return records === undefined ? undefined : parkingOf(records.traces, records.attempt.stage)
}

/** The script that holds a machine has the word for why it does; those after it say that it is held. */
function sentenceOf(reason: string): string {
  if (reason === 'identity' || reason === 'boot-loop') return PARKING_SENTENCES['held-by-server']
  return PARKING_SENTENCES[reason as ParkingReason] ?? reason
}

/** The command of a parking sentence with the machine's name behind its verb. */
function withName(command: string, name: string): string {
  return command.replace(/^(pilotlight machine \w+)/, `$1 ${name}`)
}

function isAt(c: Case, ...stages: readonly string[]): boolean {
  return stages.includes(c.situation.stage ?? '')
}

function hasScript(c: Case): boolean {
  return c.traces('script').length > 0
}

function isSent(end: unknown): boolean {
  return end === 'sent' || end === 'sent-unconfirmed'
}

/** How often a loader went out whole; the last one's end stands for the others, which their count tells. */
function wholeLoaders(c: Case): number {
  return [...c.traces('tftp', 'loader:'), ...c.traces('http', 'loader:')]
    .filter(({ facts }) => isSent(facts.end))
    .reduce((sum, row) => sum + row.times, 0)
}
