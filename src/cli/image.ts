import path from 'node:path'
import type { Command } from 'commander'
import type { ExplicitFiles } from '../servers/images/read-image-directory.ts'
import { call, callAll } from './api-client.ts'
import { EXIT } from './exit-codes.ts'
import { CliFailure } from './failure.ts'
import { archiveOf, archiveOfFiles } from './image-archive.ts'
import { ProgressBar } from './progress-bar.ts'
import { printFacts, printTable } from './table.ts'
import { upload } from './upload.ts'

interface ImageAnswer {
  readonly id: string
  readonly name: string
  readonly version: string
  readonly state: string
  readonly state_reason: string | null
  readonly versions: readonly {
    readonly name: string
    readonly version: string
    readonly promoted: boolean
  }[]
  readonly architecture: string
  readonly bytes: number
  readonly files: readonly { readonly name: string; readonly bytes: number; readonly sha256: string }[]
}

interface ImportOptions {
  readonly name: string
  readonly version?: string
  readonly promote?: boolean
  readonly script?: string
  readonly kernel?: string
  readonly initrd?: string
  readonly squashfs?: string
  readonly init?: string
  readonly params?: string
  readonly onServer?: boolean
  readonly json?: boolean
}

interface JsonOption {
  readonly json?: boolean
}

/** `pilotlight image …`. */
export function addImageCommands(program: Command): void {
  const image = program.command('image').description('what machines boot')
  addImport(image)

  image
    .command('list')
    .description('all images')
    .option('--json', 'print JSON')
    .action(async ({ json }: JsonOption) => {
      const rows = await callAll<ImageAnswer>('/images')
      if (json === true) return console.log(JSON.stringify(rows, null, 2))
      printTable(
        ['ID', 'NAME:VERSION', 'PROMOTED', 'STATE', 'ARCH', 'BYTES'],
        rows.map((row) => [
          row.id,
          row.versions.map(({ name, version }) => `${name}:${version}`).join(' '),
          row.versions.flatMap(({ name, promoted }) => (promoted ? [name] : [])).join(' ') || '-',
          row.state,
          row.architecture,
          String(row.bytes),
        ]),
      )
    })

  image
    .command('show <image>')
    .description('one image, by id, name:version, or name for the promoted one; with what needs it')
    .option('--json', 'print JSON')
    .action(async (ref: string, options: JsonOption) => show(await call('GET', route(ref)), options))

  image
    .command('verify <image>')
    .description('read and hash its files again; a damaged image is withdrawn (exit code 1)')
    .option('--json', 'print JSON')
    .action(async (ref: string, options: JsonOption) => {
      const answer = await call<{ verdict: string } & Record<string, unknown>>('POST', `${route(ref)}/verify`)
      show(answer, options)
      if (answer.verdict !== 'whole') process.exitCode = EXIT.failed
    })

  image
    .command('promote <name> <version>')
    .description('machines that are assigned the name boot this version from now on')
    .option('--json', 'print JSON')
    .action(async (name: string, version: string, options: JsonOption) =>
      show(await call('POST', `/image-names/${encodeURIComponent(name)}/promote`, { version }), options),
    )

  image
    .command('rollback <name>')
    .description('go back to the version that was promoted before')
    .option('--json', 'print JSON')
    .action(async (name: string, options: JsonOption) =>
      show(await call('POST', `/image-names/${encodeURIComponent(name)}/rollback`), options),
    )

  image
    .command('retire <image>')
    .description('give it to nobody any more; refused while something needs it')
    .option('--json', 'print JSON')
    .action(async (ref: string, options: JsonOption) =>
      show(await call('POST', `${route(ref)}/retire`), options),
    )

  image
    .command('gc')
    .description('remove retired images that nothing needs, and files that no image holds')
    .option('--dry-run', 'only say what would be removed')
    .option('--json', 'print JSON')
    .action(async ({ dryRun, json }: JsonOption & { dryRun?: boolean }) => {
      const answer = await call<{
        removed: readonly ImageAnswer[]
        kept: readonly (ImageAnswer & { why: string })[]
        files_removed: number
        bytes_freed: number
      }>('POST', `/images/gc?dry_run=${dryRun === true}`)
      if (json === true) return console.log(JSON.stringify(answer, null, 2))
      const would = dryRun === true ? 'would remove' : 'removed'
      for (const row of answer.removed) console.log(`${would} ${row.id} ${row.name}:${row.version}`)
      for (const row of answer.kept) console.log(`kept ${row.id} ${row.name}:${row.version}: ${row.why}`)
      if (dryRun !== true) console.log(`${answer.files_removed} files, ${answer.bytes_freed} bytes freed`)
    })
}

