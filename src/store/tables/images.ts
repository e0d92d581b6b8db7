import type { Image, ImageState, ImageVersion, Promotion } from '../../model/image.ts'
import type { Db } from '../open-database.ts'
import { RowCache } from './row-cache.ts'
import { given, type Row } from './rows.ts'

/** What a hall boots in a day; each row may hold hundreds of files. */
const MOST_IMAGES_CACHED = 64

/** Images with their names and versions, and which version of a name is promoted. */
export class ImagesTable {
  /** Read for every script. Ids are in URLs that anybody may write. */
  readonly #byId: RowCache<string, Image>
  readonly #statements

  constructor(db: Db, mostCached: number) {
    this.#byId = new RowCache(Math.min(mostCached, MOST_IMAGES_CACHED), false)
    this.#statements = {
      byId: db.prepare('SELECT * FROM image WHERE image_id = ?'),
      list: db.prepare('SELECT * FROM image WHERE image_id > ? ORDER BY image_id LIMIT ?'),
      put: db.prepare(`
        INSERT INTO image (image_id, name, version, architecture, init, parameters, files, created_at_ms, state, state_reason)
        VALUES (@id, @name, @version, @architecture, @init, @parameters, @files, @createdAtMs, @state, @stateReason)
        ON CONFLICT (image_id) DO NOTHING`),
      setState: db.prepare('UPDATE image SET state = ?, state_reason = ? WHERE image_id = ?'),
      delete: db.prepare('DELETE FROM image WHERE image_id = ?'),
      holdsFile: db
        .prepare(`
          SELECT 1 FROM image, json_each(image.files) AS file
          WHERE json_extract(file.value, '$.sha256') = ? LIMIT 1`)
        .pluck(),
      holding: db.prepare(`
        SELECT DISTINCT image.* FROM image, json_each(image.files) AS file
        WHERE json_extract(file.value, '$.sha256') = ?`),
      version: db.prepare('SELECT * FROM image_version WHERE name = ? AND version = ?'),
      versionsOf: db.prepare('SELECT * FROM image_version WHERE image_id = ? ORDER BY name, version'),
      putVersion: db.prepare(`
        INSERT INTO image_version (name, version, image_id, created_at_ms) VALUES (@name, @version, @imageId, @createdAtMs)
        ON CONFLICT (name, version) DO NOTHING`),
      isName: db.prepare('SELECT 1 FROM image_version WHERE name = ? LIMIT 1').pluck(),
      promotions: db.prepare(
        'SELECT * FROM promotion WHERE name = ? AND rolled_back_at_ms IS NULL ORDER BY seq DESC',
      ),
      promotedNames: db
        .prepare('SELECT DISTINCT name FROM promotion WHERE rolled_back_at_ms IS NULL ORDER BY name')
        .pluck(),
      promote: db.prepare(`
        INSERT INTO promotion (name, version, image_id, promoted_at_ms) VALUES (@name, @version, @imageId, @promotedAtMs)`),
      rollBack: db.prepare('UPDATE promotion SET rolled_back_at_ms = ? WHERE seq = ?'),
      machinesOf: db.prepare('SELECT name FROM machine WHERE image_id = ? ORDER BY name').pluck(),
      machinesOfName: db.prepare('SELECT name FROM machine WHERE image_name = ? ORDER BY name').pluck(),
      bootsOf: db
        .prepare(`
          SELECT boot_id FROM boot_attempt WHERE image_id = ? AND (ended_at_ms IS NULL
            OR boot_id IN (SELECT current_boot_id FROM machine WHERE current_boot_id IS NOT NULL))`)
        .pluck(),
    }
  }

  byId(id: string): Image | undefined {
    return this.#byId.get(id, () => {
      const row = this.#statements.byId.get(id)
      return row === undefined ? undefined : imageOf(row as Row)
    })
  }

  list(afterId: string, limit: number): readonly Image[] {
    return this.#statements.list.all(afterId, limit).map((row) => imageOf(row as Row))
  }

  put(image: Image): void {
    const { parameters, files, ...rest } = image
    this.#statements.put.run({
      stateReason: null,
      ...rest,
      parameters: JSON.stringify(parameters),
      files: JSON.stringify(files),
    })
    this.#byId.forget(image.id)
  }

  setState(imageId: string, state: ImageState, why: string | undefined): void {
    this.#statements.setState.run(state, why ?? null, imageId)
    this.#byId.forget(imageId)
  }

  delete(imageId: string): void {
    this.#statements.delete.run(imageId)
    this.#byId.forget(imageId)
  }

  /** True when any image, in whatever state, holds a file with these bytes. */
  holdsFile(sha256: string): boolean {
    return this.#statements.holdsFile.get(sha256) !== undefined
  }

  /** Every image that holds a file with these bytes. */
  holding(sha256: string): readonly Image[] {
    return this.#statements.holding.all(sha256).map((row) => imageOf(row as Row))
  }

  version(name: string, version: string): ImageVersion | undefined {
    const row = this.#statements.version.get(name, version)
    return row === undefined ? undefined : versionOf(row as Row)
  }

  versionsOf(imageId: string): readonly ImageVersion[] {
    return this.#statements.versionsOf.all(imageId).map((row) => versionOf(row as Row))
  }

  putVersion(version: ImageVersion): void {
    this.#statements.putVersion.run(version)
  }

  /** True when something was imported under this name. */
  isName(name: string): boolean {
    return this.#statements.isName.get(name) !== undefined
  }

  /** The name's promotions that stand, the latest first: the first one counts. */
  promotions(name: string): readonly Promotion[] {
    return this.#statements.promotions.all(name).map((row) => promotionOf(row as Row))
  }

  /** What a machine boots that is assigned this name. */
  promoted(name: string): Promotion | undefined {
    const row = this.#statements.promotions.get(name)
    return row === undefined ? undefined : promotionOf(row as Row)
  }

  promotedNames(): readonly string[] {
    return this.#statements.promotedNames.all() as string[]
  }

  promote(promotion: Omit<Promotion, 'seq'>): void {
    this.#statements.promote.run(promotion)
  }

  rollBack(seq: number, atMs: number): void {
    this.#statements.rollBack.run(atMs, seq)
  }

  /** Names of the machines that are assigned this very image. */
  machinesOf(imageId: string): readonly string[] {
    return this.#statements.machinesOf.all(imageId) as string[]
  }

  /** Names of the machines that are assigned this name. */
  machinesOfName(name: string): readonly string[] {
    return this.#statements.machinesOfName.all(name) as string[]
  }

  /** Boot attempts of this image that run, or that the machine's system came from. */
  bootsOf(imageId: string): readonly string[] {
    return this.#statements.bootsOf.all(imageId) as string[]
  }

  forgetCache(): void {
    this.#byId.forgetAll()
  }
}

function imageOf(row: Row): Image {
  return {
    id: row.image_id,
    name: row.name,
    version: row.version,
    architecture: row.architecture,
    init: row.init,
    parameters: JSON.parse(row.parameters),
    files: JSON.parse(row.files),
    createdAtMs: row.created_at_ms,
    state: row.state,
    ...given('stateReason', row.state_reason),
  }
}

function versionOf(row: Row): ImageVersion {
  return { name: row.name, version: row.version, imageId: row.image_id, createdAtMs: row.created_at_ms }
}

function promotionOf(row: Row): Promotion {
  return {
    seq: row.seq,
    name: row.name,
    version: row.version,
    imageId: row.image_id,
    promotedAtMs: row.promoted_at_ms,
  }
}
