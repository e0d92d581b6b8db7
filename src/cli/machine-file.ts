import type { Command } from 'commander'
import { call } from './api-client.ts'
import { readNamed } from './named-file.ts'
import { printGone } from './print-gone.ts'
import { printTable } from './table.ts'

interface FileAnswer {
  readonly path: string
  readonly mode: string
  readonly bytes: number
  readonly sha256: string
}

/** `pilotlight machine file …`: small files that a machine gets beside its image. */
export function addMachineFileCommands(machine: Command): void {
  const file = machine
    .command('file')
    .description('small files of its own, in its initial file system; no secrets: the boot side is open')

  file
    .command('put <machine> <path> <file>')
    .description('put a file at PATH, etc/rack-position')
    .option('--mode <mode>', 'permission bits', '644')
    .option('--json', 'print JSON')
    .action(async (ref: string, path: string, source: string, options: { mode: string; json?: boolean }) => {
      const body = {
        path,
        mode: options.mode,
        content_base64: readNamed(source, 'a file').toString('base64'),
      }
      const answer = await call<FileAnswer>('PUT', route(ref), body)
      if (options.json === true) console.log(JSON.stringify(answer, null, 2))
      else
        console.log(
          `${answer.path} (${answer.mode}, ${answer.bytes} bytes) goes with the next boot of ${ref}`,
        )
    })

  file
    .command('list <machine>')
    .description('its files')
    .option('--json', 'print JSON')
    .action(async (ref: string, { json }: { json?: boolean }) => {
      const { items } = await call<{ items: FileAnswer[] }>('GET', route(ref))
      if (json === true) return console.log(JSON.stringify(items, null, 2))
      printTable(
        ['PATH', 'MODE', 'BYTES', 'SHA256'],
        items.map((row) => [row.path, row.mode, String(row.bytes), row.sha256]),
      )
    })

  file
    .command('remove <machine> <path>')
    .description('take a file away')
    .option('--json', 'print JSON')
    .action(async (ref: string, path: string, options) => {
      await call('DELETE', `${route(ref)}?path=${encodeURIComponent(path)}`)
      printGone(path, options)
    })
}

function route(ref: string): string {
  return `/machines/${encodeURIComponent(ref)}/files`
}
