import type { ImageFile } from '../../model/image.ts'
import type { BootMode, LocalBoot } from '../../model/machine.ts'
import type { Mac } from '../../net/mac.ts'
import { macInPath } from '../../net/mac.ts'

/** What a value must look like to stand in a boot script: iPXE expands `${…}` and splits lines, so little is allowed. */
const SAFE_VALUE = /^[A-Za-z0-9._:/@=,+-]{1,255}$/

/** A value that must not stand in a boot script: a bug in our data checks, or an attack that passed them. */
export class UnsafeScriptValue extends Error {
  readonly code = 'unsafe-script-value'
  constructor(value: string) {
    super(
      `${JSON.stringify(value)} cannot stand in a boot script: want 1 to 255 of A-Z a-z 0-9 . _ : / @ = , + -`,
    )
  }
}

function safe(value: string): string {
  if (!SAFE_VALUE.test(value)) throw new UnsafeScriptValue(value)
  return value
}

/** True for a kernel parameter that may stand in a boot script. */
export function isScriptSafe(value: string): boolean {
  return SAFE_VALUE.test(value)
}

/** What the image script is made of. */
export interface ImageScript {
  readonly mac: Mac
  readonly machineName: string
  readonly bootId: string
  /** `http://10.77.0.1:8080`, no slash at the end. */
  readonly bootUrl: string
  /** Where the image's files are, without a slash at the end; may be another server. */
  readonly imageUrl: string
  readonly kernelFile: string
  readonly initrdFile: string
  /** A root filesystem that stage 1 fetches by itself, and what it is compared with. */
  readonly squashfs?: Pick<ImageFile, 'name' | 'bytes' | 'sha256'>
  /** Hash of the machine's own files, a second initrd; undefined: it has none. */
  readonly filesSha256?: string
  /** Said where another server sends the files: the script itself then tells us that it has them. */
  readonly beacons?: { readonly kernelBytes: number; readonly initrdBytes: number }
  readonly init: string
  readonly parameters: readonly string[]
  /** The single-use boot token; the only secret, and worthless once redeemed. */
  readonly token: string
}

/**
 * The chain step: only iPXE itself knows the machine's SMBIOS values, so it is sent back to the same URL with them in
 * the query. Free text stands last, because `:uristring` in iPXE of 2019 does not escape `&`.
 */
export function renderChainStep(mac: Mac): string {
  const query = [
    'uuid=${uuid}',
    'arch=${buildarch}',
    'platform=${platform}',
    // SMBIOS type 19 (Memory Array Mapped Address), two instances: first and last address of the RAM, eight bytes.
    'ram0=${smbios/19.4.8:hexraw}',
    'ram1=${smbios/1.19.4.8:hexraw}',
    'asset=${asset:uristring}',
    'serial=${serial:uristring}',
    'manufacturer=${manufacturer:uristring}',
    'product=${product:uristring}',
  ].join('&')
  return lines(`chain --replace --autofree ${macInPath(mac)}.ipxe?${query}`)
}

/** The start for a machine that another DHCP server, a USB stick or `autoexec.ipxe` led here: every port is tried. */
export function renderGenericStart(bootUrl: string): string {
  const url = safe(bootUrl)
  return lines(
    'set n:int32 0',
    ':next',
    'isset ${net${n}/mac} || goto again',
    'ifopen net${n} && dhcp net${n} && goto found ||',
    'inc n',
    'goto next',
    ':found',
    `chain --replace --autofree ${url}/boot/\${net\${n}/mac:hexhyp}.ipxe ||`,
    'inc n',
    'goto next',
    ':again',
    'echo Pilotlight: no port of this machine got an answer; trying all of them again in 10 s',
    'sleep 10',
    'set n:int32 0',
    'goto next',
  )
}

