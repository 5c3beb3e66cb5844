import { mock } from 'node:test'
import t from 'tap'
import type { Test } from 'tap'
import { redisKeys } from '../../src/redis/keys.js'
import { watchInstanceSettings } from '../../src/redis/instance-settings.js'
import { soon } from '../support/gateway-process.js'
import { cleanUp, connect, startRedis, uniquePrefix } from '../support/redis.js'

mock.timers.enable({ apis: ['setInterval'] })
t.teardown(() => mock.timers.reset())

type Settings = Record<string, string | number>

function open(t: Test, url?: string) {
  const prefix = uniquePrefix()
  if (url === undefined) cleanUp(t, prefix)
  const keys = redisKeys(prefix)
  const admin = connect(t, url)
  const start = (settings: Settings) => {
    const warnings: unknown[] = []
    const unused = () => t.fail('only warnings are expected')
    const log = {
      debug: unused,
      info: unused,
      error: unused,
      warn: (...line: unknown[]) => warnings.push(line),
    }
    const redis = connect(t, url)
    const watch = watchInstanceSettings({ redis, keys, settings, log })
    t.teardown(() => watch.close())
    return { watch, warnings, differs: () => watch.differing().join() }
  }
  /** Lets every instance check. Resolves when all rows have been written again. */
  const check = async () => {
    const before = await admin.hgetall(keys.settings)
    await soon('Redis’s clock has moved', async () => {
      mock.timers.tick(30_000)
      const after = await admin.hgetall(keys.settings)
      return Object.entries(before).every(([id, row]) => after[id] !== row)
    })
  }
  const count = () => admin.hlen(keys.settings)
  const untilCount = (n: number) => soon(`${n} have written`, async () => (await count()) === n)
  return { admin, keys, start, check, count, untilCount }
}

t.test('instances with other settings are noticed by each other, by name, and warned of once', async (t) => {
  const { start, check, untilCount } = open(t)
  const a = start({ issuer: 'i', keys: 'k1', 'tokens.access': 900_000, 'revocation.lease': 1000 })
  await untilCount(1)
  const b = start({ issuer: 'i', keys: 'k2', 'tokens.access': 60_000, 'revocation.lease': 1000 })
  const names = 'keys,tokens.access'
  await soon('the second one notices at its start', () => b.differs() === names)
  await check()
  await soon('the first one notices at its next check', () => a.differs() === names)
  for (let i = 0; i < 3; i += 1) await check()
  for (const { warnings } of [a, b]) {
    t.equal(warnings.length, 1)
    t.match(warnings[0], [
      { event: 'settings_differ', settings: ['keys', 'tokens.access'] },
      /other settings: keys, tokens\.access;/,
    ])
    t.notMatch(JSON.stringify(warnings), /k1|k2|900000|60000/, 'no value is logged')
  }

  await b.watch.close()
  await check()
  await soon('all agree after the other one has ended', () => a.differs() === '')
  const c = start({ issuer: 'i', keys: 'k1', 'tokens.access': 60_000, 'revocation.lease': 1000 })
  await soon('a change is noticed', () => c.differs() === 'tokens.access')
  await check()
  await soon('by both', () => a.differs() === 'tokens.access')
  t.equal(a.warnings.length, 2, 'and warned of again')
})

t.test('instances that agree, and versions that know other settings, cause no warning', async (t) => {
  const { start, check, untilCount } = open(t)
  const a = start({ issuer: 'i', old: 1 })
  const b = start({ issuer: 'i', new: 2 })
  const c = start({ issuer: 'i', old: 1 })
  await untilCount(3)
  await check()
  for (const { watch, warnings } of [a, b, c]) t.strictSame([watch.differing(), warnings], [[], []])
})

t.test('an instance that was killed is forgotten, and so is a row that nobody can read', async (t) => {
  const { admin, keys, start, count, untilCount } = open(t)
  const [seconds] = await admin.time()
  const longAgo = (Number(seconds) - 101) * 1000
  await admin.hset(keys.settings, {
    killed: `${longAgo} {"issuer":"j"}`,
    broken: 'x',
    strange: `${Number(seconds) * 1000} [`,
    empty: `${Number(seconds) * 1000} null`,
  })
  const a = start({ issuer: 'i' })
  await soon('two rows are removed', async () => (await count()) === 3)
  t.strictSame([a.watch.differing(), a.warnings], [[], []])
  t.ok((await admin.pttl(keys.settings)) > 0, 'the key has a TTL')
  await a.watch.close()
  await untilCount(2)
})

t.test('without Redis the last result stays, and the next connection is checked', async (t) => {
  const redis = await startRedis(t)
  const { start, untilCount, check } = open(t, redis.url)
  const a = start({ issuer: 'i' })
  await untilCount(1)
  start({ issuer: 'j' })
  await untilCount(2)
  await check()
  await soon('it is noticed', () => a.differs() === 'issuer')
  await redis.kill()
  mock.timers.tick(30_000)
  t.equal(a.differs(), 'issuer')
  await redis.start()
  await untilCount(2)
  t.equal(a.warnings.length, 1)
})
