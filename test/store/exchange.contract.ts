import type { Test } from 'tap'
import { hashSecret } from '../../src/token/refresh-token.js'
import type { RefreshToken } from '../../src/token/refresh-token.js'
import type { Session, Sid } from '../../src/session/session.js'
import {
  begin,
  create,
  end,
  living,
  newSession,
  rotated,
  use,
  IDLE,
  MINUTE,
  SECOND,
} from '../support/session-store.js'
import type { Begun, OpenStore, StoreHarness } from '../support/session-store.js'

const hashesOf = ({ family, secret }: RefreshToken) => ({
  familyHash: hashSecret(family),
  secretHash: hashSecret(secret),
})

async function beginWith(harness: StoreHarness, own: Partial<Session>): Promise<Begun> {
  const { session, token } = newSession(harness)
  const begun = { session: { ...session, ...own }, token }
  await create(harness, begun)
  return begun
}

/** What an exchange reads and writes besides the token itself. */
export function exchangeContract(t: Test, open: OpenStore): void {
  t.test('lives and properties of a session’s own are stored', async (t) => {
    const harness = await open(t)
    const own = {
      accessLife: 60_000,
      idle: 5 * MINUTE,
      startedBy: 'another-session' as Sid,
      loggedInAt: 1_700_000_000_000,
      credential: 'fingerprint',
      endsWithBrowser: true,
    }
    const { session, token } = await beginWith(harness, own)
    t.strictSame(await harness.store.read(session.sid), session)
    const { outcome } = await use(harness, token)
    t.match(outcome, { kind: 'rotated', session: own })
    const expected = harness.clock.now() + 5 * MINUTE
    t.equal('session' in outcome && outcome.session.expiresAt, expected, 'its own idle time counts')
  })

  t.test('a rotation replaces scope and claims if it is told to, and a retry returns them', async (t) => {
    const harness = await open(t)
    const { token, session } = await begin(harness, { scope: 'read write', claims: { a: 1 } })
    const identity = { scope: undefined, claims: { b: [2] } }
    const first = await use(harness, token, { identity })
    t.strictSame('session' in first.outcome && first.outcome.session.scope, undefined)
    t.strictSame('session' in first.outcome && first.outcome.session.claims, { b: [2] })
    await harness.advance(SECOND)
    const again = await use(harness, token, { identity: { scope: 'admin', claims: {} } })
    t.equal(again.outcome.kind, 'retried')
    t.strictSame('session' in again.outcome && again.outcome.session.claims, { b: [2] })
    await rotated(t, harness, first.next, { identity: { scope: 'read', claims: {} } })
    const [listed] = await living(harness.store, session.sub, harness.clock.now())
    t.match(listed, { scope: 'read', claims: {} })
  })

  t.test('the iat of a rotation is stored until the next one', async (t) => {
    const harness = await open(t)
    const { token, session } = await begin(harness)
    t.equal((await harness.store.read(session.sid))?.rotatedIssuedAt, undefined)
    const { outcome } = await use(harness, token, { issuedAt: 1_234 })
    t.match(outcome, { session: { rotatedIssuedAt: 1_234 } })
    t.match((await use(harness, token, { issuedAt: 9_999 })).outcome, {
      kind: 'retried',
      session: { rotatedIssuedAt: 1_234 },
    })
  })

  t.test('only the current token of a living session finds it, which changes nothing', async (t) => {
    const harness = await open(t)
    const { session, token } = await begin(harness)
    const find = (one: RefreshToken) => harness.store.readCurrent(one.sid, hashesOf(one))
    t.strictSame(await find(token), session)
    t.equal(await find({ ...token, family: 'another' }), undefined)
    const next = await rotated(t, harness, token)
    t.equal(await find(token), undefined, 'the previous one')
    t.match(await find(next), { sid: session.sid, refreshCount: 1 })
    await end(harness, session.sid)
    t.equal(await find(next), undefined)
    t.equal(await harness.store.read(session.sid), undefined)
    t.equal(await harness.store.read('unknown-session' as Sid), undefined)
  })

  t.test('a session whose own idle time has passed has expired', async (t) => {
    const harness = await open(t)
    const { token } = await beginWith(harness, { idle: IDLE / 2 })
    const next = await rotated(t, harness, token)
    await harness.advance(IDLE / 2)
    t.equal((await use(harness, next)).outcome.kind, 'expired')
  })
}
