/** A storage of the client in SQLite. Processes that open the same file share the session. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { AsyncStorage } from 'portcullis/client'

/** The part of `DatabaseSync` (node:sqlite, Node 22.5 or later) that is used. `Database` of better-sqlite3 has it, too. */
export interface SqliteDatabase {
  exec(sql: string): unknown
  prepare(sql: string): {
    get(...values: (string | number)[]): unknown
    run(...values: (string | number)[]): { changes: number | bigint }
  }
}

/** After this time, the process that holds the lock must have ended. Longer than a refresh. */
const STALE_MILLISECONDS = 15_000

/**
 * Creates its tables if they are missing. Give the file to one user only.
 *
 * @example
 * const storage = sqliteStorage(new DatabaseSync('session.db', { timeout: 1000 }))
 */
export function sqliteStorage(database: SqliteDatabase): Required<AsyncStorage> {
  database.exec(`
    CREATE TABLE IF NOT EXISTS client_values (key TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS client_locks (name TEXT PRIMARY KEY, owner TEXT NOT NULL, until INTEGER NOT NULL);
  `)
  const read = database.prepare('SELECT value FROM client_values WHERE key = ?')
  const write = database.prepare('INSERT OR REPLACE INTO client_values VALUES (?, ?)')
  const remove = database.prepare('DELETE FROM client_values WHERE key = ?')
  // Takes a lock that is free or stale, in one step.
  const take = database.prepare(`
    INSERT INTO client_locks VALUES (?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until WHERE until < ?`)
  const release = database.prepare('DELETE FROM client_locks WHERE name = ? AND owner = ?')

  return {
    getItem: (key) => (read.get(key) as { value: string } | undefined)?.value,
    setItem: (key, value) => void write.run(key, value),
    removeItem: (key) => void remove.run(key),
    async lock(name, work) {
      const owner = `${process.pid} ${Math.random()}`
      const isTaken = () =>
        Number(take.run(name, owner, Date.now() + STALE_MILLISECONDS, Date.now()).changes) === 1
      while (!isTaken()) await sleep(20)
      try {
        return await work()
      } finally {
        release.run(name, owner)
      }
    },
  }
}
