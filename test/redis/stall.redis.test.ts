/** A stalled event loop is not a silent server: what was sent before the stall succeeds, on the same connection. */
import { setTimeout as sleep } from 'node:timers/promises'
import fastify from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import { openRedis } from '../../src/redis/connect.js'
import type { RedisTuning } from '../../src/redis/connect.js'
import { withinDeadline } from '../../src/deadline.js'
import type { RedisClient } from '../../src/redis/redis-client.js'
import { soon } from '../support/gateway-process.js'
import { connect, startCluster, startRedis } from '../support/redis.js'

const STALL_MILLISECONDS = 700
const LOG: RedisTuning = { commandTimeout: 500, socketTimeout: 500, enableReadyCheck: false }

/** Nothing else runs in this process meanwhile. */
function stall(milliseconds = STALL_MILLISECONDS): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

async function open(t: Test, url: string, tuning?: RedisTuning): Promise<RedisClient> {
  const { client, close, isReady } = await openRedis(url, fastify().log, tuning)
  t.teardown(close)
  await soon('the connection is ready', isReady)
  await soon('it takes writes', () => client.set('key', 'value').catch(() => false))
  return client
}

for (const [name, tuning] of Object.entries({ 'the store': {}, 'the log': LOG })) {
  t.test(`one server, ${name}: stalls of the event loop fail no command`, async (t) => {
    const redis = await startRedis(t)
    const client = await open(t, redis.url, tuning)
    const id = await client.client('ID')
    const admin = connect(t, redis.url)
    for (const pauseMilliseconds of [0, 250]) {
      // The server holds its replies back, so that the stall begins after a part of the limit has passed.
      if (pauseMilliseconds > 0) await admin.call('CLIENT', 'PAUSE', pauseMilliseconds)
      const commands = Array.from({ length: 20 }, () => withinDeadline(client.get('key'), 400))
      const outcomes = Promise.allSettled(commands)
      if (pauseMilliseconds > 0) await sleep(pauseMilliseconds - 100)
      stall()
      const failed = (await outcomes).filter(({ status }) => status === 'rejected')
      t.strictSame(failed, [], `none failed after a pause of ${pauseMilliseconds} ms`)
    }
    t.equal(await client.client('ID'), id, 'the connection is the same')
    t.equal(client.status, 'ready')
  })
}

t.test('a Cluster: a stall of the event loop with commands to every node fails no command', async (t) => {
  const { url } = await startCluster(t)
  const client = await open(t, url)
  // One key for each node.
  const keys = ['a', 'b', 'c']
  for (const key of keys) await soon('it takes writes', () => client.set(key, key).catch(() => false))
  const commands = keys.map((key) => client.get(key))
  stall()
  t.strictSame(await Promise.all(commands), keys)
})

t.test('a frozen server still times out, and its connection is dropped', async (t) => {
  const redis = await startRedis(t)
  const client = await open(t, redis.url)
  await redis.freeze()
  const closed = new Promise((resolve) => client.once('close', resolve))
  await t.rejects(client.get('key'))
  await closed
  await t.rejects(client.get('key'), { message: /writeable/ }, 'the next one fails at once')
  await redis.thaw()
  await soon('it is ready again', () => client.get('key').catch(() => false))
})
