/** What every denylist must do. Each adapter runs all of it. */
import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import { toSeconds } from '../../src/clock.js'
import type { Milliseconds } from '../../src/clock.js'
import type { Denial, Revocable, Revocation } from '../../src/revocation/port.js'
import type { MovableClock } from '../clock.js'

export const SECOND = 1_000
export const MINUTE = 60 * SECOND
/** The rules of these tests. */
export const LIFE = { horizon: 15 * MINUTE, leeway: 5 * SECOND }
/** How long a denial outlives what it denies. */
export const BEYOND = LIFE.leeway + 3 * SECOND
/** By how much the store's own clock may have moved while a test ran. */
const TEST_TIME = 2 * SECOND

export interface DenylistHarness {
  readonly denylist: Revocation
  readonly clock: MovableClock
  /** Moves the clock and the lives of what is stored. */
  advance(milliseconds: Milliseconds): Promise<void>
}

/** A token as `denylist` has it minted now. */
export function minted({ denylist }: DenylistHarness, sid: string = randomUUID()): Revocable {
  const { mark, issuedAt } = denylist.stamp()
  return { jti: mark + randomUUID(), sid, iat: issuedAt }
}

export function denylistContract(t: Test, open: (t: Test) => Promise<DenylistHarness>): void {
  async function check({ denylist }: DenylistHarness, token: Revocable): Promise<Denial | undefined> {
    return denylist.check(token)
  }

  t.test('what nobody revoked is not denied', async (t) => {
    const harness = await open(t)
    t.equal(await check(harness, minted(harness)), undefined)
    await harness.denylist.revoke([])
    t.equal(await check(harness, minted(harness)), undefined)
  })

  t.test('a jti denies that token alone, for its remaining life, the leeway and 3 s', async (t) => {
    const harness = await open(t)
    const token = minted(harness)
    const sibling = minted(harness, token.sid)
    const until = harness.clock.now() + MINUTE
    await harness.denylist.revoke([{ kind: 'jti', id: token.jti, until }])
    t.equal(await check(harness, token), 'jti')
    t.equal(await check(harness, sibling), undefined)
    await harness.advance(MINUTE + BEYOND - TEST_TIME)
    t.equal(await check(harness, token), 'jti')
    await harness.advance(TEST_TIME)
    t.equal(await check(harness, token), undefined)
  })

  t.test('a sid denies every token of the session, later ones too, for the horizon and beyond', async (t) => {
    const harness = await open(t)
    const token = minted(harness)
    await harness.denylist.revoke([{ kind: 'sid', id: token.sid, reason: 'logout' }])
    t.equal(await check(harness, token), 'sid')
    await harness.advance(MINUTE)
    t.equal(await check(harness, minted(harness, token.sid)), 'sid')
    t.equal(await check(harness, minted(harness)), undefined)
    await harness.advance(LIFE.horizon + BEYOND - MINUTE - TEST_TIME)
    t.equal(await check(harness, minted(harness, token.sid)), 'sid')
    await harness.advance(TEST_TIME)
    t.equal(await check(harness, minted(harness, token.sid)), undefined)
  })

  t.test('a jti is no sid, and a sid no jti', async (t) => {
    const harness = await open(t)
    const token = minted(harness)
    const until = harness.clock.now() + MINUTE
    await harness.denylist.revoke([
      { kind: 'jti', id: token.sid, until },
      { kind: 'sid', id: token.jti },
    ])
    t.equal(await check(harness, token), undefined)
  })

  t.test('where both deny, the session is what is told', async (t) => {
    const harness = await open(t)
    const token = minted(harness)
    const until = harness.clock.now() + MINUTE
    await harness.denylist.revoke([
      { kind: 'jti', id: token.jti, until },
      { kind: 'sid', id: token.sid },
    ])
    t.equal(await check(harness, token), 'sid')
  })

  t.test('the same sid again lengthens its denial', async (t) => {
    const harness = await open(t)
    const token = minted(harness)
    await harness.denylist.revoke([{ kind: 'sid', id: token.sid }])
    await harness.advance(10 * MINUTE)
    await harness.denylist.revoke([{ kind: 'sid', id: token.sid }])
    await harness.advance(LIFE.horizon + BEYOND - TEST_TIME)
    t.equal(await check(harness, minted(harness, token.sid)), 'sid')
  })

  t.test('nothing shortens a denial: not a second one of a nearer end', async (t) => {
    const harness = await open(t)
    const token = minted(harness)
    const now = harness.clock.now()
    await harness.denylist.revoke([{ kind: 'jti', id: token.jti, until: now + 10 * MINUTE }])
    await harness.denylist.revoke([{ kind: 'jti', id: token.jti, until: now + MINUTE }])
    await harness.denylist.revoke([{ kind: 'jti', id: token.jti, until: now - MINUTE }])
    await harness.advance(10 * MINUTE + BEYOND - TEST_TIME)
    t.equal(await check(harness, token), 'jti')
  })

  t.test(
    'no jti is denied for longer than a token may live, nor for less than the clocks differ',
    async (t) => {
      const harness = await open(t)
      const [far, past] = [minted(harness), minted(harness)]
      const now = harness.clock.now()
      await harness.denylist.revoke([
        { kind: 'jti', id: far.jti, until: now + 1000 * LIFE.horizon },
        { kind: 'jti', id: past.jti, until: now - 1000 * LIFE.horizon },
      ])
      await harness.advance(BEYOND - TEST_TIME)
      t.equal(await check(harness, past), 'jti')
      await harness.advance(TEST_TIME)
      t.equal(await check(harness, past), undefined)
      await harness.advance(LIFE.horizon - TEST_TIME)
      t.equal(await check(harness, far), 'jti')
      await harness.advance(TEST_TIME)
      t.equal(await check(harness, far), undefined)
    },
  )

  t.test('an end that is no whole number, or none at all, denies all the same', async (t) => {
    const harness = await open(t)
    for (const until of [harness.clock.now() + 1234.567, Number.NaN, Number.POSITIVE_INFINITY]) {
      const token = minted(harness)
      await harness.denylist.revoke([{ kind: 'jti', id: token.jti, until }])
      t.equal(await check(harness, token), 'jti', String(until))
    }
  })

  t.test('many entries at once all hold', async (t) => {
    const harness = await open(t)
    const tokens = Array.from({ length: 500 }, () => minted(harness))
    await harness.denylist.revoke(
      tokens.map(({ sid, jti }, i) =>
        i % 2 === 0
          ? { kind: 'sid', id: sid }
          : { kind: 'jti', id: jti, until: harness.clock.now() + MINUTE },
      ),
    )
    const denials = await Promise.all(tokens.map((token) => check(harness, token)))
    t.equal(denials.filter((denial) => denial === 'sid').length, 250)
    t.equal(denials.filter((denial) => denial === 'jti').length, 250)
    t.equal(await check(harness, minted(harness)), undefined)
  })

  t.test('names of any kind are names only', async (t) => {
    const harness = await open(t)
    for (const id of ['{x}', 'a b\r\nDEL c', '__proto__', 'sid:1', '名前\u{1f980}', '*']) {
      const token = { ...minted(harness), sid: id }
      t.equal(await check(harness, token), undefined)
      await harness.denylist.revoke([{ kind: 'sid', id, reason: 'a\nreason {with} all' }])
      t.equal(await check(harness, token), 'sid', JSON.stringify(id))
    }
    t.equal(await check(harness, minted(harness)), undefined)
  })

  t.test('a stamp has the second of now and a mark of 8 characters that the jti begins with', async (t) => {
    const harness = await open(t)
    await harness.advance(1_999)
    const { issuedAt, mark } = harness.denylist.stamp()
    t.equal(issuedAt, toSeconds(harness.clock.now()))
    t.match(mark, /^[\w-]{8}$/)
    t.equal(harness.denylist.stamp().mark, mark, 'the same in one process')
  })
}
