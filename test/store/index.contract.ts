import type { Test } from 'tap'
import type { IndexPlace } from '../../src/store/session-store.js'
import { begin, create, end, living, newSession, someone, use } from '../support/session-store.js'
import { HOUR, IDLE, MINUTE, SECOND, TOMBSTONE } from '../support/session-store.js'
import type { OpenStore } from '../support/session-store.js'

/** How long an id stays in the index after the latest end of its session. */
const SLACK = 65 * SECOND

/** The index of a subject: whoever ends all sessions must find each one that may have a live token. */
export function indexContract(t: Test, open: OpenStore): void {
  t.test('an ended session stays in the index until it is removed, however often it is listed', async (t) => {
    const harness = await open(t)
    const { store, clock } = harness
    const sub = someone()
    const [one, two] = [await begin(harness, { sub }), await begin(harness, { sub })]
    await end(harness, one.session.sid)
    t.match(await living(store, sub, clock.now()), [{ sid: two.session.sid }])
    await begin(harness, { sub: someone() })
    t.equal(await store.count(sub), 2)
    t.same((await store.sids(sub)).toSorted(), [one.session.sid, two.session.sid].toSorted())
    const states = (await store.indexed(sub, clock.now(), 10)).map(({ sid, state }) => [sid, state])
    t.match(Object.fromEntries(states), { [one.session.sid]: 'ended', [two.session.sid]: 'stored' })
    await store.unindex(sub, [one.session.sid])
    t.same(await store.sids(sub), [two.session.sid])
    await store.unindex(sub, [one.session.sid, two.session.sid])
    await store.unindex(sub, [])
    t.equal(await store.count(sub), 0)
  })

  t.test('a session ended by reuse stays in the index, too', async (t) => {
    const harness = await open(t)
    const { session, token } = await begin(harness)
    const next = await use(harness, token)
    await use(harness, next.next)
    t.equal((await use(harness, token)).outcome.kind, 'reused')
    t.same(await harness.store.sids(session.sub), [session.sid])
  })

  t.test('a session missing from the index is added again in the next epoch', async (t) => {
    const harness = await open(t)
    const { session, token } = await begin(harness)
    const { sub, sid } = session
    await harness.store.unindex(sub, [sid])
    const { outcome } = await use(harness, token, { jtiPrefix: 'NEWEPOCH' })
    t.equal(outcome.kind, 'rotated')
    t.same(await harness.store.sids(sub), [sid])
  })

  t.test('an id without a record is ended for good, so its login can’t store it later', async (t) => {
    const harness = await open(t)
    const begun = newSession(harness)
    const { sub, sid } = begun.session
    t.strictSame(await end(harness, sid, { indexedFor: sub }), { kind: 'unknown' })
    t.match(await end(harness, sid, { indexedFor: sub }), { kind: 'already_ended', sub })
    await t.rejects(create(harness, begun), { code: 'store_unavailable' })
    t.match((await use(harness, begun.token)).outcome, { kind: 'ended', sub, reason: 'logout' })
    t.strictSame(await end(harness, sid, { sub: `${sub}x` }), { kind: 'foreign' })
    await harness.advance(TOMBSTONE)
    t.strictSame((await use(harness, begun.token)).outcome, { kind: 'unknown' })
  })

  t.test('an id stays in the index as long as a token of it may be admitted, by any clock', async (t) => {
    const harness = await open(t)
    const { session } = await begin(harness, { absolute: 10 * MINUTE })
    const { sub, sid } = session
    await harness.advance(10 * MINUTE + SLACK - 10 * SECOND)
    await harness.store.indexed(sub, harness.clock.now(), 10)
    t.same(await harness.store.sids(sub), [sid])
    await harness.advance(10 * SECOND + 1)
    await harness.store.indexed(sub, harness.clock.now(), 10)
    t.same(await harness.store.sids(sub), [])
  })

  t.test('a shorter idle limit doesn’t shorten the index entry of a session with older tokens', async (t) => {
    const harness = await open(t)
    const { session, token } = await begin(harness, { absolute: 0, idle: HOUR })
    await use(harness, token, { idle: MINUTE })
    await harness.advance(HOUR)
    await harness.store.indexed(session.sub, harness.clock.now(), 10)
    t.same(await harness.store.sids(session.sub), [session.sid])
  })

  t.test('pages contain each id once, also within one millisecond and after removals', async (t) => {
    const harness = await open(t)
    const { store, clock } = harness
    const sub = someone()
    for (let i = 0; i < 3; i += 1) {
      for (let j = 0; j < 5; j += 1) await begin(harness, { sub, idle: 2 * IDLE })
      await harness.advance(1)
    }
    const all = await store.sids(sub)
    const found: string[] = []
    let after: IndexPlace | undefined
    for (;;) {
      const page = await store.indexed(sub, clock.now(), 2, after)
      found.push(...page.map(({ sid }) => sid))
      after = page.at(-1)
      if (!after) break
      await store.unindex(sub, [after.sid])
    }
    t.equal(found.length, 15)
    t.same(found.toSorted(), all.toSorted())
  })
}
