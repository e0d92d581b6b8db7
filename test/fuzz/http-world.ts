import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { macInPath } from '../../src/net/mac.ts'
import { BootWorld } from '../support/boot-world.ts'
import { aCluster } from '../support/builders.ts'

/** Stands in files that lie beside those that are served, and in no manifest. */
export const DECOY = `nobody-may-have-this-${randomBytes(8).toString('hex')}`

const CLUSTER = aCluster().id

/** What requests are made of, and what no answer may hold. */
export interface HttpFuzzWorld {
  readonly world: BootWorld
  readonly port: { readonly boot: number; readonly api: number }
  readonly adminToken: string
  readonly bootToken: string
  readonly reportToken: string
  readonly bootId: string
  readonly imageId: string
  /** Everything that is served by its bytes, by SHA-256. */
  readonly files: ReadonlyMap<string, Buffer>
  /** What lies in boot-assets/first-boot, by its path in a request. */
  readonly scripts: ReadonlyMap<string, Buffer>
  /** Paths of such files. */
  readonly filePaths: readonly string[]
  readonly secrets: readonly string[]
}

/** A server with everything in it that a request can be about: a machine that booted, one that is armed, files, secrets. */
export async function openHttpFuzzWorld(): Promise<HttpFuzzWorld> {
  const world = new BootWorld()
  const loaders = world.addLoaders({ 'snponly.efi': 9_000, 'undionly.kpxe': 700 })
  const { image, bytes } = await world.addImage({ bzImage: 20_000, initrd: 150_000, 'root.squashfs': 70_001 })
  plantDecoys(world)
  await world.serveBoot()
  await world.serveOperator()
  const adminToken = readFileSync(path.join(world.directory, 'data', 'admin.token'), 'utf8').trim()
  const { token: bootToken } = await world.fetchScript(1)
  const config = JSON.parse((await world.redeem(1, bootToken)).body.toString())
  const { boot_id: bootId, report_token: reportToken } = config.provisioning
  const { token: armedToken } = await world.fetchScript(2)
  const credential = `Bearer ${randomBytes(24).toString('base64url')}`
  await world.put({
    kind: 'put-service-credential',
    clusterId: CLUSTER,
    service: 'chainfire',
    text: credential,
  })
  const files = new Map<string, Buffer>()
  for (const content of [...loaders.values(), ...bytes.values()])
    files.set(createHash('sha256').update(content).digest('hex'), content)
  return {
    world,
    port: { boot: 8080, api: 8090 },
    adminToken,
    bootToken,
    reportToken,
    bootId,
    imageId: image.id,
    files,
    scripts: firstBootScripts(),
    filePaths: [
      ...[...loaders.keys()].map((name) => `/assets/${name}`),
      ...[...bytes.keys()].map((name) => `/images/${image.id}/${name}`),
    ],
    secrets: [adminToken, bootToken, armedToken, reportToken, credential, DECOY],
  }
}

/** The path of machine `n` on the boot side. */
export function machinePath({ world }: HttpFuzzWorld, n: number): string {
  return `/machines/${macInPath(world.macOf(n))}`
}

function firstBootScripts(): ReadonlyMap<string, Buffer> {
  const directory = new URL('../../boot-assets/first-boot/', import.meta.url)
  const names = readdirSync(directory)
  return new Map(names.map((name) => [`/first-boot/${name}`, readFileSync(new URL(name, directory))]))
}

/** Beside the loaders, the images' bytes, the database: where a path that got out would arrive. */
function plantDecoys(world: BootWorld): void {
  for (const place of ['', 'data', 'data/images', 'data/images/blobs', 'loaders']) {
    const directory = path.join(world.directory, place)
    mkdirSync(directory, { recursive: true })
    for (const name of ['secret.txt', '.secret', 'secret.sh'])
      writeFileSync(path.join(directory, name), DECOY)
  }
}
