import type { Test } from 'tap'
import { begin, rotated, use, GRACE, HOUR, IDLE, SECOND, living } from '../support/session-store.js'
import type { OpenStore } from '../support/session-store.js'

/** The ends of a session that nobody brings about. */
export function limitsContract(t: Test, open: OpenStore): void {
  t.test('the idle limit is exact to the millisecond', async (t) => {
    for (const [wait, kind] of [
      [IDLE - 1, 'rotated'],
      [IDLE, 'expired'],
      [IDLE + SECOND, 'expired'],
    ] as const) {
      const harness = await open(t)
      const { token } = await begin(harness)
      await harness.advance(wait)
      t.equal((await use(harness, token)).outcome.kind, kind, `after ${wait} ms`)
    }
  })

  t.test('a refresh restarts the idle limit with the current setting', async (t) => {
    const harness = await open(t)
    const { token } = await begin(harness)
    await harness.advance(IDLE - 1)
    const next = await rotated(t, harness, token, { idle: 2 * IDLE })
    await harness.advance(2 * IDLE - 1)
    const third = await rotated(t, harness, next)
    await harness.advance(IDLE)
    t.strictSame((await use(harness, third)).outcome, { kind: 'expired' })
  })

  t.test('the absolute limit is exact to the millisecond, and refreshes don’t move it', async (t) => {
    for (const last of [-1, 0]) {
      const harness = await open(t)
      const absolute = 2 * HOUR
      const { session, token } = await begin(harness, { absolute })
      await harness.advance(IDLE - 1)
      const next = await rotated(t, harness, token)
      await harness.advance(IDLE - 1)
      const { outcome, next: third } = await use(harness, next)
      t.match(outcome, { kind: 'rotated', session: { expiresAt: session.endsAt, endsAt: session.endsAt } })
      await harness.advance(session.endsAt - harness.clock.now() + last)
      t.equal((await use(harness, third)).outcome.kind, last < 0 ? 'rotated' : 'expired')
    }
  })

  t.test('without an idle limit, a session lives to its absolute end', async (t) => {
    const harness = await open(t)
    const { session, token } = await begin(harness, { idle: 0, absolute: 5 * HOUR })
    t.equal(session.expiresAt, session.endsAt)
    await harness.advance(5 * HOUR - 2)
    const { outcome, next } = await use(harness, token, { idle: 0 })
    t.match(outcome, { kind: 'rotated', session: { expiresAt: session.endsAt } })
    await harness.advance(2)
    t.equal((await use(harness, next, { idle: 0 })).outcome.kind, 'expired')
  })

  t.test('without an absolute limit, refreshes keep a session alive indefinitely', async (t) => {
    const harness = await open(t)
    const { token } = await begin(harness, { absolute: 0 })
    let current = token
    for (let i = 0; i < 30; i += 1) {
      await harness.advance(IDLE - 1)
      current = await rotated(t, harness, current)
    }
    await harness.advance(IDLE)
    t.equal((await use(harness, current)).outcome.kind, 'expired')
  })

  t.test('a retry after the session’s end fails, even within the grace', async (t) => {
    const harness = await open(t)
    const { token } = await begin(harness, { absolute: SECOND })
    await harness.advance(SECOND - 1)
    await rotated(t, harness, token)
    await harness.advance(1)
    t.equal((await use(harness, token)).outcome.kind, 'expired')
  })

  t.test('for 3 s an expired session is reported as expired, afterwards as unknown', async (t) => {
    const harness = await open(t)
    const { token } = await begin(harness)
    await harness.advance(IDLE + 2 * SECOND)
    t.equal((await use(harness, token)).outcome.kind, 'expired')
    await harness.advance(SECOND)
    t.equal((await use(harness, token)).outcome.kind, 'unknown')
  })

  t.test('the refresh limit counts rotations, not retries', async (t) => {
    const harness = await open(t)
    const { token } = await begin(harness)
    const rules = { refreshLimit: 2 }
    const second = await rotated(t, harness, token, rules)
    for (let i = 0; i < 5; i += 1) t.equal((await use(harness, token, rules)).outcome.kind, 'retried')
    const third = await rotated(t, harness, second, rules)
    t.equal((await use(harness, second, rules)).outcome.kind, 'retried', 'the last answer can be had again')
    t.strictSame((await use(harness, third, rules)).outcome, { kind: 'limit_reached' })
  })

  t.test('a session at its refresh limit stays active and still detects reuse', async (t) => {
    const harness = await open(t)
    const { session, token } = await begin(harness)
    const last = await rotated(t, harness, token, { refreshLimit: 1 })
    t.equal((await use(harness, last, { refreshLimit: 1 })).outcome.kind, 'limit_reached')
    t.equal((await living(harness.store, session.sub, harness.clock.now())).length, 1)
    await rotated(t, harness, last, { refreshLimit: 2 })
    await harness.advance(GRACE)
    t.equal((await use(harness, last, { refreshLimit: 1 })).outcome.kind, 'reused')
  })
}
