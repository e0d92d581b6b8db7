import { mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import type { Program } from '../../support/dhcp-netns.ts'
import type { FileLink } from './file-link.ts'
import type { FileServer } from './servers.ts'

/** `--rounds=N`; 3 without. */
export function roundsOf(args: readonly string[]): number {
  const word = args.find((arg) => arg.startsWith('--rounds='))
  return Number(word?.slice('--rounds='.length)) || 3
}

/** Runs `work` beside a fresh server, and takes the server down. */
export async function withServer(
  link: FileLink,
  server: FileServer,
  directory: string,
  work: (program: Program) => Promise<void>,
): Promise<void> {
  const workDir = mkdtempSync(path.join(link.workDir, 'server-'))
  try {
    const program = await server.start(link, directory, workDir)
    await work(program)
  } finally {
    await link.namespaces.endAll()
    rmSync(workDir, { recursive: true, force: true })
  }
}
