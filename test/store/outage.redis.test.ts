/** A Redis that is dead or frozen: no answer is better than a wrong one, but it has to come soon. */
import t from 'tap'
import { connect, startRedis } from '../support/redis.js'
import { ping } from '../support/redis-ping.js'
import { begin, create, end, newSession, rotated, use, living } from '../support/session-store.js'
import { openConnection, redisHarness } from '../support/redis-session-store.js'

for (const fault of ['frozen', 'killed'] as const) {
  t.test(`with Redis ${fault}, every method rejects with store_unavailable in less than 1 s`, async (t) => {
    const own = await startRedis(t)
    const harness = redisHarness(await openConnection(t, own.url), [connect(t, own.url)])
    const { session, token } = await begin(harness)
    const next = await rotated(t, harness, token)
    if (fault === 'frozen') await own.freeze()
    else await own.kill()
    t.equal(await ping(own.port), fault === 'frozen' ? 'silent' : 'refused')
    const works: Record<string, () => Promise<unknown>> = {
      create: () => create(harness, newSession(harness)),
      rotate: () => use(harness, next),
      end: () => end(harness, session.sid),
      list: () => living(harness.store, session.sub, harness.clock.now()),
    }
    for (const [name, work] of Object.entries(works)) {
      const begunAt = performance.now()
      await t.rejects(
        work().then(() => undefined),
        { name: 'PortcullisError', code: 'store_unavailable', statusCode: 503 },
        name,
      )
      const took = performance.now() - begunAt
      t.ok(took < 1_000, `${name} took ${Math.round(took)} ms`)
    }
  })
}
