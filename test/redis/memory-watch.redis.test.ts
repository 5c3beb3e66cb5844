import t from 'tap'
import { MemoryWatch, parseUsage } from '../../src/redis/memory-watch.js'
import { connect, startRedis } from '../support/redis.js'

t.test('the usage is the part of maxmemory by which Redis decides, and 0 without a limit', async (t) => {
  const info = (used: number, buffers: number, limit: number) =>
    `# Memory\r\nused_memory:${used}\r\nused_memory_rss:1\r\nmaxmemory:${limit}\r\nmaxmemory_human:0B\r\nmem_not_counted_for_evict:${buffers}\r\n`
  t.equal(parseUsage(info(900, 0, 1_000)), 0.9)
  t.equal(parseUsage(info(900, 400, 1_000)), 0.5)
  t.equal(parseUsage(info(900, 0, 0)), 0)
  t.equal(parseUsage(''), 0)
})

t.test('the first sample is there when the watch has started, and is kept while Redis is gone', async (t) => {
  const own = await startRedis(t)
  const client = connect(t, own.url)
  await client.config('SET', 'maxmemory', '1')
  const changes: boolean[] = []
  const memory = new MemoryWatch(client, (isShort) => void changes.push(isShort))
  t.teardown(() => memory.stop())
  await memory.start()
  t.equal(memory.isShort, true)
  t.ok(memory.usage > 1)
  t.strictSame(changes, [true])
  await own.kill()
  await t.rejects(client.ping())
  await memory.start()
  t.equal(memory.isShort, true)
})

t.test('a user without INFO has no limit', async (t) => {
  const own = await startRedis(t)
  const client = connect(t, own.url)
  await client.config('SET', 'maxmemory', '1')
  await client.acl('SETUSER', 'default', '-info')
  await t.rejects(client.info('memory'), { message: /NOPERM/ })
  const memory = new MemoryWatch(client, () => t.fail('no change'))
  await memory.start()
  memory.stop()
  t.equal(memory.isShort, false)
})
