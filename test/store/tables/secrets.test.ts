import t from 'tap'
import { conflictOf } from '../../../src/store/conflict.ts'
import { aCluster, NOW } from '../../support/builders.ts'
import { openTables, type Teardown } from '../../support/store-world.ts'

const NAME = 'iam-admin-password'

function setUp(t: Teardown) {
  const { db, tables } = openTables(t)
  tables.clusters.put(aCluster())
  return { db, secrets: tables.secrets }
}

t.test('a token is known by its hash only, with its name and role', async (t) => {
  const { secrets, db } = setUp(t)
  t.notOk(secrets.hasAnyToken())
  const token = secrets.makeToken('anna', 'operator', NOW)
  t.match(token, /^[\w-]{43}$/)
  t.ok(secrets.hasAnyToken())
  t.equal(secrets.roleOf(token), 'operator')
  t.equal(secrets.nameOf(token), 'anna')
  t.equal(secrets.roleOf(`${token}x`), undefined)
  t.notMatch(JSON.stringify(db.prepare('SELECT * FROM api_token').all()), token, 'its text is kept nowhere')
  t.not(secrets.makeToken('bert', 'viewer', NOW), token)
})

t.test('a token’s name is its own, and its role one of three', async (t) => {
  const { secrets } = setUp(t)
  secrets.makeToken('anna', 'admin', NOW)
  try {
    secrets.makeToken('anna', 'viewer', NOW)
    t.fail('two tokens have one name')
  } catch (error) {
    t.match(conflictOf(error), { code: 'conflict', field: 'name' })
  }
  t.throws(() => secrets.makeToken('carl', 'king' as never, NOW), { code: 'SQLITE_CONSTRAINT_CHECK' })
})

t.test('a cluster’s secret is sealed, written once, and forgotten when it was handed over', async (t) => {
  const { secrets, db } = setUp(t)
  t.equal(secrets.clusterSecret('c1', NAME), undefined)
  secrets.putClusterSecret('c1', NAME, 'first-password')
  secrets.putClusterSecret('c1', NAME, 'second-password')
  t.equal(secrets.clusterSecret('c1', NAME), 'first-password', 'it may have been handed out')
  const sealed = db.prepare('SELECT sealed FROM cluster_secret').pluck().get() as Buffer
  t.notOk(sealed.includes('password'), 'not readable in the file')
  t.equal(secrets.handedOverAtMs('c1', NAME), undefined)

  secrets.forgetClusterSecret('c1', NAME, NOW)
  t.equal(secrets.clusterSecret('c1', NAME), undefined)
  t.equal(secrets.handedOverAtMs('c1', NAME), NOW)
  secrets.putClusterSecret('c1', NAME, 'of another founding')
  t.equal(secrets.clusterSecret('c1', NAME), 'of another founding')
  t.equal(secrets.handedOverAtMs('c1', NAME), undefined)
  t.throws(() => secrets.putClusterSecret('gone', NAME, 'x'), { code: 'SQLITE_CONSTRAINT_FOREIGNKEY' })
})

t.test('a fact of the server’s own has one value', async (t) => {
  const { secrets } = setUp(t)
  t.equal(secrets.meta('server_id'), undefined)
  secrets.putMeta('server_id', 'one')
  secrets.putMeta('server_id', 'two')
  t.equal(secrets.meta('server_id'), 'two')
})
