import { EXIT } from './exit-codes.ts'
import { CliFailure } from './failure.ts'

/**
 * Reads `--dhcp-option` as the API wants it: `mtu=9000` by name, `224:text=hello` by number and type. Lists are
 * separated by commas; the server checks what a value may be.
 */
export function dhcpOptionsOf(texts: readonly string[]): Readonly<Record<string, unknown>> {
  const options = new Map<string, unknown>()
  for (const [key, value] of texts.map(dhcpOptionOf)) {
    if (options.has(key)) {
      throw new CliFailure(
        `--dhcp-option ${key} stands there twice: a list is one value with commas`,
        EXIT.usage,
      )
    }
    options.set(key, value)
  }
  return Object.fromEntries(options)
}

function dhcpOptionOf(text: string): readonly [string, unknown] {
  const [, key, type, value] = /^([a-z0-9-]+)(?::([a-z0-9]+))?=(.+)$/.exec(text) ?? []
  if (key === undefined || value === undefined) {
    throw new CliFailure(
      `--dhcp-option ${text}: want NAME=VALUE or NUMBER:TYPE=VALUE, such as mtu=9000`,
      EXIT.usage,
    )
  }
  return [key, type === undefined ? value : { type, value }]
}
