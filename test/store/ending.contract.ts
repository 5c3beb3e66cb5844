import type { Test } from 'tap'
import type { Sid } from '../../src/session/session.js'
import { hashSecret, newRefreshToken } from '../../src/token/refresh-token.js'
import {
  begin,
  create,
  end,
  newSession,
  rotated,
  sidsOf,
  use,
  SECOND,
  TOMBSTONE,
  MINUTE,
  living,
} from '../support/session-store.js'
import type { OpenStore } from '../support/session-store.js'

/** Ends that somebody brings about, and the mark that they leave. */
export function endingContract(t: Test, open: OpenStore): void {
  t.test('no refresh token of an ended session works', async (t) => {
    const harness = await open(t)
    const { session, token } = await begin(harness)
    const { sub, sid } = session
    const next = await rotated(t, harness, token)
    t.strictSame(await end(harness, sid), { kind: 'ended', sub })
    for (const dead of [token, next]) {
      t.match((await use(harness, dead)).outcome, { kind: 'ended', sub, reason: 'logout' })
    }
    t.same(await sidsOf(harness, sub), [])
  })

  t.test('a second end reports already_ended and keeps the first reason', async (t) => {
    const harness = await open(t)
    const { session, token } = await begin(harness)
    const { sub, sid } = session
    t.equal((await end(harness, sid, { reason: 'evicted' })).kind, 'ended')
    t.match(await end(harness, sid, { reason: 'logout' }), { kind: 'already_ended', sub })
    t.match((await use(harness, token)).outcome, { kind: 'ended', reason: 'evicted' })
  })

  t.test('a session without a record gets a tombstone if a token proves that it has existed', async (t) => {
    const harness = await open(t)
    const { session, token } = newSession(harness)
    const { sid } = session
    t.strictSame(await end(harness, sid), { kind: 'unknown' })
    t.strictSame(await end(harness, sid, { isProven: true }), { kind: 'unknown' })
    t.match(await end(harness, sid, { isProven: true }), { kind: 'already_ended' })
    t.match((await use(harness, token)).outcome, { kind: 'ended' })
    await t.rejects(create(harness, { session, token }), { code: 'store_unavailable' })
  })

  t.test('a second end, and a refresh, say when the first end was', async (t) => {
    const harness = await open(t)
    const { session, token } = await begin(harness)
    const endedAt = harness.clock.now()
    await end(harness, session.sid)
    const replies = [await end(harness, session.sid), (await use(harness, token)).outcome]
    for (const reply of replies) {
      const at = 'endedAt' in reply ? reply.endedAt : 0
      const difference = Math.min(Math.abs(at - endedAt), Math.abs(at - Date.now()))
      t.ok(difference < MINUTE, `${reply.kind}: ${at - endedAt} ms`)
    }
  })

  t.test('a session ended by reuse counts as ended', async (t) => {
    const harness = await open(t)
    const { session, token } = await begin(harness)
    await rotated(t, harness, await rotated(t, harness, token))
    await use(harness, token)
    t.match(await end(harness, session.sid), { kind: 'already_ended', sub: session.sub })
    t.match((await use(harness, token)).outcome, { kind: 'ended', reason: 'reuse' })
  })

  t.test('a wrong family or subject is foreign and changes nothing, also for an ended session', async (t) => {
    const harness = await open(t)
    const { session, token } = await begin(harness)
    const { sub, sid } = session
    const familyHash = hashSecret(token.family)
    const foreign = [
      { familyHash: hashSecret(newRefreshToken().family) },
      { sub: `${sub}x` },
      { familyHash, sub: 'mallory' },
      { familyHash: hashSecret(token.secret), sub },
    ]
    const before = await living(harness.store, sub, harness.clock.now())
    for (const about of foreign) t.strictSame(await end(harness, sid, about), { kind: 'foreign' })
    t.strictSame(await living(harness.store, sub, harness.clock.now()), before)
    const next = await rotated(t, harness, token)
    t.strictSame(await end(harness, sid, { familyHash, sub }), { kind: 'ended', sub })
    for (const about of foreign) t.strictSame(await end(harness, sid, about), { kind: 'foreign' })
    t.match(await end(harness, sid, { familyHash }), { kind: 'already_ended', sub })
    t.match((await use(harness, next)).outcome, { kind: 'ended', reason: 'logout' })
  })

  t.test('a forged token of an ended session doesn’t learn that it ended', async (t) => {
    const harness = await open(t)
    const { session, token } = await begin(harness)
    await end(harness, session.sid)
    const forged = { ...token, family: newRefreshToken().family }
    t.strictSame((await use(harness, forged)).outcome, { kind: 'forged' })
  })

  t.test('ending an unknown session leaves no tombstone', async (t) => {
    const harness = await open(t)
    const { sid } = newRefreshToken()
    t.strictSame(await end(harness, sid), { kind: 'unknown' })
    t.strictSame(await end(harness, sid), { kind: 'unknown' })
    t.strictSame(await end(harness, '__proto__' as Sid), { kind: 'unknown' })
  })

  t.test('a tombstone lives for its configured time', async (t) => {
    const harness = await open(t)
    const { session, token } = await begin(harness)
    const { sub, sid } = session
    await end(harness, sid)
    await harness.advance(TOMBSTONE - SECOND)
    t.match((await use(harness, token)).outcome, { kind: 'ended', reason: 'logout' })
    t.match(await end(harness, sid), { kind: 'already_ended', sub })
    await harness.advance(SECOND)
    t.strictSame(
      (await use(harness, token)).outcome,
      { kind: 'unknown' },
      'a repeated end did not lengthen it',
    )
    t.strictSame(await end(harness, sid), { kind: 'unknown' })
  })

  t.test('a tombstone can outlive the remaining life of its session', async (t) => {
    const harness = await open(t)
    const { session } = await begin(harness, { absolute: SECOND })
    await end(harness, session.sid)
    await harness.advance(TOMBSTONE - SECOND)
    t.equal((await end(harness, session.sid)).kind, 'already_ended')
  })

  t.test('an end concurrent with refreshes wins', async (t) => {
    const harness = await open(t)
    for (let round = 0; round < 10; round += 1) {
      const { session, token } = await begin(harness)
      const [first, ended, second] = await Promise.all([
        use(harness, token),
        end(harness, session.sid),
        use(harness, token),
      ])
      t.equal(ended.kind, 'ended')
      for (const { next } of [first, second]) t.match((await use(harness, next)).outcome, { kind: 'ended' })
      t.same(await sidsOf(harness, session.sub), [])
    }
  })

  t.test('of many concurrent ends, one ends the session and the others find it ended', async (t) => {
    const harness = await open(t)
    const { session } = await begin(harness)
    const kinds = await Promise.all(
      Array.from({ length: 8 }, async () => (await end(harness, session.sid)).kind),
    )
    t.same(kinds.toSorted(), [...Array.from({ length: 7 }, () => 'already_ended'), 'ended'])
  })
}