/** Loads kernel and initrd and boots; when a fetch fails it says so and asks for its script again. */
export function renderImageScript(script: ImageScript): string {
  const imageUrl = safe(script.imageUrl)
  const bootUrl = safe(script.bootUrl)
  const mac = macInPath(script.mac)
  const parameters = [
    `init=${script.init}`,
    'initrd=initrd',
    // UEFI kernels load what the command line names; under BIOS all that was fetched is one initrd, in this order.
    ...(script.filesSha256 === undefined ? [] : ['initrd=machine-files']),
    ...script.parameters,
    ...squashfsParameters(script),
    `pilotlight.url=${bootUrl}`,
    `pilotlight.mac=${mac}`,
    `pilotlight.token=${script.token}`,
  ].map(safe)
  return lines(
    `echo Pilotlight: ${safe(script.machineName)} boots its image (attempt ${safe(script.bootId)})`,
    `kernel ${imageUrl}/${safe(script.kernelFile)} ${parameters.join(' ')} || goto failed`,
    ...beaconLines(script, 'kernel-sent', script.beacons?.kernelBytes),
    `initrd --name initrd ${imageUrl}/${safe(script.initrdFile)} || goto failed`,
    ...(script.filesSha256 === undefined
      ? []
      : [
          `initrd --name machine-files ${bootUrl}/machines/${mac}/files/${safe(script.filesSha256)}.cpio.gz || goto failed`,
        ]),
    ...beaconLines(script, 'initrd-sent', script.beacons?.initrdBytes),
    'boot || goto failed',
    ':failed',
    'echo Pilotlight: the image did not load (see the error above); asking for the script again in 5 s',
    'imgfree ||',
    'sleep 5',
    `chain --replace --autofree ${bootUrl}/boot/${mac}.ipxe || goto failed`,
  )
}

/** Where stage 1 finds the root, and how it knows that it has all of it: an image server may be anybody's. */
function squashfsParameters({ imageUrl, squashfs }: ImageScript): readonly string[] {
  if (squashfs === undefined) return []
  return [
    `pilotlight.squashfs=${imageUrl}/${squashfs.name}`,
    `pilotlight.squashfs_bytes=${squashfs.bytes}`,
    `pilotlight.squashfs_sha256=${squashfs.sha256}`,
  ]
}

/** Freed at once: BIOS iPXE hands every image that it holds to the kernel. A beacon that fails stops nothing. */
function beaconLines(script: ImageScript, stage: string, bytes: number | undefined): readonly string[] {
  if (bytes === undefined) return []
  const url = `${safe(script.bootUrl)}/beacon/${macInPath(script.mac)}/${stage}?bytes=${bytes}`
  return [`imgfetch --name beacon ${url} ||`, 'imgfree beacon ||']
}

/** What a machine shows while nobody has decided about it, and how long it waits between two looks. */
export interface ParkingScript {
  readonly mac: Mac
  readonly bootUrl: string
  /** A name, or undefined for a machine that nobody has accepted. */
  readonly machineName?: string
  /** One plain sentence for the person at the console. */
  readonly why: string
}

/** Says who it is and why it waits, and looks again every 5 s; so it boots within seconds of somebody's decision. */
export function renderParkingScript(script: ParkingScript): string {
  const mac = macInPath(script.mac)
  const url = `${safe(script.bootUrl)}/boot/${mac}.ipxe`
  const who = script.machineName === undefined ? mac : `${safe(script.machineName)} (${mac})`
  return lines(
    `echo Pilotlight: ${who} waits: ${plainSentence(script.why)}`,
    ':poll',
    'sleep 5',
    `chain --replace --autofree ${url} || goto poll`,
  )
}

/** Hands over to the local disk by the machine's method; `not-found` has no script, the route answers 404. */
export function renderLocalDiskScript(method: Exclude<LocalBoot, 'not-found'>, mode: BootMode): string {
  const say = `echo Pilotlight: boots from the local disk (boot mode ${mode})`
  return method === 'exit' ? lines(say, 'exit') : lines(say, 'sanboot --no-describe --drive 0x80 || exit')
}

/** Our own sentences only; anything that iPXE would read as syntax is a bug. */
function plainSentence(text: string): string {
  if (!/^[A-Za-z0-9 .,:;()'_/-]{1,200}$/.test(text)) throw new UnsafeScriptValue(text)
  return text
}

function lines(...body: readonly string[]): string {
  return `#!ipxe\n${body.join('\n')}\n`
}
