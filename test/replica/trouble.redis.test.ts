/**
 * Redis can't be asked, or takes no writes: what needs a lease is 503 in time, nothing else is, and all recover by
 * themselves.
 */
import t from 'tap'
import type { Test } from 'tap'
import type { Answer, Tokens } from '../support/gateway-process.js'
import { USERS, call, home, isRefused, logIn } from '../support/gateway-process.js'
import { connect, freePort, startRedis } from '../support/redis.js'
import { STATE } from '../support/lost-data.js'
import type { Instance } from '../support/gateway-instances.js'
import {
  ANSWER_MILLISECONDS,
  BARRIER_MILLISECONDS,
  LEASE_MILLISECONDS,
  guarded,
  logInOften,
  logout,
  logoutAtLast,
  readiness,
  refresh,
  startInstance,
  startInstances,
  untilReady,
} from '../support/gateway-instances.js'
import { TROUBLES } from '../support/redis-troubles.js'

t.jobs = 3
t.setTimeout(240_000)

/** Past the last lease that may still run, nothing is admitted, ended or begun. */
async function isOut(t: Test, instances: readonly Instance[], alive: readonly Tokens[], ended: Tokens) {
  const slowest: Record<string, number> = {}
  const refused = async (what: string, work: Promise<Answer>) => {
    const answer = await work
    slowest[what] = Math.max(slowest[what] ?? 0, Math.round(answer.milliseconds))
    isRefused(t, answer, 503, 'store_unavailable', what)
  }
  const [first, second] = alive as [Tokens, Tokens]
  for (const instance of instances) {
    const crowd = Array.from({ length: 10 }, () => [
      refused('guarded', guarded(instance, first.access_token)),
      refused('revoked', guarded(instance, ended.access_token)),
    ])
    const json = { username: 'ada', password: USERS.ada }
    const others = [
      refused('logout', logout(instance, first.access_token)),
      refused('logout again', logout(instance, ended.access_token)),
      refused('refresh', refresh(instance, second.refresh_token)),
      refused('login', call(instance.url, 'POST', '/auth/login', { json })),
    ]
    const healthy = call(instance.url, 'GET', '/healthz')
    await Promise.all([...crowd.flat(), ...others])
    t.equal((await healthy).status, 200)
  }
  for (const [what, milliseconds] of Object.entries(slowest))
    t.ok(
      milliseconds < (what.startsWith('logout') ? BARRIER_MILLISECONDS : ANSWER_MILLISECONDS),
      `${what} in time`,
    )
  t.comment(`slowest, ms: ${JSON.stringify(slowest)}`)
}

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

for (const { name, begin, end, isReachable = false } of TROUBLES) {
  t.test(name, async (t) => {
    const redis = await startRedis(t)
    const instances = await startInstances(t, [redis.url, redis.url])
    const [a, b] = instances as [Instance, Instance]
    const [ended, ...alive] = await logInOften(instances, 4)
    t.equal((await logout(a, ended!.access_token)).status, 204)

    await begin(t, redis)
    const begunAt = performance.now()
    // Under way while the leases run out.
    const underWay = logout(b, alive[2]!.access_token)
    while (performance.now() < begunAt + LEASE_MILLISECONDS) {
      t.not((await guarded(b, ended!.access_token)).status, 200, 'what was revoked is not admitted meanwhile')
      await sleep(50)
    }
    isRefused(t, await underWay, 503, 'store_unavailable')
    t.ok((await underWay).milliseconds < BARRIER_MILLISECONDS)
    await isOut(t, instances, alive, ended!)
    for (const each of instances) {
      const { status, body, headers } = await readiness(each)
      t.equal(status, 503)
      t.match(headers['retry-after'], /^\d+$/)
      t.match(body, { store: isReachable ? 'reachable' : 'unreachable', revocation: { state: 'LAPSED' } })
    }

    await end(redis)
    t.comment(`ready ${(await untilReady(instances)).toFixed(0)} ms after`)
    for (const each of instances) {
      t.equal((await guarded(each, ended!.access_token)).status, 401, 'the denylist entry holds')
    }
    for (const { access_token } of alive) {
      await logoutAtLast(a, access_token)
      t.equal((await guarded(b, access_token)).status, 401)
    }
    const { access_token } = await logIn(b.url)
    t.equal((await guarded(a, access_token)).status, 200)
  })
}

t.test('Redis is absent at the start: the gateway starts unready, and becomes ready', async (t) => {
  const [port, directory] = [await freePort(), await home(t)]
  const store = `redis://127.0.0.1:${port}`
  await t.rejects(connect(t, store).ping(), 'the fault took place')
  const elsewhere = await startInstances(t, [(await startRedis(t)).url], {}, directory)
  const alive = await logInOften(elsewhere, 3)
  const instances = [
    await startInstance(t, directory, { store }),
    await startInstance(t, directory, { store }),
  ] as const
  await isOut(t, instances, alive.slice(1), alive[0]!)
  for (const each of instances) {
    t.match(await readiness(each), { status: 503, body: { revocation: { state: 'OUT' } } })
  }
  const redis = await startRedis(t, { port })
  t.comment(`ready ${(await untilReady(instances)).toFixed(0)} ms after`)
  t.ok(await connect(t, redis.url).exists(STATE))
  const { access_token } = await logIn(instances[0].url)
  t.equal((await guarded(instances[1], access_token)).status, 200)
  t.equal((await logout(instances[1], access_token)).status, 204)
  isRefused(t, await guarded(instances[0], access_token), 401, 'session_ended')
})
