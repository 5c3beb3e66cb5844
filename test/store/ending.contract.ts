import type { Test } from 'tap'
import type { Sid } from '../../src/session/session.js'
import { hashSecret, newRefreshToken } from '../../src/token/refresh-token.js'
import { begin, end, rotated, sidsOf, use, SECOND, TOMBSTONE, living } from '../support/session-store.js'
import type { OpenStore } from '../support/session-store.js'

/** Ends that somebody brings about, and the mark that they leave. */
export function endingContract(t: Test, open: OpenStore): void {
  t.test('an ended session refreshes no more, with no token it ever had', async (t) => {
    const harness = await open(t)
    const { session, token } = await begin(harness)
    const { sub, sid } = session
    const next = await rotated(t, harness, token)
    t.strictSame(await end(harness, sid), { kind: 'ended', sub })
    for (const dead of [token, next]) {
      t.strictSame((await use(harness, dead)).outcome, { kind: 'ended', sub, reason: 'logout' })
    }
    t.same(await sidsOf(harness, sub), [])
  })

  t.test('a second end finds it ended, and the first reason stays', async (t) => {
    const harness = await open(t)
    const { session, token } = await begin(harness)
    const { sub, sid } = session
    t.equal((await end(harness, sid, { reason: 'evicted' })).kind, 'ended')
    t.strictSame(await end(harness, sid, { reason: 'logout' }), { kind: 'already_ended', sub })
    t.match((await use(harness, token)).outcome, { kind: 'ended', reason: 'evicted' })
  })

  t.test('a session that reuse ended counts as ended', async (t) => {
    const harness = await open(t)
    const { session, token } = await begin(harness)
    await rotated(t, harness, await rotated(t, harness, token))
    await use(harness, token)
    t.strictSame(await end(harness, session.sid), { kind: 'already_ended', sub: session.sub })
    t.match((await use(harness, token)).outcome, { kind: 'ended', reason: 'reuse' })
  })

  t.test('another’s family or subject is foreign and changes nothing, alive or ended', async (t) => {
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
    t.strictSame(await end(harness, sid, { familyHash }), { kind: 'already_ended', sub })
    t.match((await use(harness, next)).outcome, { kind: 'ended', reason: 'logout' })
  })

  t.test('a forged token of an ended session learns nothing of its end', async (t) => {
    const harness = await open(t)
    const { session, token } = await begin(harness)
    await end(harness, session.sid)
    const forged = { ...token, family: newRefreshToken().family }
    t.strictSame((await use(harness, forged)).outcome, { kind: 'forged' })
  })

  t.test('the end of a session that never was is unknown, and leaves no mark', async (t) => {
    const harness = await open(t)
    const { sid } = newRefreshToken()
    t.strictSame(await end(harness, sid), { kind: 'unknown' })
    t.strictSame(await end(harness, sid), { kind: 'unknown' })
    t.strictSame(await end(harness, '__proto__' as Sid), { kind: 'unknown' })
  })

  t.test('the mark of an ended session stays for its time, and no longer', async (t) => {
    const harness = await open(t)
    const { session, token } = await begin(harness)
    const { sub, sid } = session
    await end(harness, sid)
    await harness.advance(TOMBSTONE - SECOND)
    t.match((await use(harness, token)).outcome, { kind: 'ended', reason: 'logout' })
    t.strictSame(await end(harness, sid), { kind: 'already_ended', sub })
    await harness.advance(SECOND)
    t.strictSame(
      (await use(harness, token)).outcome,
      { kind: 'unknown' },
      'a repeated end did not lengthen it',
    )
    t.strictSame(await end(harness, sid), { kind: 'unknown' })
  })

  t.test('the mark outlives a session that had less time left itself', async (t) => {
    const harness = await open(t)
    const { session } = await begin(harness, { absolute: SECOND })
    await end(harness, session.sid)
    await harness.advance(TOMBSTONE - SECOND)
    t.equal((await end(harness, session.sid)).kind, 'already_ended')
  })

  t.test('of an end and refreshes at once, the end is the last that happens', async (t) => {
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

  t.test('of many ends at once one ends it and the rest find it ended', async (t) => {
    const harness = await open(t)
    const { session } = await begin(harness)
    const kinds = await Promise.all(
      Array.from({ length: 8 }, async () => (await end(harness, session.sid)).kind),
    )
    t.same(kinds.toSorted(), [...Array.from({ length: 7 }, () => 'already_ended'), 'ended'])
  })
}
