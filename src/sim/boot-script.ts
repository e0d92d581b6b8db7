/** What a simulated iPXE understands of a boot script: enough for the scripts that Pilotlight writes. */
export type ScriptAction =
  | { readonly kind: 'chain'; readonly url: string }
  | {
      readonly kind: 'boot'
      readonly kernelUrl: string
      readonly initrdUrl: string
      readonly cmdline: string
    }
  | { readonly kind: 'wait'; readonly seconds: number; readonly url: string; readonly says: string }
  | { readonly kind: 'exit' }

/** The values that iPXE would fill in for `${…}`. */
export type ScriptVariables = Readonly<Record<string, string>>

/** Reads a script into the one thing that it comes down to. An unreadable script throws, as iPXE would stop. */
export function readBootScript(text: string, scriptUrl: string, variables: ScriptVariables): ScriptAction {
  if (!text.startsWith('#!ipxe\n')) throw new Error(`no iPXE script: ${JSON.stringify(text.slice(0, 40))}`)
  const lines = text.split('\n').map((line) => expand(line, variables).trim())
  const find = (command: string) => lines.find((line) => line.startsWith(`${command} `))
  const kernel = find('kernel')
  const initrd = find('initrd')
  if (kernel !== undefined && initrd !== undefined) {
    const [, kernelUrl = '', ...words] = withoutFallback(kernel).split(/\s+/)
    const initrdUrl = withoutFallback(initrd).split(/\s+/).at(-1) ?? ''
    return { kind: 'boot', kernelUrl, initrdUrl, cmdline: words.join(' ') }
  }
  const chain = find('chain')
  if (chain !== undefined) {
    const target = withoutFallback(chain).split(/\s+/).at(-1) ?? ''
    const url = new URL(target, scriptUrl).href
    const sleep = find('sleep')
    if (sleep === undefined) return { kind: 'chain', url }
    const says = (find('echo') ?? '').replace(/^echo /, '')
    return { kind: 'wait', seconds: Number(sleep.split(' ')[1]), url, says }
  }
  if (lines.includes('exit')) return { kind: 'exit' }
  throw new Error(`a script without kernel, chain or exit: ${JSON.stringify(text.slice(0, 200))}`)
}

function withoutFallback(line: string): string {
  return line.replace(/\s*\|\|.*$/, '')
}

function expand(line: string, variables: ScriptVariables): string {
  return line.replace(
    /\$\{([a-z0-9/.]+)(:[a-z]+)?\}/g,
    (_whole, name: string, format: string | undefined) => {
      const value = variables[name] ?? ''
      return format === ':uristring' ? encodeURIComponent(value) : value
    },
  )
}
