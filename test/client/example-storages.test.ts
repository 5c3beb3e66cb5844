/** The storages of examples/client, each with two clients. The files are in shared-storage.test.ts, too. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { fileStorage } from '../../examples/client/file-storage.js'
import { keystoreStorage } from '../../examples/client/keystore-storage.js'
import { sqliteStorage } from '../../examples/client/sqlite-storage.js'
import type { SqliteDatabase } from '../../examples/client/sqlite-storage.js'
import type { AsyncStorage } from '../../web/client/client.js'
import { CREDENTIALS, openClientServer } from '../support/client-server.js'

/** A keystore that is as strict about its keys as that of a phone. */
function strictKeystore() {
  const values = new Map<string, string>()
  const check = (key: string) => {
    if (!/^[\w.-]+$/.test(key)) throw new Error(`invalid key ${key}`)
    return key
  }
  return {
    getItemAsync: async (key: string) => values.get(check(key)) ?? null,
    setItemAsync: async (key: string, value: string) => void values.set(check(key), value),
    deleteItemAsync: async (key: string) => void values.delete(check(key)),
  }
}

/** Node 20 has no SQLite. The name is no literal, because its types have none either. */
const sqlite = await import(['node', 'sqlite'].join(':')).catch(() => undefined)

/** A directory besides `t.testdir()`, which the server empties for its keys. */
async function directory(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'portcullis-client-'))
  t.teardown(() => rm(path, { recursive: true, force: true }))
  return path
}

async function shares(t: Test, first: AsyncStorage, second: AsyncStorage): Promise<void> {
  const server = await openClientServer(t)
  const clients = [first, second].map((storage) => server.client({ storage }))
  await clients[0]!.login(CREDENTIALS)
  await server.revoke(await clients[1]!.token())
  const responses = await Promise.all(clients.map((client) => client.fetch('/me')))
  t.same(
    responses.map(({ status }) => status),
    [200, 200],
  )
  t.equal(server.count('/auth/refresh'), 1)
  await clients[0]!.logout()
  t.equal(await clients[1]!.token(), undefined)
}

t.test('files', async (t) => {
  const path = await directory(t)
  await shares(t, fileStorage(path), fileStorage(path))
})

t.test('a keystore', async (t) => {
  const keystore = strictKeystore()
  await shares(t, keystoreStorage(keystore), keystoreStorage(keystore))
})

t.test('SQLite', { skip: sqlite === undefined && 'this Node has no node:sqlite' }, async (t) => {
  const path = join(await directory(t), 'session.db')
  const { DatabaseSync } = sqlite as {
    DatabaseSync: new (path: string) => SqliteDatabase & { close(): void }
  }
  const databases = [new DatabaseSync(path), new DatabaseSync(path)] as const
  t.teardown(() => databases.forEach((database) => database.close()))
  await shares(t, sqliteStorage(databases[0]), sqliteStorage(databases[1]))
})
