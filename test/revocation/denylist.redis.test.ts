/** `revocation.check: redis`: every request asks the denylist in Redis. */
import t from 'tap'
import type { Test } from 'tap'
import { redisKeys } from '../../src/redis/keys.js'
import { cleanUp, connect, redisUrl, startRedis, uniquePrefix } from '../support/redis.js'
import { dump, keysOf, monitored, openConnection } from '../support/redis-session-store.js'
import { denylistContract, minted, LIFE, MINUTE, SECOND } from './denylist.contract.js'
import { openInstance, settle } from '../support/open-denylist.js'
import { kindsContract } from './kinds.contract.js'
import { BEYOND, openPair } from '../support/denylist-pairs.js'

async function open(t: Test) {
  const server = connect(t)
  const client = await openConnection(t)
  const harness = await openPair(t, 'redis', { url: redisUrl(), servers: [server], client })
  cleanUp(t, harness.prefix)
  return { ...harness, server, keys: redisKeys(harness.prefix) }
}

denylistContract(t, open)
kindsContract(t, open)

t.test('an entry holds on every instance once revoke has returned', async (t) => {
  const harness = await open(t)
  const [one, other] = harness.instances
  for (let round = 0; round < 20; round += 1) {
    const token = await minted(harness)
    t.equal(await other!.check(token), undefined)
    await one!.revoke([{ kind: 'sid', id: token.sid }])
    t.equal(await other!.check(token), 'sid')
  }
})

t.test('each denylist key has the TTL of its rule', async (t) => {
  const { denylist, server, keys, clock, prefix } = await open(t)
  await denylist.revoke([
    { kind: 'jti', id: 'j', until: clock.now() + MINUTE },
    { kind: 'jti', id: 'far', until: clock.now() + 1000 * MINUTE },
    { kind: 'jti', id: 'past', until: clock.now() - 5 * SECOND },
    { kind: 'jti', id: 'gone', until: clock.now() - MINUTE },
    { kind: 'sid', id: 's' },
    { kind: 'sub', id: 'u', before: 1 },
    { kind: 'all', id: '*', before: 1 },
    { kind: 'kid', id: 'k' },
  ])
  const longest = LIFE.horizon + BEYOND
  const lives = new Map([
    [keys.deny('jti', 'j'), MINUTE + BEYOND],
    [keys.deny('jti', 'far'), longest],
    [keys.deny('jti', 'past'), BEYOND - 5 * SECOND],
    [keys.deny('sid', 's'), longest],
    [keys.deny('sub', 'u'), longest],
    [keys.deny('all', '*'), longest],
    [keys.deny('kid', 'k'), longest],
    // As long as anything that they could deny, and a minute.
    [keys.log, longest + MINUTE],
    [keys.logState, longest + MINUTE],
  ])
  t.same((await keysOf(server, prefix)).toSorted(), [...lives.keys()].toSorted())
  for (const [key, life] of lives) {
    const left = await server.pttl(key)
    t.ok(left <= life && left > life - 2 * SECOND, `${key.replace(prefix, '')}: ${left} of ${life} ms`)
  }
})

t.test('an instance with a shorter horizon doesn’t shorten an entry of another instance', async (t) => {
  const { denylist, prefix, server, keys, advance } = await open(t)
  const life = { horizon: MINUTE, leeway: 0 }
  const other = await openInstance(t, { prefix, check: 'redis', life })
  const token = await minted({ denylist })
  await denylist.revoke([{ kind: 'sid', id: token.sid, reason: 'first' }])
  await other.denylist.revoke([{ kind: 'sid', id: token.sid, reason: 'second' }])
  const left = await server.pttl(keys.deny('sid', token.sid))
  t.ok(left > LIFE.horizon, `${left} ms`)
  await advance(LIFE.horizon)
  t.equal(await other.denylist.check(token), 'sid')
})

