import { IPXE_FEATURE } from '../../dhcp/ipxe.ts'
import type { Architecture } from '../../model/architecture.ts'
import type { BootAttempt } from '../../model/boot-attempt.ts'
import type { ReplyShape } from '../../model/quirk.ts'
import { type Mac, macInPath } from '../../net/mac.ts'
import type { BootClient } from './classify-client.ts'
import type { DhcpSnapshot } from './snapshot.ts'

const OVERRIDE_FOR_MS = 180_000
const CHAINED_WITHIN_MS = 60_000
const LOOP_WINDOW_MS = 180_000
const LOOP_LOADERS = 3

/** Why a reply carries this boot file, or none. */
export type BootReason =
  | 'script'
  | 'loader'
  | 'loader-override'
  | 'chain-loader'
  | 'http-loader'
  | 'raspberry-pi-menu'
  | 'config-file'
  | 'no-boot-client'
  | 'no-loader-for-architecture'
  | 'unknown-architecture'
  | 'loader-missing'
  | 'boot-loop'

/** The boot data of a reply, before it is written as fields and options. */
export interface BootFile {
  readonly reason: BootReason
  /** A bare TFTP name, or a URL; empty: the reply names no file. */
  readonly file: string
  /** True when the reply names this server as boot server: siaddr, sname, 66. */
  readonly namesServer: boolean
  /** Option 209. */
  readonly configFile?: string
  /** The loader that is wanted and not on hand. */
  readonly missing?: string
  /** True when the same machine keeps asking for loaders without ever asking for its script. */
  readonly looks: 'well' | 'looping'
}

/** What a client gets to boot. The reply is broadcast, so no value of it is secret. */
export function chooseBootFile(
  snapshot: DhcpSnapshot,
  mac: Mac,
  client: BootClient,
  attempt: BootAttempt | undefined,
  shape: ReplyShape = {},
): BootFile {
  switch (client.kind) {
    case 'own-ipxe':
      return script(snapshot, mac)
    case 'ipxe':
      return forIpxe(snapshot, mac, client, attempt)
    case 'http': {
      const loader = snapshot.machine?.loader ?? shape.loader ?? client.architecture.loader
      const url = (name: string) => `${snapshot.settings.bootUrl}/assets/${name}`
      return loaderOnHand(snapshot, loader, 'http-loader', url)
    }
    case 'raspberry-pi':
      return { reason: 'raspberry-pi-menu', file: '', namesServer: true, looks: 'well' }
    case 'u-boot':
      return forUBoot(snapshot, mac, client.architecture)
    case 'petitboot':
      return {
        reason: 'config-file',
        file: '',
        namesServer: true,
        // Petitboot reads a small part of the script language, so it is sent straight to the machine's own script.
        configFile: `${scriptUrl(snapshot, mac)}?platform=petitboot`,
        looks: 'well',
      }
    case 'pxe': {
      const override = snapshot.machine?.loader ?? shape.loader
      const reason = override === undefined ? 'loader' : 'loader-override'
      return loaderOnHand(snapshot, override ?? client.architecture.loader, reason, (name) => name)
    }
    case 'unlisted':
      return nothing('unknown-architecture')
    case 'plain':
      return nothing('no-boot-client')
  }
}

/** Where an iPXE finds the machine's script. */
export function scriptUrl(snapshot: DhcpSnapshot, mac: Mac): string {
  return `${snapshot.settings.bootUrl}/boot/${macInPath(mac)}.ipxe`
}

/** The address that boot files are served at, as machines of the asking subnet reach it. */
export function bootServerOf(snapshot: DhcpSnapshot) {
  return snapshot.subnet?.bootAddress ?? snapshot.settings.serverAddress
}

function forIpxe(
  snapshot: DhcpSnapshot,
  mac: Mac,
  client: Extract<BootClient, { kind: 'ipxe' }>,
  attempt: BootAttempt | undefined,
): BootFile {
  // iPXE takes a bare name from siaddr too, but a full URL cannot be mistaken for one of its own file names.
  const tftpUrl = (name: string) => `tftp://${bootServerOf(snapshot)}/${name}`
  const override = snapshot.machine?.loader
  if (override !== undefined && isOverrideDue(snapshot, attempt)) {
    return loaderOnHand(snapshot, override, 'loader-override', tftpUrl)
  }
  if (hasNeededFeatures(snapshot, client)) return script(snapshot, mac)
  const lastLoaderAtMs = snapshot.loaderSends?.at(-1)
  if (lastLoaderAtMs !== undefined && snapshot.nowMs - lastLoaderAtMs <= CHAINED_WITHIN_MS) {
    return { ...nothing('boot-loop'), looks: 'looping' }
  }
  // From one iPXE to the next: undionly.kpxe needs a ROM's UNDI driver, which another iPXE may not leave behind.
  const loader = client.architecture?.firmware === 'bios' ? 'ipxe.pxe' : client.architecture?.loader
  return loaderOnHand(snapshot, loader, 'chain-loader', tftpUrl)
}

/**
 * An operator's loader for a machine whose ROM is itself an iPXE: due until it went out whole in this attempt, and no
 * longer than 3 minutes, so that a loader which never arrives does not keep the machine from its script.
 */
function isOverrideDue(snapshot: DhcpSnapshot, attempt: BootAttempt | undefined): boolean {
  if (attempt === undefined) return true
  return attempt.loaderSentAtMs === undefined && snapshot.nowMs - attempt.startedAtMs <= OVERRIDE_FOR_MS
}

function hasNeededFeatures(snapshot: DhcpSnapshot, client: Extract<BootClient, { kind: 'ipxe' }>): boolean {
  const { features, architecture } = client
  if (!features.has(IPXE_FEATURE.http)) return false
  if (snapshot.settings.bootUrl.startsWith('https:') && !features.has(IPXE_FEATURE.https)) return false
  if (architecture?.firmware === 'bios') return features.has(IPXE_FEATURE.bzImage)
  return architecture?.firmware !== 'uefi' || features.has(IPXE_FEATURE.efi)
}

function forUBoot(snapshot: DhcpSnapshot, mac: Mac, architecture: Architecture | undefined): BootFile {
  const loader = snapshot.machine?.loader ?? architecture?.loader
  // The name that U-Boot's `pxe get` would try first by itself.
  const configFile = `pxelinux.cfg/01-${macInPath(mac)}`
  if (loader === undefined) {
    return { reason: 'config-file', file: '', namesServer: true, configFile, looks: 'well' }
  }
  return { ...loaderOnHand(snapshot, loader, 'loader', (name) => name), configFile }
}

function script(snapshot: DhcpSnapshot, mac: Mac): BootFile {
  return { reason: 'script', file: scriptUrl(snapshot, mac), namesServer: true, looks: 'well' }
}

/** A promise of a file that is not there costs a machine its whole retry ladder, so only loaders on hand are named. */
function loaderOnHand(
  snapshot: DhcpSnapshot,
  loader: string | undefined,
  reason: BootReason,
  asFile: (name: string) => string,
): BootFile {
  if (loader === undefined) return nothing('no-loader-for-architecture')
  if (!snapshot.settings.loaders.has(loader)) return { ...nothing('loader-missing'), missing: loader }
  const recent = (snapshot.loaderSends ?? []).filter((atMs) => snapshot.nowMs - atMs <= LOOP_WINDOW_MS)
  const looks = recent.length >= LOOP_LOADERS ? 'looping' : 'well'
  return { reason, file: asFile(loader), namesServer: true, looks }
}

function nothing(reason: BootReason): BootFile {
  return { reason, file: '', namesServer: false, looks: 'well' }
}
