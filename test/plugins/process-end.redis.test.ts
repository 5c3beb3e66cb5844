/** After `app.close()`, or after a registration that failed, nothing of the plugin keeps the host's process alive. */
import t from 'tap'
import type { Test } from 'tap'
import { home, sharedSettings } from '../support/gateway-process.js'
import { startPluginProcess } from '../support/plugin-process.js'
import { connect, freePort, startCluster, startRedis } from '../support/redis.js'

t.setTimeout(120_000)

const directory = await home(t)

function startHost(t: Test, store: string, options: object = {}) {
  return startPluginProcess(t, { ...sharedSettings(directory), store, ...options })
}

const NO_FILE = { login: { users: '/nowhere' } }

t.test('with a Redis that works', async (t) => {
  const redis = await startRedis(t)
  const host = startHost(t, redis.url)
  t.equal(await host.started, 'ready')
  t.strictSame(await host.end(), { code: 0, output: 'ready\n' })
})

t.test('with no Redis', async (t) => {
  const host = startHost(t, `redis://127.0.0.1:${await freePort()}`)
  t.equal(await host.started, 'ready')
  t.strictSame(await host.end(), { code: 0, output: 'ready\n' })
})

t.test('with a Redis that is lost before the end', async (t) => {
  const redis = await startRedis(t)
  const host = startHost(t, redis.url)
  t.equal(await host.started, 'ready')
  await redis.kill()
  t.strictSame(await host.end(), { code: 0, output: 'ready\n' })
})

t.test('with a Redis that freezes before the end', async (t) => {
  const redis = await startRedis(t)
  const host = startHost(t, redis.url)
  t.equal(await host.started, 'ready')
  await redis.freeze()
  t.strictSame(await host.end(), { code: 0, output: 'ready\n' })
})

t.test('with a Redis that was frozen from the start', async (t) => {
  const redis = await startRedis(t)
  await redis.freeze()
  const host = startHost(t, redis.url)
  t.equal(await host.started, 'ready')
  t.strictSame(await host.end(), { code: 0, output: 'ready\n' })
})

t.test('with a Redis Cluster that works, and one that is frozen', async (t) => {
  const cluster = await startCluster(t)
  const [fine, late] = [startHost(t, cluster.url), startHost(t, cluster.url)]
  t.equal(await fine.started, 'ready')
  t.equal(await late.started, 'ready')
  t.strictSame(await fine.end(), { code: 0, output: 'ready\n' })
  for (const node of cluster.nodes) await node.freeze()
  t.strictSame(await late.end(), { code: 0, output: 'ready\n' })
})

t.test('with Sentinels that are away', async (t) => {
  const host = startHost(t, `redis+sentinel://127.0.0.1:${await freePort()}/primary`)
  t.equal(await host.started, 'ready')
  t.strictSame(await host.end(), { code: 0, output: 'ready\n' })
})

t.test('after a registration that failed, with a Redis that works, is frozen or is away', async (t) => {
  const redis = await startRedis(t)
  const fails = async (store: string) => {
    const host = startHost(t, store, NO_FILE)
    t.match(await host.started, /^failed: the users file \/nowhere can/)
    t.match(await host.end(), { code: 0, output: /^[^\n]+\n$/ }, store)
  }
  await fails(redis.url)
  t.strictSame(
    await connect(t, redis.url)
      .hlen('{portcullis}:state')
      .then((n) => n > 0),
    true,
    'it was used',
  )
  await redis.freeze()
  await fails(redis.url)
  await redis.kill()
  await fails(redis.url)
})
