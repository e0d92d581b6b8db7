import { isNetbootFault, type NetbootScript, parseKexecScript, parseNetbootScript } from './netboot-script.ts'

/** Which of the files at hand make up the set, under the names they have there. */
export interface ImageParts extends NetbootScript {
  readonly squashfs?: string
  /** The architecture that the names claim, `x86_64` in `bzImage-x86_64-linux`; the kernel's bytes must agree. */
  readonly claims?: 'x86_64' | 'arm64'
}

/** Why the files at hand are no set: what is wrong, and the cure. */
export interface SetFault {
  readonly code: string
  readonly detail: string
  readonly cure: string
}

/** The scripts of a kexec tree and of the kexec tarball. */
const KEXEC_SCRIPTS = ['kexec-boot', 'run']
const BUILD_ANEW = 'build the image anew and import all of its files together'

/** The one file that says what the set is: the wished one, `netboot.ipxe`, the only `*.ipxe`, or a kexec script. */
export function scriptNameAmong(names: readonly string[], wished?: string): string | SetFault {
  if (wished !== undefined) {
    return names.includes(wished)
      ? wished
      : fault('script-missing', `${wished} is not among ${listed(names)}`, 'name a script that is there')
  }
  const scripts = names.filter((name) => name.endsWith('.ipxe'))
  if (scripts.includes('netboot.ipxe')) return 'netboot.ipxe'
  const [only] = scripts
  if (only !== undefined && scripts.length === 1) return only
  if (scripts.length > 1) {
    return fault('several-scripts', `several sets are here: ${listed(scripts)}`, 'choose one: --script NAME')
  }
  const kexec = KEXEC_SCRIPTS.find((name) => names.includes(name))
  return (
    kexec ??
    fault(
      'netboot-ipxe-missing',
      `no netboot.ipxe, *.ipxe or kexec-boot among ${listed(names)}`,
      'name the directory or tarball that holds netboot.ipxe, bzImage and initrd, or give --kernel, --initrd and --init',
    )
  )
}

/**
 * Finds the set among files: `netboot.ipxe` with what it names; `netboot-x86_64-linux.ipxe` with its renamed files;
 * `kexec-boot` with what it loads; and at most one squashfs beside them.
 */
export function choosePartsOf(
  names: readonly string[],
  scriptName: string,
  text: string,
): ImageParts | SetFault {
  const script = scriptName.endsWith('.ipxe') ? parseNetbootScript(text) : parseKexecScript(text)
  if (isNetbootFault(script)) return fault(script.code, `${scriptName}: ${script.detail}`, BUILD_ANEW)
  const suffix = /^netboot(-.+)\.ipxe$/.exec(scriptName)?.[1] ?? ''
  const present = (name: string) => [name, `${name}${suffix}`].find((candidate) => names.includes(candidate))
  const kernel = present(script.kernel)
  const initrd = present(script.initrd)
  if (kernel === undefined || initrd === undefined) {
    const missing = kernel === undefined ? script.kernel : script.initrd
    return fault('file-missing', `${scriptName} names ${missing}, which is not here`, BUILD_ANEW)
  }
  const squashes = names.filter((name) => name.endsWith('.squashfs'))
  const own = squashes.filter((name) => suffix !== '' && name.includes(suffix))
  const [squashfs, another] = own.length > 0 ? own : squashes
  if (another !== undefined) {
    return fault('several-squashfs', `several squashfs files: ${listed(squashes)}`, 'import them apart')
  }
  const named = [scriptName, kernel, initrd, ...(squashfs === undefined ? [] : [squashfs])]
  const [claims, otherClaim] = claimedArchitectures(named)
  if (otherClaim !== undefined) {
    return fault('architecture-mixed', `${named.join(', ')} are of two architectures`, BUILD_ANEW)
  }
  return {
    ...script,
    kernel,
    initrd,
    ...(squashfs === undefined ? {} : { squashfs }),
    ...(claims === undefined ? {} : { claims }),
  }
}

export function isSetFault(result: string | object): result is SetFault {
  return typeof result === 'object' && 'cure' in result
}

function claimedArchitectures(names: readonly string[]): readonly ('x86_64' | 'arm64')[] {
  const claims = names.flatMap((name) => {
    if (/aarch64|arm64/.test(name)) return ['arm64' as const]
    return /x86[_-]64|amd64/.test(name) ? ['x86_64' as const] : []
  })
  return [...new Set(claims)]
}

function fault(code: string, detail: string, cure: string): SetFault {
  return { code, detail, cure }
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 12).map((name) => JSON.stringify(name.slice(0, 60)))
  return names.length === 0 ? 'no files' : `${shown.join(', ')}${names.length > 12 ? ', …' : ''}`
}
