import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import type { RedisOptions } from 'ioredis'
import type { Scope } from './scope.js'

export { freePort } from './free-port.js'
export type { Scope } from './scope.js'
export { startRedis, type OwnRedis, type OwnRedisOptions } from './redis-server.js'
export { startCluster, type OwnCluster, type OwnClusterOptions } from './redis-cluster.js'

/** Without `replyMapping`, which would change what replies look like. */
export type ClientOptions = Omit<RedisOptions, 'replyMapping'>

// The limit only ends a test that would hang. A command can take seconds if the machine is busy with other tests.
const IMPATIENT: ClientOptions = { maxRetriesPerRequest: 0, retryStrategy: () => 50, commandTimeout: 20_000 }

/** The Redis that all tests of a run share: write only below a `uniquePrefix`, never flush, freeze or stop it. */
export function redisUrl(): string {
  const url = process.env['TEST_REDIS_URL'] ?? process.env['REDIS_URL']
  if (!url) throw new Error('No Redis for this test: run it by `npm test`, or set TEST_REDIS_URL')
  return url
}

/** A `keyPrefix` that no other test has, nor an earlier run. */
export function uniquePrefix(): string {
  return `test-${randomBytes(8).toString('hex')}`
}

/**
 * A client that is closed at the test's end. It reconnects like any ioredis client, but a command fails at once, rather
 * than wait, when there is no connection, and after 20 s without a reply. A test of a frozen server needs a shorter
 * `commandTimeout`.
 */
export function connect(t: Scope, url: string = redisUrl(), options: ClientOptions = {}): Redis {
  const client = new Redis(url, { ...IMPATIENT, ...options })
  client.on('error', () => {}) // each command rejects by itself
  t.teardown(() => client.disconnect())
  return client
}

/** Deletes, at the test's end, every key of the shared Redis whose name holds `prefix`. */
export function cleanUp(t: Scope, prefix: string): void {
  t.teardown(async () => {
    const client = new Redis(redisUrl(), IMPATIENT)
    client.on('error', () => {})
    try {
      for await (const keys of client.scanStream({ match: `*${prefix}*`, count: 1000 })) {
        if (keys.length > 0) await client.unlink(keys)
      }
    } finally {
      client.disconnect()
    }
  })
}
