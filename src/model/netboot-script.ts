/** What a NixOS build's `netboot.ipxe` says of its set. */
export interface NetbootScript {
  /** File name in the `kernel` line, `bzImage`. */
  readonly kernel: string
  /** File name in the `initrd` line. */
  readonly initrd: string
  /** The absolute path that stage 1 hands over to. */
  readonly init: string
  /** Kernel parameters beside `init=` and `initrd=`, in order; `${cmdline}` is left out. */
  readonly parameters: readonly string[]
}

/** Why a `netboot.ipxe` is refused, for a person. */
export interface NetbootFault {
  readonly code: 'no-kernel-line' | 'no-initrd-line' | 'no-init' | 'initrd-mismatch' | 'unsafe-parameter'
  readonly detail: string
}

/** What may stand in a parameter: nothing that iPXE or a shell would read as syntax. */
const SAFE_PARAMETER = /^[A-Za-z0-9._:/@=,+-]{1,255}$/
const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$/

/**
 * Reads `kernel FILE init=… initrd=… PARAMETER… ${cmdline}` and `initrd FILE` out of a `netboot.ipxe`. A mixed set is
 * refused here, because firmware would load it and the kernel would stop without a word.
 */
export function parseNetbootScript(text: string): NetbootScript | NetbootFault {
  const commands = text
    .split(/\r?\n/)
    .map((line) => line.trim().split(/\s+/))
    .filter(([word]) => word !== undefined && word !== '' && !word.startsWith('#'))
  const kernelLine = commands.find(([word]) => word === 'kernel')
  const initrdLine = commands.find(([word]) => word === 'initrd')
  const kernel = baseName(kernelLine?.[1])
  if (kernelLine === undefined || kernel === undefined) {
    return { code: 'no-kernel-line', detail: 'netboot.ipxe has no line "kernel FILE …"' }
  }
  const initrd = baseName(initrdLine?.find((word, index) => index > 0 && !word.startsWith('-')))
  if (initrd === undefined)
    return { code: 'no-initrd-line', detail: 'netboot.ipxe has no line "initrd FILE"' }

  const words = kernelLine.slice(2).filter((word) => word !== '${cmdline}')
  const init = words.find((word) => word.startsWith('init='))?.slice('init='.length)
  if (init === undefined || !init.startsWith('/')) {
    return { code: 'no-init', detail: 'the kernel line has no init=/…: the set would not find its system' }
  }
  const named = words.find((word) => word.startsWith('initrd='))?.slice('initrd='.length)
  if (named !== undefined && named !== initrd) {
    return {
      code: 'initrd-mismatch',
      detail: `the kernel line says initrd=${named}, the initrd line ${initrd}: two sets were mixed`,
    }
  }
  const parameters = words.filter((word) => !word.startsWith('init=') && !word.startsWith('initrd='))
  const unsafe = [init, ...parameters].find((word) => !SAFE_PARAMETER.test(word))
  if (unsafe !== undefined) {
    return { code: 'unsafe-parameter', detail: `${JSON.stringify(unsafe)} cannot stand in a boot script` }
  }
  return { kernel, initrd, init, parameters }
}

export function isNetbootFault(result: NetbootScript | NetbootFault): result is NetbootFault {
  return 'code' in result
}

/** The last segment of a path or URL, when that is a plain file name. */
function baseName(word: string | undefined): string | undefined {
  const name = word?.split('/').at(-1)
  return name !== undefined && FILE_NAME.test(name) ? name : undefined
}
