import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'

const CURE = 'install them: pilotlight assets install'

const Manifest = Compile(
  Type.Object({
    version: Type.Literal(1),
    source: Type.String(),
    files: Type.Array(
      Type.Object({
        name: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' }),
        source_name: Type.String(),
        bytes: Type.Integer({ minimum: 1 }),
        sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
      }),
    ),
  }),
)

/** A loader as machines ask for it, with its bytes: all of them together are a few MiB. */
export interface Loader {
  readonly name: string
  readonly sourceName: string
  readonly sha256: string
  readonly bytes: Uint8Array
}

/** The loaders that are on hand, checked against their manifest, and what is wrong with the others. */
export class LoaderManifest {
  readonly problems: readonly string[]
  readonly #loaders: ReadonlyMap<string, Loader>

  private constructor(loaders: readonly Loader[], problems: readonly string[]) {
    this.#loaders = new Map(loaders.map((loader) => [loader.name, loader]))
    this.problems = problems
  }

  /** Reads `manifest.json` of a directory and every file that it names; a file that differs is left out and named. */
  static read(directory: string): LoaderManifest {
    let manifest: unknown
    try {
      manifest = JSON.parse(readFileSync(path.join(directory, 'manifest.json'), 'utf8'))
    } catch (error) {
      const why = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'is not there' : 'cannot be read'
      return new LoaderManifest([], [`no loaders: ${path.join(directory, 'manifest.json')} ${why}; ${CURE}`])
    }
    if (!Manifest.Check(manifest))
      return new LoaderManifest([], [`${directory}/manifest.json is malformed; ${CURE}`])
    const loaders: Loader[] = []
    const problems: string[] = []
    for (const entry of manifest.files) {
      const problem = takeLoader(directory, entry, loaders)
      if (problem !== undefined) problems.push(`loader ${entry.name} ${problem}; ${CURE}`)
    }
    return new LoaderManifest(loaders, problems)
  }

  get names(): ReadonlySet<string> {
    return new Set(this.#loaders.keys())
  }

  /** By exact name, else by the one name that differs only in case: some firmware writes names in capitals. */
  find(name: string): Loader | undefined {
    const exact = this.#loaders.get(name)
    if (exact !== undefined) return exact
    const wanted = name.toLowerCase()
    const alike = [...this.#loaders.values()].filter((loader) => loader.name.toLowerCase() === wanted)
    return alike.length === 1 ? alike[0] : undefined
  }
}

function takeLoader(
  directory: string,
  entry: { name: string; source_name: string; bytes: number; sha256: string },
  into: Loader[],
): string | undefined {
  let bytes: Buffer
  try {
    bytes = readFileSync(path.join(directory, entry.name))
  } catch {
    return 'is missing'
  }
  if (bytes.length !== entry.bytes) return `has ${bytes.length} bytes, the manifest says ${entry.bytes}`
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  if (sha256 !== entry.sha256)
    return `has sha256 ${sha256.slice(0, 12)}…, the manifest says ${entry.sha256.slice(0, 12)}…`
  into.push({ name: entry.name, sourceName: entry.source_name, sha256, bytes })
  return undefined
}
