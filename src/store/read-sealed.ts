import type { Db } from './open-database.ts'

/** Everything in a database that was sealed with `server.key`. */
export function readSealed(db: Db): readonly Buffer[] {
  return db
    .prepare(
      `SELECT sealed FROM cluster_secret WHERE length(sealed) > 0
       UNION ALL SELECT config_sealed FROM redemption WHERE config_sealed IS NOT NULL`,
    )
    .pluck()
    .all() as Buffer[]
}
