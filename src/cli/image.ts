import path from 'node:path'
import type { Command } from 'commander'
import { call, callAll } from './api-client.ts'
import { printFacts, printTable } from './table.ts'

interface ImageAnswer {
  readonly id: string
  readonly name: string
  readonly version: string
  readonly architecture: string
  readonly files: readonly { readonly name: string; readonly bytes: number; readonly sha256: string }[]
}

/** `pilotlight image …`. */
export function addImageCommands(program: Command): void {
  const image = program.command('image').description('what machines boot')

  image
    .command('import <directory>')
    .description('take in a directory as NixOS builds it: netboot.ipxe, bzImage, initrd')
    .requiredOption('--name <name>', 'what to call it')
    .option('--version <version>', 'its version; default: its id')
    .option('--json', 'print JSON')
    .action(async (directory: string, options) => {
      const body = {
        directory: path.resolve(directory),
        name: options.name,
        ...(options.version === undefined ? {} : { version: options.version }),
      }
      const answer = await call<ImageAnswer>('POST', '/images', body)
      if (options.json === true) console.log(JSON.stringify(answer, null, 2))
      else printFacts({ ...answer, files: answer.files.map((file) => file.name).join(', ') })
    })

  image
    .command('list')
    .description('all images')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const rows = await callAll<ImageAnswer>('/images')
      if (json === true) return console.log(JSON.stringify(rows, null, 2))
      printTable(
        ['ID', 'NAME', 'VERSION', 'ARCH', 'BYTES'],
        rows.map((row) => [
          row.id,
          row.name,
          row.version,
          row.architecture,
          String(row.files.reduce((sum, file) => sum + file.bytes, 0)),
        ]),
      )
    })
}
