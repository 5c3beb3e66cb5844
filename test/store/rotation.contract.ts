import type { Test } from 'tap'
import { newRefreshToken } from '../../src/token/refresh-token.js'
import { begin, rotated, sidsOf, use, GRACE, IDLE, MINUTE, SECOND, living } from '../support/session-store.js'
import type { OpenStore } from '../support/session-store.js'

/** The use of a refresh token, and what the grace is for. */
export function rotationContract(t: Test, open: OpenStore): void {
  t.test('each refresh counts, extends the idle limit and returns the next token', async (t) => {
    const harness = await open(t)
    const { session, token } = await begin(harness)
    let current = token
    let former = { jtiPrefix: session.jtiPrefix, at: session.createdAt }
    for (let count = 1; count <= 4; count += 1) {
      await harness.advance(MINUTE)
      const now = harness.clock.now()
      const jtiPrefix = `MARK-${count}--`
      const { outcome, next } = await use(harness, current, { jtiPrefix })
      t.strictSame(outcome, {
        kind: 'rotated',
        session: {
          ...session,
          lastSeenAt: now,
          expiresAt: now + IDLE,
          refreshCount: count,
          jtiPrefix,
          rotatedIssuedAt: Math.floor(now / 1000),
        },
        former,
        cutoff: undefined,
      })
      former = { jtiPrefix, at: now }
      current = next
    }
  })

  t.test('a record without the jti prefix of its login stays without it', async (t) => {
    const harness = await open(t)
    const { session, token } = await begin(harness, { loginJtiPrefix: undefined })
    const { outcome } = await use(harness, token, { jtiPrefix: 'ANOTHER-' })
    t.match(outcome, { kind: 'rotated', session: { sid: session.sid, jtiPrefix: 'ANOTHER-' } })
    t.equal('session' in outcome && outcome.session.loginJtiPrefix, undefined)
  })

  t.test('a retry within the grace returns the salt of the rotation, hence the same successor', async (t) => {
    const harness = await open(t)
    const { session, token } = await begin(harness)
    const first = await use(harness, token, { jtiPrefix: 'ANOTHER-' })
    await harness.advance(SECOND)
    const again = await use(harness, token)
    t.match(again.outcome, {
      kind: 'retried',
      salt: first.salt,
      former: { jtiPrefix: session.jtiPrefix, at: session.createdAt },
    })
    t.strictSame(again.next, first.next)
    t.not(again.salt, first.salt, 'the salt of the retry itself is dropped')
  })

  t.test('a retry changes neither the count nor the expiry', async (t) => {
    const harness = await open(t)
    const { session, token } = await begin(harness)
    await use(harness, token)
    const before = await living(harness.store, session.sub, harness.clock.now())
    await harness.advance(5 * SECOND)
    const { outcome } = await use(harness, token, { jtiPrefix: 'ANOTHER-' })
    t.match(outcome, { kind: 'retried', session: { refreshCount: 1, expiresAt: before[0]!.expiresAt } })
    t.strictSame(await living(harness.store, session.sub, harness.clock.now()), before)
  })

  t.test('the grace is exact to the millisecond', async (t) => {
    for (const [wait, kind] of [
      [0, 'retried'],
      [GRACE - 1, 'retried'],
      [GRACE, 'reused'],
      [GRACE + 1, 'reused'],
    ] as const) {
      const harness = await open(t)
      const { token } = await begin(harness)
      await rotated(t, harness, token)
      await harness.advance(wait)
      t.equal((await use(harness, token)).outcome.kind, kind, `after ${wait} ms`)
    }
  })

  t.test('retries don’t extend the grace', async (t) => {
    const harness = await open(t)
    const { token } = await begin(harness)
    await rotated(t, harness, token)
    for (let waited = 0; waited < GRACE - 2 * SECOND; waited += 2 * SECOND) {
      await harness.advance(2 * SECOND)
      t.equal((await use(harness, token)).outcome.kind, 'retried', `after ${waited + 2 * SECOND} ms`)
    }
    await harness.advance(2 * SECOND)
    t.equal((await use(harness, token)).outcome.kind, 'reused')
  })

  t.test('without a grace, a second use is reuse at once', async (t) => {
    const harness = await open(t)
    const { token } = await begin(harness)
    await rotated(t, harness, token, { reuseGrace: 0 })
    t.equal((await use(harness, token, { reuseGrace: 0 })).outcome.kind, 'reused')
  })

  t.test('24 concurrent uses of one token are one rotation and 23 retries with its salt', async (t) => {
    const harness = await open(t)
    const { session, token } = await begin(harness)
    const uses = await Promise.all(Array.from({ length: 24 }, () => use(harness, token)))
    const winners = uses.filter(({ outcome }) => outcome.kind === 'rotated')
    const retries = uses.map(({ outcome }) => outcome).filter((outcome) => outcome.kind === 'retried')
    t.equal(winners.length, 1)
    t.equal(retries.length, 23)
    t.strictSame([...new Set(retries.map(({ salt }) => salt))], [winners[0]!.salt])
    t.equal(new Set(uses.map(({ next }) => next.secret)).size, 1)
    const [listed] = await living(harness.store, session.sub, harness.clock.now())
    t.equal(listed?.refreshCount, 1)
    t.equal((await use(harness, uses[7]!.next)).outcome.kind, 'rotated')
  })

  t.test('an invented token with a known sid is forged and changes nothing', async (t) => {
    const harness = await open(t)
    const { session, token } = await begin(harness)
    const before = await living(harness.store, session.sub, harness.clock.now())
    const invented = newRefreshToken()
    for (const forged of [
      { ...invented, sid: token.sid },
      { ...token, family: invented.family },
      { ...token, family: token.secret },
    ]) {
      t.strictSame((await use(harness, forged)).outcome, { kind: 'forged' })
    }
    t.strictSame(await living(harness.store, session.sub, harness.clock.now()), before)
    const next = await rotated(t, harness, token)
    t.strictSame((await use(harness, { ...invented, sid: token.sid })).outcome, { kind: 'forged' })
    t.equal((await use(harness, token)).outcome.kind, 'retried', 'the grace stands')
    await rotated(t, harness, next)
    t.same(await sidsOf(harness, session.sub), [session.sid])
  })
}
