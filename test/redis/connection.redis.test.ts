import t from 'tap'
import { Cluster } from 'ioredis'
import { existsSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cleanUp, connect, freePort, startCluster, startRedis, uniquePrefix } from '../support/redis.js'
import { ping } from '../support/redis-ping.js'

t.test('the shared Redis responds, and cleanUp removes only keys with its prefix', async (t) => {
  const mine = uniquePrefix()
  const other = uniquePrefix()
  const client = connect(t)
  cleanUp(t, other)
  await t.test('a test that writes', async (t) => {
    cleanUp(t, mine)
    await client.mset(`{${mine}}:a`, '1', `${mine}:b`, '2', `${other}:c`, '3')
    t.equal(await client.exists(`{${mine}}:a`, `${mine}:b`), 2)
  })
  t.equal(await client.exists(`{${mine}}:a`, `${mine}:b`), 0)
  t.equal(await client.get(`${other}:c`), '3')
})

t.test('a frozen server accepts connections and commands, and responds after the thaw', async (t) => {
  const redis = await startRedis(t)
  const client = connect(t, redis.url, { commandTimeout: 200 })
  await client.set('before', 'kept')
  await redis.freeze()
  await t.rejects(client.get('before'), { message: 'Command timed out' })
  t.equal(await ping(redis.port), 'silent')
  await redis.thaw()
  t.equal(await client.get('before'), 'kept')
})

t.test('a killed server refuses connections, and restarts empty on its port', async (t) => {
  const redis = await startRedis(t)
  const client = connect(t, redis.url)
  await client.set('before', 'lost')
  await redis.freeze()
  await redis.kill()
  t.equal(await ping(redis.port), 'refused')
  await t.rejects(redis.freeze(), { message: /isn't running/ })
  await redis.start()
  t.equal(await ping(redis.port), 'pong')
  await t.rejects(redis.start(), { message: /running already/ })
  const again = connect(t, redis.url)
  t.equal(await again.get('before'), null)
})

t.test('with an append-only file, a stopped server restarts with its data', async (t) => {
  const redis = await startRedis(t, { args: ['--appendonly', 'yes'] })
  await connect(t, redis.url).set('before', 'kept')
  await redis.stop()
  t.equal(await ping(redis.port), 'refused')
  await redis.start()
  t.equal(await connect(t, redis.url).get('before'), 'kept')
})

t.test('a server that can’t start reports why', async (t) => {
  await t.rejects(startRedis(t, { args: ['--maxmemory-policy', 'nonsense'] }), {
    message: /ended by itself:[^]*maxmemory-policy/,
  })
})

t.test('the end of a test ends its servers, also frozen ones, and removes their directories', async (t) => {
  let port = 0
  let dir = ''
  await t.test('a test that leaves its server frozen', async (t) => {
    const redis = await startRedis(t)
    const [, configured] = (await connect(t, redis.url).config('GET', 'dir')) as string[]
    port = redis.port
    dir = String(configured)
    t.ok(existsSync(dir))
    await redis.freeze()
  })
  t.equal(await ping(port), 'refused')
  t.notOk(existsSync(dir))
})

t.test('a server, even a frozen one, ends with its killed test process', async (t) => {
  const port = await freePort()
  const script = `
    const { startRedis } = await import(${JSON.stringify(new URL('../support/redis.js', import.meta.url).href)})
    const redis = await startRedis({ teardown() {} }, { port: ${port} })
    await redis.freeze()
    console.log('frozen')`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  t.equal(await ping(port), 'silent')
  child.kill('SIGKILL')
  await once(child, 'exit')
  while ((await ping(port)) !== 'refused'); // else the file's timeout fails the test
  t.pass('refused')
})

t.test('a cluster serves every slot, each key from the node that owns it', async (t) => {
  const { url, urls, nodes } = await startCluster(t)
  t.equal(url, `redis+cluster://${urls.map((one) => new URL(one).host).join(',')}`)
  const cluster = new Cluster([...urls], { slotsRefreshTimeout: 5000 })
  t.teardown(() => cluster.disconnect())
  // slots 15495, 3300 and 7365: one for each node
  for (const key of ['a', 'b', 'c']) {
    await cluster.set(key, `value of ${key}`)
    t.equal(await cluster.get(key), `value of ${key}`)
  }
  const owners = await Promise.all(nodes.map(({ url: one }) => connect(t, one).dbsize()))
  t.same(owners, [1, 1, 1])
  await t.rejects(connect(t, urls[0]).get('a'), { message: /^MOVED 15495/ })
})
