import { architectureOf } from '../../model/architectures.ts'
import type { Image, ImageRole } from '../../model/image.ts'
import type { Machine } from '../../model/machine.ts'

/** The thresholds of the configuration, section `images`. */
export interface ImageLimits {
  /** The largest initrd that BIOS machines are trusted to load, in MiB. */
  readonly maxInitrdMib: number
  /** A machine wants this many times its initrd in RAM, */
  readonly ramFactor: number
  /** and this much beside, in MiB. */
  readonly ramExtraMib: number
  /** What an image that is too large for its machine comes to; a wrong architecture is always refused. */
  readonly whenTooLarge: 'refuse' | 'warn'
}

/**
 * 2 GiB: the x86 boot protocol takes an initrd below 2 GiB (`initrd_addr_max`), and much firmware gives a loader no
 * memory above 4 GiB. Twice the initrd and 1 GiB: it lies in RAM packed and unpacked, and the system wants to run.
 */
export const DEFAULT_IMAGE_LIMITS: ImageLimits = {
  maxInitrdMib: 2048,
  ramFactor: 2,
  ramExtraMib: 1024,
  whenTooLarge: 'refuse',
}

export type FindingCode =
  | 'wrong-architecture'
  | 'image-too-large'
  | 'too-little-memory'
  | 'command-line-too-long'

/** Something that would keep a machine from booting an image, or may. */
export interface Finding {
  readonly code: FindingCode
  /** False: only a warning. */
  readonly refuses: boolean
  readonly detail: string
  readonly cure: string
}

/** What is known of the machine that is to boot the image. */
export interface PreflightFacts {
  readonly machine: Machine
  readonly image: Image
  /** Option 93 of its latest boot; undefined: it was never seen booting. */
  readonly architecture?: number
  readonly limits: ImageLimits
}

/** Linux takes 2047 bytes of command line on x86-64 and arm64 (COMMAND_LINE_SIZE 2048). */
const COMMAND_LINE_BYTES = 2047
/** `initrd=` twice, and `pilotlight.url`, `.mac`, `.token` and `.squashfs` at their usual lengths. */
const OWN_PARAMETERS_BYTES = 400
/** ` pilotlight.squashfs_bytes=` with eleven digits and ` pilotlight.squashfs_sha256=` with its 64. */
const SQUASHFS_PARAMETERS_BYTES = 130
const MIB = 1024 * 1024

/** Finds out before a machine is switched on what would stop it with a dark screen. */
export function preflight(facts: PreflightFacts): readonly Finding[] {
  return [
    architectureFinding(facts),
    initrdFinding(facts),
    memoryFinding(facts),
    commandLineFinding(facts),
  ].filter((finding) => finding !== undefined)
}

function architectureFinding({ machine, image, architecture }: PreflightFacts): Finding | undefined {
  const known = architecture === undefined ? undefined : architectureOf(architecture)
  if (known?.cpu === undefined) return undefined
  // BIOS and 32-bit firmware say i386, and most such machines run 64-bit kernels.
  const runs = known.cpu === 'i386' ? 'x86_64' : known.cpu
  if (runs === image.architecture) return undefined
  return {
    code: 'wrong-architecture',
    refuses: true,
    detail: `image ${image.name}:${image.version} is for ${image.architecture}, ${machine.name} booted as ${known.name}`,
    cure: `pilotlight machine edit ${machine.name} --image NAME`,
  }
}

function initrdFinding({ machine, image, architecture, limits }: PreflightFacts): Finding | undefined {
  const mib = initrdMib(image)
  if (mib <= limits.maxInitrdMib) return undefined
  const firmware = architecture === undefined ? undefined : architectureOf(architecture)?.firmware
  const isBios = firmware === 'bios'
  const who = isBios ? 'which boots by BIOS and loads' : 'whose firmware may not load'
  return {
    code: 'image-too-large',
    refuses: isBios && limits.whenTooLarge === 'refuse',
    detail: `the initrd has ${Math.ceil(mib)} MiB, ${machine.name}, ${who}${isBios ? ' at most' : ' more than'} ${limits.maxInitrdMib} MiB`,
    cure: 'move the root into a squashfs that stage 1 fetches, or raise images.max_initrd_mib',
  }
}

function memoryFinding({ machine, image, limits }: PreflightFacts): Finding | undefined {
  if (machine.ramMib === undefined) return undefined
  // A squashfs is fetched once and used as it is.
  const rootMib = Math.ceil(bytesOf(image, 'squashfs') / MIB)
  const wanted = Math.ceil(limits.ramFactor * initrdMib(image) + rootMib + limits.ramExtraMib)
  const beside = rootMib === 0 ? '' : ` + ${rootMib} of squashfs`
  if (machine.ramMib >= wanted) return undefined
  return {
    code: 'too-little-memory',
    refuses: limits.whenTooLarge === 'refuse',
    detail: `${machine.name} has ${machine.ramMib} MiB of RAM, the image wants ${wanted} MiB (${limits.ramFactor} x ${Math.ceil(initrdMib(image))} of initrd${beside} + ${limits.ramExtraMib})`,
    cure: `pilotlight machine edit ${machine.name} --ram-mib N when that is wrong, else a smaller image or images.when_too_large: warn`,
  }
}

function commandLineFinding({ machine, image }: PreflightFacts): Finding | undefined {
  const own = bytesOf(image, 'squashfs') === 0 ? 0 : SQUASHFS_PARAMETERS_BYTES
  const words = [`init=${image.init}`, ...image.parameters, ...(machine.kernelArguments ?? [])]
  const bytes = words.join(' ').length + OWN_PARAMETERS_BYTES + own
  if (bytes <= COMMAND_LINE_BYTES) return undefined
  return {
    code: 'command-line-too-long',
    refuses: true,
    detail: `the command line would have about ${bytes} bytes, Linux takes ${COMMAND_LINE_BYTES}`,
    cure: `pilotlight machine edit ${machine.name} --kernel-argument with fewer`,
  }
}

function initrdMib(image: Image): number {
  return bytesOf(image, 'initrd') / MIB
}

function bytesOf(image: Image, role: ImageRole): number {
  return image.files.find((file) => file.role === role)?.bytes ?? 0
}
