import type { Test } from 'tap'
import { newRefreshToken } from '../../src/token/refresh-token.js'
import { begin, rotated, sidsOf, someone, use, GRACE, MINUTE, SECOND } from '../support/session-store.js'
import type { OpenStore } from '../support/session-store.js'

/** Theft: a token that was used before. */
export function reuseContract(t: Test, open: OpenStore): void {
  t.test('a used token ends its session, including its current token', async (t) => {
    const harness = await open(t)
    const { session, token } = await begin(harness)
    const next = await rotated(t, harness, token)
    const current = await rotated(t, harness, next)
    await harness.advance(MINUTE)
    t.strictSame((await use(harness, token)).outcome, { kind: 'reused', sub: session.sub })
    for (const dead of [token, next, current]) {
      t.match((await use(harness, dead)).outcome, { kind: 'ended', sub: session.sub, reason: 'reuse' })
    }
    t.same(await sidsOf(harness, session.sub), [])
  })

  t.test('once the successor was used, the parent counts as reuse even within the grace', async (t) => {
    const harness = await open(t)
    const { token } = await begin(harness)
    await rotated(t, harness, await rotated(t, harness, token))
    t.equal((await use(harness, token)).outcome.kind, 'reused')
  })

  t.test('the grace covers the parent token, never the grandparent', async (t) => {
    const harness = await open(t)
    const { token } = await begin(harness)
    await harness.advance(SECOND)
    const parent = await rotated(t, harness, token)
    await harness.advance(SECOND)
    await rotated(t, harness, parent)
    t.equal((await use(harness, parent)).outcome.kind, 'retried')
    t.equal((await use(harness, token)).outcome.kind, 'reused')
    t.match((await use(harness, parent)).outcome, { kind: 'ended', reason: 'reuse' })
  })

  t.test('after the grace, a used token is reuse even if its successor was never used', async (t) => {
    const harness = await open(t)
    const { session, token } = await begin(harness)
    const unused = await rotated(t, harness, token)
    await harness.advance(GRACE)
    t.equal((await use(harness, token)).outcome.kind, 'reused')
    t.match((await use(harness, unused)).outcome, { kind: 'ended', reason: 'reuse' })
    t.same(await sidsOf(harness, session.sub), [])
  })

  t.test('an unknown secret of the right family counts as reuse', async (t) => {
    const harness = await open(t)
    const { token } = await begin(harness)
    const guess = { ...token, secret: newRefreshToken().secret }
    t.equal((await use(harness, guess)).outcome.kind, 'reused')
  })

  t.test('reuse leaves other sessions of the subject active', async (t) => {
    const harness = await open(t)
    const sub = someone()
    const stolen = await begin(harness, { sub })
    const other = await begin(harness, { sub })
    await rotated(t, harness, await rotated(t, harness, stolen.token))
    t.equal((await use(harness, stolen.token)).outcome.kind, 'reused')
    t.same(await sidsOf(harness, sub), [other.session.sid])
    await rotated(t, harness, other.token)
  })

  t.test(
    'of many late uses of one token, one detects the reuse and the others find the session ended',
    async (t) => {
      const harness = await open(t)
      const { token } = await begin(harness)
      await rotated(t, harness, token)
      await harness.advance(GRACE)
      const uses = await Promise.all(Array.from({ length: 12 }, () => use(harness, token)))
      const kinds = uses.map(({ outcome }) => outcome.kind).toSorted()
      t.same(kinds, [...Array.from({ length: 11 }, () => 'ended'), 'reused'])
    },
  )
}
