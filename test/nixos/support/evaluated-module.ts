import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'

/** Where the modules lie. */
export const NIXOS = new URL('../../../boot-assets/nixos', import.meta.url).pathname
const EVALUATE = new URL('../evaluate.nix', import.meta.url).pathname

const isThere = existsSync('/usr/bin/nix-instantiate') && existsSync('/usr/bin/systemd-analyze')
/** Why modules cannot be evaluated here; false: they can. */
export const skip = isThere || process.env.CI === 'true' ? false : 'nix-bin or systemd is not installed'

type Value = string | number | boolean | readonly string[]
export interface NixUnit {
  readonly description?: string
  readonly after?: readonly string[]
  readonly requires?: readonly string[]
  readonly wants?: readonly string[]
  readonly before?: readonly string[]
  readonly wantedBy?: readonly string[]
  readonly requiredBy?: readonly string[]
  readonly unitConfig?: Readonly<Record<string, Value>>
  readonly serviceConfig?: Readonly<Record<string, Value>>
  readonly socketConfig?: Readonly<Record<string, Value>>
}
export interface Evaluated {
  readonly services: Readonly<Record<string, NixUnit>>
  readonly sockets: Readonly<Record<string, NixUnit>>
  readonly users: Readonly<Record<string, unknown>>
  readonly settings: Readonly<Record<string, unknown>>
  readonly initrd: {
    readonly availableKernelModules: readonly string[]
    readonly network: { readonly enable: boolean; readonly postCommands: string }
    readonly systemd: {
      readonly services: Readonly<Record<string, NixUnit>>
      readonly network: { readonly networks: Readonly<Record<string, unknown>> }
      readonly extraBin: Readonly<Record<string, string>>
      readonly storePaths: readonly string[]
    }
  }
  readonly build: Readonly<Record<string, unknown>>
}

/** What the evaluator writes goes here, not into a state directory of this machine's. */
const NIX_STATE = mkdtempSync(path.join(os.tmpdir(), 'pilotlight-nix-state-'))
t.teardown(() => rmSync(NIX_STATE, { recursive: true, force: true }))

export function nix(...args: string[]): string {
  const env = { ...process.env, NIX_STATE_DIR: NIX_STATE, NIX_LOG_DIR: NIX_STATE }
  return execFileSync('nix-instantiate', args, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'pipe'] })
}

export function evaluate(module: string, settings: string): Evaluated {
  const file = path.join(NIXOS, module)
  return JSON.parse(
    nix('--eval', '--strict', '--json', EVALUATE, '--arg', 'module', file, '--arg', 'settings', settings),
  ) as Evaluated
}

/** `Key=value` lines, sorted; what systemd adds up (lists of words) in any order. */
export function linesOf(unit: NixUnit): string[] {
  const lines: string[] = []
  const words = (key: string, value: readonly string[] | undefined) => {
    if (value !== undefined && value.length > 0) lines.push(`${key}=${[...value].sort().join(' ')}`)
  }
  if (unit.description !== undefined) lines.push(`Description=${unit.description}`)
  words('After', unit.after)
  words('Requires', unit.requires)
  words('Wants', unit.wants)
  words('Before', unit.before)
  words('WantedBy', unit.wantedBy)
  words('RequiredBy', unit.requiredBy)
  for (const config of [unit.unitConfig, unit.serviceConfig, unit.socketConfig]) {
    for (const [key, value] of Object.entries(config ?? {})) {
      for (const each of Array.isArray(value) ? value : [value]) lines.push(`${key}=${each}`)
    }
  }
  return lines.sort()
}

export function fileOf(unit: NixUnit, section: 'Service' | 'Socket'): string {
  const { serviceConfig, socketConfig, wantedBy, requiredBy, ...rest } = unit
  const install = { ...(wantedBy && { wantedBy }), ...(requiredBy && { requiredBy }) }
  const own =
    section === 'Service' ? { serviceConfig: serviceConfig ?? {} } : { socketConfig: socketConfig ?? {} }
  return [
    '[Unit]',
    ...linesOf(rest),
    `[${section}]`,
    ...linesOf(own),
    '[Install]',
    ...linesOf(install),
    '',
  ].join('\n')
}

export function rootWithSystemd(t: Test): string {
  const root = mkdtempSync(path.join(os.tmpdir(), 'pilotlight-nixos-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  mkdirSync(path.join(root, 'usr/lib/systemd'), { recursive: true })
  cpSync('/usr/lib/systemd/system', path.join(root, 'usr/lib/systemd/system'), {
    recursive: true,
    verbatimSymlinks: true,
  })
  return root
}

/** systemd-analyze looks for every program that a unit names. */
export function makePrograms(root: string, text: string): void {
  for (const [, program = ''] of text.matchAll(/^Exec\w+=\+?(\/\S+)/gm)) {
    mkdirSync(path.dirname(path.join(root, program)), { recursive: true })
    writeFileSync(path.join(root, program), '#!/bin/sh\n', { mode: 0o755 })
  }
}