function addImport(image: Command): void {
  image
    .command('import [path]')
    .description('take in a directory or tarball as NixOS builds it: netboot.ipxe, bzImage, initrd')
    .requiredOption('--name <name>', 'what to call it')
    .option('--version <version>', 'its version; default: its id')
    .option('--promote', 'machines that are assigned the name boot it from now on')
    .option('--script <file>', 'which *.ipxe names the set, where several are there')
    .option('--kernel <file>', 'a kernel, instead of PATH')
    .option('--initrd <file>', 'an initrd, with --kernel')
    .option('--squashfs <file>', 'a root filesystem beside the initrd, with --kernel')
    .option('--init <path>', 'what stage 1 hands over to, with --kernel')
    .option('--params <parameters>', 'further kernel parameters, separated by blanks, with --kernel')
    .option('--on-server', "read PATH on the server's own disk instead of sending it")
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  pilotlight image import ./result --name control-plane --version 25.05.1 --promote\n' +
        '  pilotlight image import netboot.tar.gz --name worker\n' +
        '  pilotlight image import --name rescue --kernel bzImage --initrd initrd --init /nix/store/…/init --params "console=ttyS0"',
    )
    .action(async (target: string | undefined, options: ImportOptions) => {
      const answer = await importImage(target, options)
      if (options.json === true) console.log(JSON.stringify(answer, null, 2))
      else printImage(answer)
    })
}

async function importImage(target: string | undefined, options: ImportOptions): Promise<ImageAnswer> {
  const files = explicitFiles(target, options)
  const about = {
    name: options.name,
    ...(options.version === undefined ? {} : { version: options.version }),
    ...(options.promote === true ? { promote: true } : {}),
    ...(options.script === undefined ? {} : { script: options.script }),
  }
  if (options.onServer === true) {
    const source = files === undefined ? { path: path.resolve(target ?? '') } : { files }
    return call<ImageAnswer>('POST', '/images', { ...about, ...source })
  }
  const archive =
    files === undefined ? await archiveOf(target ?? '', options.script) : await archiveOfFiles(files)
  const { script: _chosen, ...rest } = about
  // A directory's script was chosen here; a tarball's is chosen by the server.
  const query = new URLSearchParams()
  for (const [key, value] of Object.entries(archive.isPacked ? rest : about)) query.set(key, String(value))
  const bar = new ProgressBar(archive.bytes)
  let left = archive.bytes
  try {
    return await upload<ImageAnswer>({
      route: `/images/uploads?${query}`,
      contentType: 'application/x-tar',
      bytes: archive.bytes,
      body: archive.stream(),
      onProgress: (bytes) => {
        left -= bytes
        bar.add(bytes)
        if (left <= 0) bar.say('checking and syncing')
      },
    })
  } finally {
    bar.clear()
  }
}

function explicitFiles(target: string | undefined, options: ImportOptions): ExplicitFiles | undefined {
  const { kernel, initrd, init, squashfs, params, script } = options
  if (kernel === undefined && initrd === undefined && init === undefined) {
    const lost = squashfs !== undefined ? '--squashfs' : params !== undefined ? '--params' : undefined
    if (target !== undefined && lost !== undefined) {
      const detail = `${lost} goes with --kernel, --initrd and --init; a PATH brings its own`
      throw new CliFailure(detail, EXIT.usage)
    }
    if (target !== undefined) return undefined
    throw new CliFailure('nothing to import: name a PATH, or --kernel, --initrd and --init', EXIT.usage)
  }
  if (target !== undefined || kernel === undefined || initrd === undefined || init === undefined) {
    const detail = 'want either a PATH, or all of --kernel, --initrd and --init'
    throw new CliFailure(detail, EXIT.usage)
  }
  if (script !== undefined) throw new CliFailure('--script chooses in a PATH', EXIT.usage)
  return {
    kernel: path.resolve(kernel),
    initrd: path.resolve(initrd),
    init,
    parameters: (params ?? '').split(/\s+/).filter((word) => word !== ''),
    ...(squashfs === undefined ? {} : { squashfs: path.resolve(squashfs) }),
  }
}

function route(ref: string): string {
  return `/images/${encodeURIComponent(ref)}`
}

function show(answer: Record<string, unknown>, { json }: JsonOption): void {
  if (json === true) console.log(JSON.stringify(answer, null, 2))
  else if (Array.isArray(answer.files)) printImage(answer as unknown as ImageAnswer)
  else printFacts(answer)
}

/** Its names, which of them is promoted, and each file with its whole hash; whatever else the answer says as it is. */
function printImage(answer: ImageAnswer): void {
  // The first name and version of a content that may have many are among the versions.
  const { name: _name, version: _version, files, versions, ...rest } = answer
  const named = versions.map(
    ({ name, version, promoted }) => `${name}:${version}${promoted ? ' (promoted)' : ''}`,
  )
  printFacts({ ...rest, versions: named.join(', ') })
  for (const { name, bytes, sha256 } of files) console.log(`file  ${name}, ${bytes} B, sha256 ${sha256}`)
}
