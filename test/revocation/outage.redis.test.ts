/** A Redis that can't be asked, or refuses: a check must not say "not denied", and a revoke must not say "done". */
import t from 'tap'
import type { Test } from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Denylist } from '../../src/revocation/denylist.js'
import { connect, startRedis, uniquePrefix } from '../support/redis.js'
import type { OwnRedis } from '../support/redis.js'
import { ping } from '../support/redis-ping.js'
import { openInstance } from '../support/open-denylist.js'

const TOKEN = { jti: 'j', sid: 's', sub: 'u', kid: 'k', iat: 0 }
const UNAVAILABLE = { name: 'PortcullisError', code: 'store_unavailable', headers: { 'retry-after': '1' } }

async function open(t: Test, own: OwnRedis, { waits = true } = {}): Promise<Denylist> {
  const options = { prefix: uniquePrefix(), check: 'redis', url: own.url, waits } as const
  return (await openInstance(t, options)).denylist
}

async function rejectsSoon(t: Test, denylist: Denylist): Promise<void> {
  for (const [name, work] of [
    ['check', () => denylist.check(TOKEN)],
    ['revoke of one', () => denylist.revoke([{ kind: 'sid', id: 's' }])],
    [
      'revoke of 50',
      () => denylist.revoke(Array.from({ length: 50 }, (_, i) => ({ kind: 'sid', id: `${i}` }))),
    ],
  ] as const) {
    const begunAt = performance.now()
    await t.rejects((async () => void (await work()))(), UNAVAILABLE, name)
    const took = performance.now() - begunAt
    t.ok(took < 1_000, `${name} took ${Math.round(took)} ms`)
  }
}

async function untilAnswers(denylist: Denylist): Promise<number> {
  const begunAt = performance.now()
  // else the file's timeout fails the test
  while (
    await Promise.resolve(denylist.check(TOKEN)).then(
      () => false,
      () => true,
    )
  )
    await sleep(20)
  return performance.now() - begunAt
}

t.test('a frozen Redis: check and revoke reject soon, and work again after the thaw', async (t) => {
  const own = await startRedis(t)
  const denylist = await open(t, own)
  t.equal(await denylist.check(TOKEN), undefined)
  await own.freeze()
  t.equal(await ping(own.port), 'silent')
  await rejectsSoon(t, denylist)
  await own.thaw()
  t.ok((await untilAnswers(denylist)) < 3_000)
  await denylist.revoke([{ kind: 'sid', id: 's' }])
  t.equal(await denylist.check(TOKEN), 'sid')
})

t.test('a Redis that freezes during checks: none of them returns “not revoked”', async (t) => {
  const own = await startRedis(t)
  const denylist = await open(t, own)
  await denylist.revoke([{ kind: 'sid', id: 's' }])
  await own.freeze()
  const checks = await Promise.allSettled(Array.from({ length: 200 }, () => denylist.check(TOKEN)))
  t.strictSame([...new Set(checks.map(({ status }) => status))], ['rejected'])
})

t.test('a dead Redis: check and revoke reject soon, and work again once it is back', async (t) => {
  const own = await startRedis(t)
  const denylist = await open(t, own)
  await own.kill()
  t.equal(await ping(own.port), 'refused')
  await rejectsSoon(t, denylist)
  await own.start()
  t.ok((await untilAnswers(denylist)) < 3_000)
})

t.test('a Redis that never existed: check and revoke reject soon', async (t) => {
  const own = await startRedis(t)
  await own.kill()
  await rejectsSoon(t, await open(t, own, { waits: false }))
})

t.test('a Redis that refuses writes: revoke rejects', async (t) => {
  const own = await startRedis(t)
  const denylist = await open(t, own)
  const admin = connect(t, own.url)
  await admin.config('SET', 'min-replicas-to-write', '1')
  await t.rejects(denylist.revoke([{ kind: 'sid', id: 's' }]), UNAVAILABLE)
  await admin.config('SET', 'min-replicas-to-write', '0')
  await denylist.revoke([{ kind: 'sid', id: 's' }])
  t.equal(await denylist.check(TOKEN), 'sid')
})

t.test('a Redis that refuses a write inside the script: revoke rejects', async (t) => {
  const own = await startRedis(t)
  const denylist = await open(t, own)
  const admin = connect(t, own.url)
  await admin.acl('SETUSER', 'default', '-set')
  await t.rejects(admin.set('x', '1'), { message: /NOPERM/ })
  const entries = ['s', 'another'].map((id) => ({ kind: 'sid', id }) as const)
  await t.rejects(denylist.revoke(entries), UNAVAILABLE)
  t.equal(await denylist.check(TOKEN), undefined)
  await admin.acl('SETUSER', 'default', '+set')
  await denylist.revoke(entries)
  t.equal(await denylist.check(TOKEN), 'sid')
})
