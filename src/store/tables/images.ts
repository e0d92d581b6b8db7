import type { Image } from '../../model/image.ts'
import type { Db } from '../open-database.ts'
import type { Row } from './rows.ts'

/** An image with the directory of this server's disk that holds its files. */
export interface StoredImage extends Image {
  readonly directory: string
}

/** Images. They are immutable, so what was read once stays true. */
export class ImagesTable {
  readonly #cache = new Map<string, StoredImage>()
  readonly #statements

  constructor(db: Db) {
    this.#statements = {
      byId: db.prepare('SELECT * FROM image WHERE image_id = ?'),
      list: db.prepare('SELECT * FROM image WHERE image_id > ? ORDER BY image_id LIMIT ?'),
      put: db.prepare(`
        INSERT INTO image (image_id, name, version, architecture, init, parameters, files, directory, created_at_ms)
        VALUES (@id, @name, @version, @architecture, @init, @parameters, @files, @directory, @createdAtMs)
        ON CONFLICT (image_id) DO NOTHING`),
    }
  }

  byId(id: string): StoredImage | undefined {
    const known = this.#cache.get(id)
    if (known !== undefined) return known
    const row = this.#statements.byId.get(id)
    if (row === undefined) return undefined
    const image = imageOf(row as Row)
    this.#cache.set(id, image)
    return image
  }

  list(afterId: string, limit: number): readonly StoredImage[] {
    return this.#statements.list.all(afterId, limit).map((row) => imageOf(row as Row))
  }

  put(image: Image, directory: string): void {
    const { parameters, files, ...rest } = image
    this.#statements.put.run({
      ...rest,
      parameters: JSON.stringify(parameters),
      files: JSON.stringify(files),
      directory,
    })
  }

  forgetCache(): void {
    this.#cache.clear()
  }
}

function imageOf(row: Row): StoredImage {
  return {
    id: row.image_id,
    name: row.name,
    version: row.version,
    architecture: row.architecture,
    init: row.init,
    parameters: JSON.parse(row.parameters),
    files: JSON.parse(row.files),
    createdAtMs: row.created_at_ms,
    directory: row.directory,
  }
}
