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

/** Starts a host, waits until it is ready, lets the fault happen, and closes the application. */
async function ends(t: Test, name: string, store: string, fault?: () => Promise<void>): Promise<void> {
  const host = startHost(t, store)
  t.equal(await host.started, 'ready', `${name}: the host has started`)
  await fault?.()
  t.strictSame(await host.end(), { code: 0, output: 'ready\n' }, name)
}

t.test('with a Redis that works, is lost, freezes, was frozen from the start, or is absent', async (t) => {
  const [fine, lost, frozen, silent] = await Promise.all([
    startRedis(t),
    startRedis(t),
    startRedis(t),
    startRedis(t),
  ])
  await silent.freeze()
  await Promise.all([
    ends(t, 'a Redis that works', fine.url),
    ends(t, 'a Redis that is lost before the end', lost.url, () => lost.kill()),
    ends(t, 'a Redis that freezes before the end', frozen.url, () => frozen.freeze()),
    ends(t, 'a Redis that was frozen from the start', silent.url),
    ends(t, 'no Redis', `redis://127.0.0.1:${await freePort()}`),
    ends(t, 'no Sentinel', `redis+sentinel://127.0.0.1:${await freePort()}/primary`),
  ])
})

t.test('with a Redis Cluster that works, and one that freezes', async (t) => {
  const cluster = await startCluster(t)
  await ends(t, 'a Cluster that works', cluster.url)
  await ends(t, 'a Cluster that freezes', cluster.url, async () => {
    for (const node of cluster.nodes) await node.freeze()
  })
})

t.test('after a registration that failed, with a Redis that works, is frozen or is away', async (t) => {
  const redis = await startRedis(t)
  const fails = async (store: string) => {
    const host = startHost(t, store, NO_FILE)
    t.match(await host.started, /^failed: login\.users: the users file \/nowhere can/)
    t.match(await host.end(), { code: 0, output: /^[^\n]+\n$/ }, store)
  }
  await fails(redis.url)
  const stats = await connect(t, redis.url).info('stats')
  t.ok(Number(/total_connections_received:(\d+)/.exec(stats)?.[1]) > 1, 'it was connected')
  await redis.freeze()
  await fails(redis.url)
  await redis.kill()
  await fails(redis.url)
})
