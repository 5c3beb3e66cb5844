/** What every denylist must do. Each adapter runs all of it; what the kinds deny is in kinds.contract.ts. */
import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import { toSeconds } from '../../src/clock.js'
import type { Clock, Milliseconds } from '../../src/clock.js'
import type { RevocationReason, RevocableToken, Denylist } from '../../src/revocation/denylist.js'

export const SECOND = 1_000
export const MINUTE = 60 * SECOND
/** The rules of these tests. */
export const LIFE = { horizon: 15 * MINUTE, leeway: 5 * SECOND }
/** By how much the store's own clock may have moved while a test ran. */
export const TEST_TIME = 2 * SECOND

export interface DenylistHarness {
  readonly denylist: Denylist
  /** What `denylist` stamps by. */
  readonly clock: Clock
  /** How long a denylist entry outlives what it denies. */
  readonly beyond: Milliseconds
  /** How much longer it may stand, where its end is rounded up to a second. */
  readonly rounding: Milliseconds
  /** Brings everything that is denied nearer to its end. */
  advance(milliseconds: Milliseconds): Promise<void>
  /** Moves `clock`, where it doesn't move by itself. */
  pass(milliseconds: Milliseconds): void
}

export type OpenDenylist = (t: Test) => Promise<DenylistHarness>

/** A token as `denylist` has it minted now. */
export async function minted(
  { denylist }: Pick<DenylistHarness, 'denylist'>,
  about: Partial<RevocableToken> = {},
): Promise<RevocableToken> {
  const { jtiPrefix, issuedAt } = await denylist.stamp()
  const [sid, sub] = [randomUUID(), randomUUID()]
  return { jti: jtiPrefix + randomUUID(), sid, sub, kid: 'a key', iat: issuedAt, ...about }
}

export async function check(
  { denylist }: DenylistHarness,
  token: RevocableToken,
): Promise<RevocationReason | undefined> {
  return denylist.check(token)
}

