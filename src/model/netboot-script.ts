/** What a NixOS build says of its set: in `netboot.ipxe`, or in the script of a kexec tree. */
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

/** Why a set is refused, for a person. */
export interface NetbootFault {
  readonly code:
    | 'no-kernel-line'
    | 'no-initrd-line'
    | 'several-initrds'
    | 'no-init'
    | 'initrd-mismatch'
    | 'unsafe-parameter'
  readonly detail: string
}

/** What may stand in a parameter: nothing that iPXE or a shell would read as syntax. */
const SAFE_PARAMETER = /^[A-Za-z0-9._:/@=,+-]{1,255}$/
const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$/

/** True for a kernel parameter that iPXE and every shell pass on as it is. */
export function isSafeParameter(word: string): boolean {
  return SAFE_PARAMETER.test(word)
}

/**
 * Reads `kernel FILE init=… initrd=… PARAMETER… ${cmdline}` and `initrd FILE` out of a `netboot.ipxe`. A mixed set is
 * refused here, because firmware would load it and the kernel would stop without a word.
 */
export function parseNetbootScript(text: string): NetbootScript | NetbootFault {
  const commands = text
    .split(/\r?\n/)
    .map((line) => line.trim().split(/\s+/))
    .filter(([word]) => word !== undefined && word !== '' && !word.startsWith('#'))
  const kernelLine = imageCommand(commands.find(([word]) => word === 'kernel'))
  const initrdLines = commands.filter(([word]) => word === 'initrd')
  if (kernelLine?.file === undefined) {
    return { code: 'no-kernel-line', detail: 'the script has no line "kernel FILE …"' }
  }
  if (initrdLines.length > 1) {
    const detail = `the script loads ${initrdLines.length} initrds, want one: join them into one file`
    return { code: 'several-initrds', detail }
  }
  const initrdLine = imageCommand(initrdLines[0])
  if (initrdLine?.file === undefined)
    return { code: 'no-initrd-line', detail: 'the script has no line "initrd FILE"' }
  return setOf(kernelLine.file, initrdLine.file, initrdLine.name ?? initrdLine.file, kernelLine.words)
}

/**
 * Reads the script of a kexec tree (`kexec-boot`), which says the same in the words of kexec:
 * `--load …/bzImage --initrd=…/initrd.gz --command-line "init=… PARAMETER…"`.
 */
export function parseKexecScript(text: string): NetbootScript | NetbootFault {
  const joined = text.replace(/\\\r?\n/g, ' ')
  const kernel = baseName(/--load[=\s]+"?([^\s"]+)/.exec(joined)?.[1])
  const initrd = baseName(/--initrd[=\s]+"?([^\s"]+)/.exec(joined)?.[1])
  const words = /--(?:command-line|append)[=\s]+"([^"]*)"/.exec(joined)?.[1]?.trim().split(/\s+/)
  if (kernel === undefined || words === undefined) {
    return {
      code: 'no-kernel-line',
      detail: 'the kexec script has no "--load …/FILE" with --command-line "…"',
    }
  }
  if (initrd === undefined)
    return { code: 'no-initrd-line', detail: 'the kexec script has no "--initrd=…/FILE"' }
  return setOf(kernel, initrd, initrd, words)
}

export function isNetbootFault(result: object): result is NetbootFault {
  return 'code' in result
}

/** Checks what a set is made of: `loadedAs` is the name that the initrd has for the kernel's `initrd=`. */
export function setOf(
  kernel: string,
  initrd: string,
  loadedAs: string,
  words: readonly string[],
): NetbootScript | NetbootFault {
  const said = words.filter((word) => word !== '${cmdline}' && word !== '')
  const inits = said.filter((word) => word.startsWith('init='))
  const init = inits[0]?.slice('init='.length)
  if (init === undefined || !init.startsWith('/') || inits.length > 1) {
    const detail = `the kernel parameters hold ${inits.length} init=, want one init=/…: the set would not find its system`
    return { code: 'no-init', detail }
  }
  const named = said.filter((word) => word.startsWith('initrd=')).map((word) => word.slice('initrd='.length))
  const other = named.find((name) => name !== loadedAs)
  if (other !== undefined) {
    return {
      code: 'initrd-mismatch',
      detail: `the kernel line says initrd=${shown(other)}, the initrd is loaded as ${shown(loadedAs)}: two sets were mixed`,
    }
  }
  const parameters = said.filter((word) => !word.startsWith('init=') && !word.startsWith('initrd='))
  const unsafe = [init, ...parameters].find((word) => !isSafeParameter(word))
  if (unsafe !== undefined) {
    const detail = `${shown(unsafe)} cannot stand in a boot script: want 1 to 255 of A-Z a-z 0-9 . _ : / @ = , + -`
    return { code: 'unsafe-parameter', detail }
  }
  return { kernel, initrd, init, parameters }
}

/** The parts of `kernel|initrd [--name NAME] [--OPTION] FILE WORD…`. */
function imageCommand(line: readonly string[] | undefined) {
  if (line === undefined) return undefined
  let name: string | undefined
  let at = 1
  for (; line[at]?.startsWith('-') === true; at += 1) {
    const [option, value] = (line[at] ?? '').split('=', 2)
    if (option === '--name' || option === '-n') name = value ?? line[++at]
    else if (option === '--timeout' || option === '-t') at += value === undefined ? 1 : 0
  }
  const end = line.findIndex((word, index) => index > at && (word === '||' || word === '&&'))
  return { file: baseName(line[at]), name, words: line.slice(at + 1, end === -1 ? undefined : end) }
}

/** The last segment of a path or URL, when that is a plain file name. */
function baseName(word: string | undefined): string | undefined {
  const name = word?.split('/').at(-1)
  return name !== undefined && FILE_NAME.test(name) ? name : undefined
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 80))
}