t.test('a denylist value has before, until and reason, and nothing from the token', async (t) => {
  const { denylist, server, keys, clock } = await open(t)
  const expiresAt = clock.now() + MINUTE
  const begunAt = clock.now()
  await denylist.revoke([
    { kind: 'sid', id: 's', reason: 'logout' },
    { kind: 'jti', id: 'j', until: expiresAt },
    { kind: 'sub', id: 'u', before: 1_234_567.8, reason: 'a new\npassword' },
    { kind: 'all', id: '*', reason: 'a leak' },
    { kind: 'kid', id: 'k', reason: 'a leak' },
  ])
  const endedAt = clock.now()
  const values = await dump(server, keys.deny('', '').slice(0, -1))
  const name = (kind: string, id: string) => values[keys.deny(kind, id)]?.[0] ?? ''
  t.equal(Object.keys(values).length, 5)
  t.equal(name('jti', 'j'), `0 ${expiresAt + BEYOND} `)
  t.match(name('sid', 's'), /^0 \d+ logout$/)
  t.match(name('sub', 'u'), /^1234568 \d+ a new\npassword$/)
  t.match(name('kid', 'k'), /^0 \d+ a leak$/)
  const [before, until] = (/^(\d+) (\d+) a leak$/.exec(name('all', '*')) ?? []).slice(1).map(Number)
  t.ok(
    before! >= begunAt + 2 * SECOND && before! <= endedAt + 2 * SECOND,
    'now, and what a clock may be ahead',
  )
  t.equal(until! - before!, LIFE.horizon + BEYOND - 2 * SECOND, 'as long as anything can live')
})

t.test('an entry and its TTL are written with one command, and a check is one MGET', async (t) => {
  const own = await startRedis(t)
  const prefix = uniquePrefix()
  await settle(await openConnection(t, own.url), prefix)
  const { denylist } = await openInstance(t, { prefix, check: 'redis', url: own.url })
  const expiresAt = Date.now() + MINUTE
  const run = await monitored(t, own.url, prefix, () =>
    denylist.revoke([
      { kind: 'sid', id: 's' },
      { kind: 'jti', id: 'j', until: expiresAt },
    ]),
  )
  const calls = run.filter(([name = '']) => name.startsWith('EVAL'))
  t.ok(calls.length === 1 || (calls.length === 2 && calls[0]![0] === 'EVALSHA'), 'one script does it all')
  t.match(
    run.filter(([name]) => name === 'SET'),
    [
      ['SET', `{${prefix}}:deny:sid:s`, /^0 \d+ $/, 'PXAT', String],
      ['SET', `{${prefix}}:deny:jti:j`, `0 ${expiresAt + BEYOND} `, 'PXAT', String(expiresAt + BEYOND)],
    ],
  )
  t.equal(run.filter(([name]) => name === 'SET').length, 2)
  const expires = run.filter(([name = '']) => name.includes('EXPIRE')).map(([, key]) => key)
  t.strictSame(
    [...new Set(expires)],
    [`{${prefix}}:state`, `{${prefix}}:log`],
    'no EXPIRE of a denylist entry',
  )
  const token = { jti: 'j', sid: 's', sub: 'u', kid: 'k', iat: 0 }
  const asked = await monitored(t, own.url, prefix, async () => denylist.check(token))
  const keys = ['sid:s', 'jti:j', 'kid:k', 'sub:u', 'all:*'].map((name) => `{${prefix}}:deny:${name}`)
  t.strictSame(asked, [['MGET', ...keys]])
})

t.test('a Redis that may evict entries isn’t trusted', async (t) => {
  const prefix = uniquePrefix()
  cleanUp(t, prefix)
  let evicts = true
  const options = { prefix, check: 'redis', mayEvict: () => evicts } as const
  await t.rejects(openInstance(t, options), { message: /noeviction/ })
  evicts = false
  const { denylist, isLive } = await openInstance(t, options)
  const token = await minted({ denylist: denylist })
  t.equal(await denylist.check(token), undefined)
  t.equal(isLive(), true)
  evicts = true
  t.equal(isLive(), false)
  await t.rejects(Promise.resolve(denylist.check(token)), { code: 'store_unavailable' })
})
