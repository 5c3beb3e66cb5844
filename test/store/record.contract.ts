import type { Test } from 'tap'
import { newRefreshToken } from '../../src/token/refresh-token.js'
import {
  begin,
  create,
  end,
  newSession,
  sidsOf,
  someone,
  use,
  HOUR,
  IDLE,
  SECOND,
  living,
} from '../support/session-store.js'
import type { OpenStore } from '../support/session-store.js'

const AWKWARD = 'Zoë {portcullis}:{} "quoted"\r\nSET x 1\t\u{1f980}\u0000\\ 名前'

/** What is kept of a session, and the lists of them. */
export function recordContract(t: Test, open: OpenStore): void {
  t.test('a session is returned as it was stored', async (t) => {
    const harness = await open(t)
    const { session } = await begin(harness, {
      sub: 'alice',
      clientId: 'app',
      scope: 'read write',
      claims: { role: 'admin', nested: { list: [1, null, 'x'], on: true }, name: AWKWARD },
      device: 'telephone',
      ip: '2001:db8::1',
      userAgent: 'Mozilla/5.0 (X11)',
    })
    t.strictSame(await living(harness.store, 'alice', harness.clock.now()), [session])
  })

  t.test('fields that the login left out stay absent', async (t) => {
    const harness = await open(t)
    const { session } = await begin(harness)
    t.strictSame(await living(harness.store, session.sub, harness.clock.now()), [session])
  })

  t.test('special characters in names change only the names', async (t) => {
    const harness = await open(t)
    const about = { sub: AWKWARD, device: AWKWARD, userAgent: AWKWARD, scope: '', claims: { '{}': AWKWARD } }
    const { session, token } = await begin(harness, about)
    const { outcome, next } = await use(harness, token)
    t.match(outcome, { kind: 'rotated', session: about })
    const [listed, ...more] = await living(harness.store, AWKWARD, harness.clock.now())
    t.match(listed, about)
    t.same(more, [])
    t.strictSame(await end(harness, session.sid, { sub: AWKWARD }), { kind: 'ended', sub: AWKWARD })
    t.match((await use(harness, next)).outcome, { kind: 'ended', sub: AWKWARD })
  })

  t.test(
    'claims are stored as they were at the login, even if the host changes its object later',
    async (t) => {
      const harness = await open(t)
      const claims = { role: 'reader', groups: ['a'] }
      const { session, token } = await begin(harness, { claims })
      claims.role = 'admin'
      claims.groups.push('b')
      await use(harness, token)
      const [listed] = await living(harness.store, session.sub, harness.clock.now())
      t.strictSame(listed?.claims, { role: 'reader', groups: ['a'] })
    },
  )

  t.test('sessions are listed oldest first, and only those of the subject', async (t) => {
    const harness = await open(t)
    const sub = someone()
    const sids = []
    for (let i = 0; i < 3; i += 1) {
      sids.push((await begin(harness, { sub })).session.sid)
      await harness.advance(SECOND)
    }
    await begin(harness, { sub: `${sub}:` })
    t.same(await sidsOf(harness, sub), sids)
    t.same(await sidsOf(harness, 'nobody'), [])
  })

  t.test('sessions of one millisecond are listed in a stable order', async (t) => {
    const harness = await open(t)
    const sub = someone()
    const begun = await Promise.all(Array.from({ length: 6 }, () => begin(harness, { sub })))
    const expected = begun.map(({ session }) => session.sid).toSorted()
    t.same(await sidsOf(harness, sub), expected)
  })

  t.test('a session leaves the list in the millisecond in which it expires', async (t) => {
    const harness = await open(t)
    const { session } = await begin(harness)
    const { sub, sid } = session
    t.same(
      (await living(harness.store, sub, session.expiresAt - 1)).map((one) => one.sid),
      [sid],
    )
    t.same(await living(harness.store, sub, session.expiresAt), [])
  })

  t.test('a refreshed session stays in the list as long as it lives', async (t) => {
    for (const absolute of [0, 3 * HOUR]) {
      const harness = await open(t)
      const { session, token } = await begin(harness, { absolute })
      let current = token
      for (let i = 0; i < 3; i += 1) {
        await harness.advance(IDLE - SECOND)
        current = (await use(harness, current)).next
      }
      t.same(await sidsOf(harness, session.sub), [session.sid], `absolute ${absolute}`)
    }
  })

  t.test('a list shows what the last refresh changed', async (t) => {
    const harness = await open(t)
    const { session, token } = await begin(harness, { claims: { a: 1 }, device: 'd' })
    await harness.advance(1_234)
    await use(harness, token)
    const now = harness.clock.now()
    t.strictSame(await living(harness.store, session.sub, now), [
      {
        ...session,
        lastSeenAt: now,
        expiresAt: now + IDLE,
        refreshCount: 1,
        rotatedIssuedAt: Math.floor(now / 1000),
      },
    ])
  })

  t.test('two sessions of one subject are separate', async (t) => {
    const harness = await open(t)
    const sub = someone()
    const one = await begin(harness, { sub })
    const two = await begin(harness, { sub })
    await end(harness, one.session.sid)
    t.same(await sidsOf(harness, sub), [two.session.sid])
    t.equal((await use(harness, two.token)).outcome.kind, 'rotated')
  })

  t.test('using an unknown session doesn’t create it', async (t) => {
    const harness = await open(t)
    const begun = newSession(harness)
    t.strictSame((await use(harness, newRefreshToken())).outcome, { kind: 'unknown' })
    t.strictSame((await use(harness, begun.token)).outcome, { kind: 'unknown' })
    t.same(await sidsOf(harness, begun.session.sub), [])
    await create(harness, begun)
    t.equal((await use(harness, begun.token)).outcome.kind, 'rotated')
  })
}
