/**
 * An instance that stands still, or can't be reached, or whose connections are cut: a logout waits for its lease, no
 * longer.
 */
import t from 'tap'
import type { Test } from 'tap'
import type { Tokens } from '../support/gateway-process.js'
import { isRefused, logIn, soon } from '../support/gateway-process.js'
import { connect, startRedis } from '../support/redis.js'
import type { Instance } from '../support/gateway-instances.js'
import {
  BARRIER_MILLISECONDS,
  LAPSE_MILLISECONDS,
  LEASE_MILLISECONDS,
  guarded,
  logInOften,
  logout,
  logoutAtLast,
  readiness,
  startInstances,
  tell,
  untilReady,
} from '../support/gateway-instances.js'
import { startProxy } from '../support/tcp-proxy.js'
import { startTraffic } from '../support/traffic.js'

t.setTimeout(120_000)

const redis = await startRedis(t)
const proxy = await startProxy(t, redis.port)
const instances = await startInstances(t, [redis.url, redis.url, proxy.url])
const [a, b, c] = instances as [Instance, Instance, Instance]

/** Ends each on A; no other one may accept it from then on. */
async function endAll(t: Test, sessions: readonly Tokens[], others: readonly Instance[]): Promise<number[]> {
  const times: number[] = []
  for (const { access_token } of sessions) {
    const { status, milliseconds } = await logout(a, access_token)
    const after = await Promise.all(others.map((other) => guarded(other, access_token)))
    t.strictSame([status, ...after.map((answer) => answer.status)], [204, ...others.map(() => 401)])
    times.push(milliseconds)
  }
  return times
}

const isBriefly = (milliseconds: number) => milliseconds < LEASE_MILLISECONDS / 2

t.test('C is stopped: one logout waits for its lease, the next ones don’t', async (t) => {
  const first: number[] = []
  const next: number[] = []
  for (let round = 0; round < 3; round += 1) {
    const sessions = await logInOften([a, b], 10)
    for (const { access_token } of sessions) t.equal((await guarded(c, access_token)).status, 200)
    await c.freeze()
    const [slow, ...fast] = await endAll(t, sessions, [b])
    t.ok(slow! > LEASE_MILLISECONDS / 2 && slow! < BARRIER_MILLISECONDS, `the first took ${slow} ms`)
    t.ok(fast.filter(isBriefly).length > fast.length / 2, 'the others are quick', { found: fast })
    // In its sockets when it wakes.
    const waiting = sessions.map(({ access_token }) => guarded(c, access_token))
    await new Promise((resolve) => setTimeout(resolve, 100))
    c.thaw()
    for (const { status } of await Promise.all(waiting)) t.not(status, 200, 'on waking it admits none')
    await untilReady([c])
    for (const { access_token } of sessions)
      isRefused(t, await guarded(c, access_token), 401, 'session_ended')
    first.push(slow!)
    next.push(...fast)
  }
  tell(t, 'first logout', first)
  tell(t, 'next ones', next)
})

t.test('C stops for less than its lease: the logout waits, and C admits nothing revoked', async (t) => {
  for (let round = 0; round < 4; round += 1) {
    const { access_token } = await logIn(a.url)
    t.equal((await guarded(c, access_token)).status, 200)
    await c.freeze()
    let isDone = false
    const ending = logout(a, access_token).finally(() => (isDone = true))
    // Some arrive before it has read the log; from the moment of the 204 on, none is admitted.
    const asking = Array.from({ length: 20 }, async (_, i) => {
      await new Promise((resolve) => setTimeout(resolve, i * 10))
      const wasDone = isDone
      return { wasDone, status: (await guarded(c, access_token)).status }
    })
    setTimeout(() => c.thaw(), 150 + round * 50)
    const { status, milliseconds } = await ending
    t.equal(status, 204)
    t.ok(milliseconds < LAPSE_MILLISECONDS, `after ${milliseconds.toFixed(0)} ms`)
    for (let i = 0; i < 20; i += 1) t.equal((await guarded(c, access_token)).status, 401)
    for (const one of await Promise.all(asking)) t.notOk(one.wasDone && one.status === 200)
  }
})

t.test('all connections to Redis are cut repeatedly', async (t) => {
  const [bystander, ...sessions] = await logInOften(instances, 41)
  const killer = connect(t, redis.url)
  const times: number[] = []
  let [killed, refusals] = [0, 0]
  const traffic = startTraffic([b, c], { revoked: [], good: [bystander!.access_token] })
  for (const [i, { access_token }] of sessions.entries()) {
    if (i % 4 === 0) killed += Number(await killer.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'))
    const ended = await logoutAtLast(a, access_token)
    refusals += ended.refusals
    times.push(ended.milliseconds)
    for (const other of [b, c]) t.not((await guarded(other, access_token)).status, 200)
  }
  const { good, gapMilliseconds } = await traffic.stop()
  t.ok(killed >= 30, `${killed} connections were cut`)
  t.comment(`${refusals} logouts were repeated; good tokens: ${JSON.stringify(good)}`)
  t.comment(`longest time without an admission: ${gapMilliseconds.toFixed(0)} ms`)
  tell(t, 'logout', times)
  await untilReady(instances)
  for (const { access_token } of sessions)
    for (const other of [b, c]) isRefused(t, await guarded(other, access_token), 401, 'session_ended')
})

t.test('C is cut off: it responds 503 after its lease, never a wrong decision', async (t) => {
  const sessions = await logInOften([a, b], 8)
  const [alive] = await logInOften([a, b], 1)
  for (const { access_token } of sessions) t.equal((await guarded(c, access_token)).status, 200)
  const epoch = performance.now()
  proxy.partition()
  const times: number[] = []
  for (const { access_token } of sessions) {
    const { status, milliseconds } = await logout(a, access_token)
    t.equal(status, 204)
    times.push(milliseconds)
    const [there, cut] = await Promise.all([b, c].map((other) => guarded(other, access_token)))
    t.equal(there!.status, 401)
    isRefused(t, cut!, 503, 'store_unavailable')
  }
  t.ok(times[0]! < BARRIER_MILLISECONDS)
  tell(t, 'logout', times)
  t.ok(performance.now() - epoch > LEASE_MILLISECONDS, 'it was cut off for longer than its lease')
  isRefused(t, await guarded(c, alive!.access_token), 503, 'store_unavailable')
  const ending = await logout(c, alive!.access_token)
  isRefused(t, ending, 503, 'store_unavailable')
  t.ok(ending.milliseconds < BARRIER_MILLISECONDS)
  t.match(await readiness(c), { status: 503, body: { revocation: { state: 'LAPSED' } } })
  t.equal((await guarded(b, alive!.access_token)).status, 200, 'the others go on')

  const traffic = startTraffic([c], {
    revoked: sessions.map(({ access_token }) => access_token),
    good: [alive!.access_token],
  })
  proxy.heal()
  t.comment(`ready ${(await untilReady([c])).toFixed(0)} ms after`)
  await soon('it admits again', async () => (await guarded(c, alive!.access_token)).status === 200, 1_000)
  t.notOk((await traffic.stop()).revoked['admitted'], 'but nothing that was revoked meanwhile')
})