export function denylistContract(t: Test, open: OpenDenylist): void {
  t.test('a token that nobody revoked is admitted', async (t) => {
    const harness = await open(t)
    t.equal(await check(harness, await minted(harness)), undefined)
    await harness.denylist.revoke([])
    t.equal(await check(harness, await minted(harness)), undefined)
  })

  t.test('a jti entry revokes that token only, for longer than it can live', async (t) => {
    const harness = await open(t)
    const token = await minted(harness)
    const sibling = await minted(harness, { sid: token.sid, sub: token.sub })
    const expiresAt = harness.clock.now() + MINUTE
    await harness.denylist.revoke([{ kind: 'jti', id: token.jti, until: expiresAt }])
    t.equal(await check(harness, token), 'jti')
    t.equal(await check(harness, sibling), undefined)
    await harness.advance(MINUTE + harness.beyond - TEST_TIME)
    t.equal(await check(harness, token), 'jti')
    await harness.advance(TEST_TIME + harness.rounding)
    t.equal(await check(harness, token), undefined)
  })

  t.test(
    'a sid entry revokes every token of the session, later ones too, for longer than the horizon',
    async (t) => {
      const harness = await open(t)
      const token = await minted(harness)
      const { sid } = token
      await harness.denylist.revoke([{ kind: 'sid', id: sid, reason: 'logout' }])
      t.equal(await check(harness, token), 'sid')
      await harness.advance(MINUTE)
      t.equal(await check(harness, await minted(harness, { sid })), 'sid')
      t.equal(await check(harness, await minted(harness)), undefined)
      await harness.advance(LIFE.horizon + harness.beyond - MINUTE - TEST_TIME)
      t.equal(await check(harness, await minted(harness, { sid })), 'sid')
      await harness.advance(TEST_TIME + harness.rounding)
      t.equal(await check(harness, await minted(harness, { sid })), undefined)
    },
  )

  t.test('revoking the same sid again lengthens its entry', async (t) => {
    const harness = await open(t)
    const { sid } = await minted(harness)
    await harness.denylist.revoke([{ kind: 'sid', id: sid }])
    await harness.advance(10 * MINUTE)
    await harness.denylist.revoke([{ kind: 'sid', id: sid }])
    await harness.advance(LIFE.horizon + harness.beyond - TEST_TIME)
    t.equal(await check(harness, await minted(harness, { sid })), 'sid')
  })

  t.test('a second jti entry with an earlier end doesn’t shorten the first', async (t) => {
    const harness = await open(t)
    const token = await minted(harness)
    const now = harness.clock.now()
    for (const expiresAt of [now + 10 * MINUTE, now + MINUTE, now - MINUTE]) {
      await harness.denylist.revoke([{ kind: 'jti', id: token.jti, until: expiresAt }])
    }
    await harness.advance(10 * MINUTE + harness.beyond - TEST_TIME)
    t.equal(await check(harness, token), 'jti')
  })

  t.test(
    'a jti entry lives no longer than a token can, and at least as long as clocks may differ',
    async (t) => {
      const harness = await open(t)
      const [far, past, gone] = [await minted(harness), await minted(harness), await minted(harness)]
      const now = harness.clock.now()
      await harness.denylist.revoke([
        { kind: 'jti', id: far.jti, until: now + 1000 * LIFE.horizon },
        { kind: 'jti', id: past.jti, until: now - SECOND },
        { kind: 'jti', id: gone.jti, until: now - 1000 * LIFE.horizon },
      ])
      t.equal(await check(harness, gone), undefined, 'no clock still takes it for alive')
      await harness.advance(harness.beyond - SECOND - TEST_TIME)
      t.equal(await check(harness, past), 'jti')
      await harness.advance(TEST_TIME + harness.rounding)
      t.equal(await check(harness, past), undefined)
      await harness.advance(LIFE.horizon - TEST_TIME - harness.rounding)
      t.equal(await check(harness, far), 'jti')
      await harness.advance(TEST_TIME + SECOND + harness.rounding)
      t.equal(await check(harness, far), undefined)
    },
  )

  t.test('a jti entry with a fractional or missing end still revokes the token', async (t) => {
    const harness = await open(t)
    for (const expiresAt of [harness.clock.now() + 1234.567, Number.NaN, Number.POSITIVE_INFINITY]) {
      const token = await minted(harness)
      await harness.denylist.revoke([{ kind: 'jti', id: token.jti, until: expiresAt }])
      t.equal(await check(harness, token), 'jti', String(expiresAt))
    }
  })

  t.test('many entries in one call all take effect', async (t) => {
    const harness = await open(t)
    const tokens = await Promise.all(Array.from({ length: 500 }, () => minted(harness)))
    const expiresAt = harness.clock.now() + MINUTE
    await harness.denylist.revoke(
      tokens.map(({ sid, jti }, i) =>
        i % 2 === 0 ? { kind: 'sid', id: sid } : { kind: 'jti', id: jti, until: expiresAt },
      ),
    )
    const reasons = await Promise.all(tokens.map((token) => check(harness, token)))
    t.equal(reasons.filter((reason) => reason === 'sid').length, 250)
    t.equal(reasons.filter((reason) => reason === 'jti').length, 250)
    t.equal(await check(harness, await minted(harness)), undefined)
  })

  t.test('ids with special characters revoke exactly that id', async (t) => {
    const harness = await open(t)
    const names = ['{x}', 'a b\r\nDEL c', '__proto__', 'sid:1', '名前\u{1f980}', '*', ' ', 'x', '0 9 z']
    for (const id of names) {
      const token = await minted(harness, { sid: id })
      t.equal(await check(harness, token), undefined)
      await harness.denylist.revoke([{ kind: 'sid', id, reason: 'a\nreason {with} all' }])
      t.equal(await check(harness, token), 'sid', JSON.stringify(id))
    }
    t.equal(await check(harness, await minted(harness)), undefined)
  })

  t.test('a stamp has the current second and an 8-character prefix for the jti', async (t) => {
    const harness = await open(t)
    harness.pass(1_999)
    const before = toSeconds(harness.clock.now())
    const { issuedAt, jtiPrefix } = await harness.denylist.stamp()
    const after = toSeconds(harness.clock.now())
    t.ok(issuedAt >= before && issuedAt <= after, `${issuedAt} in ${before} to ${after}`)
    t.match(jtiPrefix, /^[\w-]{8}$/)
    t.equal((await harness.denylist.stamp()).jtiPrefix, jtiPrefix, 'the same in one process')
  })
}
