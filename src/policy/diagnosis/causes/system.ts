import type { TraceRecord } from '../../../model/boot-trace.ts'
import { isImageScript } from '../../boot/trace-files.ts'
import { ago, type Case, type Cause, STUCK, times } from '../cause.ts'
import { SERVICE_OF_STEP } from '../limits.ts'
import type { AttemptRecords } from '../timeline.ts'
import { hasAskedForItsRoot, hasItsRoot } from './root.ts'

/** What keeps a machine between its kernel and its first report. */
export const SYSTEM_CAUSES: readonly Cause[] = [
  {
    code: 'config-refused',
    title: 'the configuration was refused to it',
    when: STUCK,
    detect(c) {
      const last = lastRefusal(c)
      if (last === undefined || c.traces('redeem', 'given').length > 0) return undefined
      return {
        likelihood: 'certain',
        text: `asked ${times(last.times)} from ${last.facts.address}, refused: ${last.key}${addressHint(c, last.key)}`,
      }
    },
    cure(c) {
      const { machine, cluster } = c.snapshot
      const reason = lastRefusal(c)?.key ?? ''
      if (FROZEN.has(reason))
        return `its cluster is frozen, and an operator has to say what is true: pilotlight cluster unfreeze ${cluster?.name ?? 'C'} --as open|founded`
      return CURE_OF_REFUSAL[reason] ?? `arm it again and reboot it: pilotlight machine arm ${machine.name}`
    },
  },
  {
    code: 'config-not-asked',
    title: 'the system runs and does not ask for its configuration',
    when: STUCK,
    detect(c) {
      if (c.situation.stage !== 'initrd-sent' || c.traces('redeem').length > 0) return undefined
      if (!hasItsRoot(c)) return undefined
      const ack = c.traces('dhcp', 'request:system').find(({ facts }) => facts.answer === 'ack')
      if (ack === undefined) return undefined
      return {
        likelihood: 'likely',
        text: `the system took the address ${ack.facts.address} ${ago(c, ack.lastAtMs)} ago, and has not asked since`,
      }
    },
    cure: () =>
      'the image must hold pilotlight-config.service; check it on the console (systemctl status pilotlight-config), and that the boot HTTP port is let through',
  },
  {
    code: 'system-silent',
    title: 'the kernel does not start, or has no driver for its network port',
    when: STUCK,
    detect(c) {
      if (c.situation.stage !== 'initrd-sent' || c.traces('redeem').length > 0) return undefined
      if (hasAskedForItsRoot(c)) return undefined
      if (c.traces('dhcp', 'discover:system').length + c.traces('dhcp', 'request:system').length > 0)
        return undefined
      return {
        likelihood: 'likely',
        text: `kernel and initrd were sent whole ${ago(c, c.situation.sinceMs)} ago; the system has not asked for an address`,
      }
    },
    cure: () =>
      'read the serial console (console=ttyS0 in the image’s parameters); the initrd needs the driver of the boot port',
  },
  {
    code: 'first-boot-not-started',
    title:
      'the configuration was taken and no step has begun: the service before it does not start, or the units are missing',
    when: STUCK,
    detect(c) {
      const { step } = c.situation
      const { records } = c.snapshot
      if (step === undefined || records === undefined || hasBegun(records, step)) return undefined
      const { machine } = c.snapshot
      if (machine.bootMode === 'install' && c.situation.stage === 'config-redeemed')
        return { likelihood: 'likely', text: installationSays(c, records) }
      const service = SERVICE_OF_STEP[step]
      const after = c.situation.stage ?? ''
      return {
        likelihood: 'likely',
        text: `${after} is ${ago(c, c.situation.sinceMs)} ago, and ${step} has not begun; it comes after ${service}.service`,
        service,
      }
    },
    cure: (c, { service }) =>
      service === undefined
        ? 'look at its console: an installer ends with report-installed.sh and a reboot, and what it installed must be what the firmware then boots'
        : `on the node: systemctl status ${SERVICE_OF_STEP[c.situation.step ?? 'chainfire-cluster-join']} ${c.situation.step}`,
  },
]

/** Words for a redemption that finds its cluster frozen, or freezes it. */
const FROZEN: ReadonlySet<string> = new Set(['F2', 'F4', 'cluster-frozen'])

const CURE_OF_REFUSAL: Readonly<Record<string, string>> = {
  'wrong-address':
    'the system must keep the address of the loader: let it identify itself by its MAC (ClientIdentifier=mac), on the same port',
  'used-token':
    'it rebooted after taking its configuration: arm it again (pilotlight machine arm NAME) and reboot it',
  'already-redeemed':
    'it rebooted in first boot, or somebody else took it: find out who has that address, then arm it again',
  'expired-token':
    'the token lives for 15 min from the last image bytes that this server sent or was told of, and for 2 h at most: arm it again and reboot it; check the link’s speed, and where boot.image_base_url is set, that stage 1 tells how far it is (docs/boot-protocol.md)',
  'no-cluster': 'put it into a cluster: pilotlight machine edit NAME --cluster',
  'unknown-token': 'its kernel command line is of another server or an older script: reboot it',
}

/** Before the first step of a machine that is installed lie its installer and the way to its disk. */
function installationSays(c: Case, { attempt }: AttemptRecords): string {
  return attempt.installedAtMs === undefined
    ? `its installer took the configuration ${ago(c, c.situation.sinceMs)} ago, and has not said that it is done`
    : `its system was put on its disk ${ago(c, attempt.installedAtMs)} ago, and has not been heard of since`
}

function lastRefusal(c: Case): TraceRecord | undefined {
  return c
    .traces('redeem')
    .filter(({ key }) => key !== 'given')
    .reduce<TraceRecord | undefined>(
      (latest, row) => (latest === undefined || row.lastAtMs >= latest.lastAtMs ? row : latest),
      undefined,
    )
}

function addressHint(c: Case, reason: string): string {
  if (reason !== 'wrong-address') return ''
  const leased = c.traces('script').findLast(isImageScript)?.facts.address
  return leased === undefined ? '' : `; its lease is ${leased}`
}

function hasBegun(records: AttemptRecords, step: string): boolean {
  return records.steps.some((record) => record.step === step)
}
