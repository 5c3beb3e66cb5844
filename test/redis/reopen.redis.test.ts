/** A connection that ends without our doing is opened again; one that we close stays closed, and ends at once. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fastify from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import { openRedis } from '../../src/redis/connect.js'
import type { RedisConnection, RedisTuning } from '../../src/redis/connect.js'
import type { RedisClient } from '../../src/redis/redis-client.js'
import { soon } from '../support/gateway-process.js'
import { connect, freePort, startCluster, startRedis } from '../support/redis.js'
import type { FakeSentinel } from '../support/fake-sentinel.js'
import { startFakeSentinel } from '../support/fake-sentinel.js'

/** Longer than any pause before a new attempt. */
const SEVERAL_PAUSES_MILLISECONDS = 800

/** Those of the log of revocations, and of its bell. */
const TUNINGS: Record<string, RedisTuning> = {
  'the store': {},
  'the log': { commandTimeout: 1_000, socketTimeout: 500, enableReadyCheck: false, retryStrategy: () => 125 },
  'the bell': {
    commandTimeout: undefined,
    socketTimeout: 5_000,
    enableReadyCheck: false,
    retryStrategy: () => 250,
  },
}

async function open(t: Test, url: string, tuning?: RedisTuning): Promise<RedisConnection> {
  const connection = await openRedis(url, fastify().log, tuning)
  t.teardown(connection.close)
  await soon('the connection is ready', connection.isReady)
  return connection
}

/** Unlike `once`, it isn't disturbed by errors. */
const end = (client: RedisClient) => new Promise((resolve) => client.once('end', resolve))

type Doubling = RedisClient & { double(key: string): Promise<number> }

function defineDouble(client: RedisClient): Doubling {
  client.defineCommand('double', { numberOfKeys: 1, lua: "return 2 * redis.call('GET', KEYS[1])" })
  return client as Doubling
}

/** Sentinel announces a failover while it is asked for the primary, as the connection has just been lost. */
async function endByFailover(sentinel: FakeSentinel, client: RedisClient, redisUrl: string, t: Test) {
  await soon('the client listens for failovers', () => sentinel.listeners() > 0)
  const ended = end(client)
  const announced = sentinel.announceWhileAsked()
  await connect(t, redisUrl).call('CLIENT', 'KILL', 'TYPE', 'normal')
  await announced
  return ended
}

for (const [name, tuning] of Object.entries(TUNINGS)) {
  t.test(`Sentinel, ${name}: a failover is announced while the client asks for the primary`, async (t) => {
    const redis = await startRedis(t)
    const sentinel = await startFakeSentinel(t, redis.port)
    const connection = await open(t, `redis+sentinel://127.0.0.1:${sentinel.port}/main`, tuning)
    const client = defineDouble(connection.client)
    await endByFailover(sentinel, client, redis.url, t)
    t.pass('ioredis has given up')
    await soon('it is ready again', connection.isReady)
    await client.set('key', 21)
    t.equal(await client.double('key'), 42, 'with its scripts')
  })
}

t.test('close wins over a reconnect in progress', async (t) => {
  const redis = await startRedis(t)
  const sentinel = await startFakeSentinel(t, redis.port)
  const { client, close } = await open(t, `redis+sentinel://127.0.0.1:${sentinel.port}/main`)
  await endByFailover(sentinel, client, redis.url, t)
  close()
  const before = sentinel.connections()
  await new Promise((resolve) => setTimeout(resolve, SEVERAL_PAUSES_MILLISECONDS))
  t.equal(sentinel.connections(), before, 'nobody asked the Sentinel')
  t.not(client.status, 'ready')
  await t.rejects(client.ping())
})

t.test('one server, and a Cluster: the client reconnects after an end that it didn’t ask for', async (t) => {
  const [redis, cluster] = await Promise.all([startRedis(t), startCluster(t)])
  for (const { url } of [redis, cluster]) {
    const connection = await open(t, url)
    const client = defineDouble(connection.client)
    const ended = end(client)
    client.disconnect()
    await ended
    await soon('it is ready again', connection.isReady)
    // The nodes of a Cluster are connected one after the other.
    await soon('it takes writes', () => client.set('key', 21).catch(() => false))
    t.equal(await client.double('key'), 42, url)
  }
})

t.test('a frozen Sentinel is skipped', async (t) => {
  const [redis, frozen] = await Promise.all([startRedis(t), startRedis(t)])
  await frozen.freeze()
  const sentinel = await startFakeSentinel(t, redis.port)
  const connection = await openRedis(
    `redis+sentinel://127.0.0.1:${frozen.port},127.0.0.1:${sentinel.port}/main`,
    fastify().log,
  )
  t.teardown(connection.close)
  await soon('the connection is ready', connection.isReady, 10_000)
  t.pass('the next one was asked')
})

t.test('after close, nothing keeps the process alive', async (t) => {
  const redis = await startRedis(t)
  const frozen = await startRedis(t)
  await frozen.freeze()
  const dead = await freePort()
  const stores = {
    'a server that answers': redis.url,
    'a server that is frozen': frozen.url,
    'a port where nobody listens': `redis://127.0.0.1:${dead}`,
    'a Sentinel’s port where nobody listens': `redis+sentinel://127.0.0.1:${dead}/main`,
    'a Cluster’s port where nobody listens': `redis+cluster://127.0.0.1:${dead}`,
  }
  const module = new URL('../../src/redis/connect.js', import.meta.url).href
  for (const [what, url] of Object.entries(stores)) {
    const script = `
      const { openRedis } = await import(${JSON.stringify(module)})
      const { close } = await openRedis(${JSON.stringify(url)}, undefined)
      close()
      // Long enough for what ends by itself, and unref'd: it only fires if something else keeps the process.
      setTimeout(() => console.log(process.getActiveResourcesInfo().join()), 1500).unref()`
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let held = ''
    child.stdout.on('data', (chunk: Buffer) => (held += chunk.toString()))
    const [code] = (await once(child, 'exit')) as [number | null]
    t.equal(code, 0)
    t.equal(held, '', what)
  }
})
