/** What each kind of entry denies, on every adapter. */
import type { Test } from 'tap'
import type { RevocableToken } from '../../src/revocation/denylist.js'
import { EVICTED } from '../../src/revocation/entry.js'
import type { NewEntry } from '../../src/revocation/entry.js'
import { check, LIFE, minted, MINUTE, SECOND, TEST_TIME } from './denylist.contract.js'
import type { DenylistHarness, OpenDenylist } from './denylist.contract.js'

/** The reasons for refusing tokens that differ in their `iat` alone, seconds before or after that of `token`. */
async function deniedAt(harness: DenylistHarness, token: RevocableToken, offsets: readonly number[]) {
  return Promise.all(offsets.map((offset) => check(harness, { ...token, iat: token.iat + offset })))
}

/** Whether a promise is still pending after everything that can be done without time has been done. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pause = new Promise((resolve) => setTimeout(resolve, 250, 'pending'))
  return (await Promise.race([promise, pause])) === 'pending'
}

export function kindsContract(t: Test, open: OpenDenylist): void {
  for (const kind of ['sub', 'all'] as const) {
    const about = (token: RevocableToken, before?: number): NewEntry =>
      kind === 'sub' ? { kind, id: token.sub, before } : { kind, id: '*', before }

    t.test(`${kind}: tokens issued at before or earlier are revoked, later ones aren’t`, async (t) => {
      const harness = await open(t)
      const token = await minted(harness)
      const at = (token.iat - 10) * 1000
      await harness.denylist.revoke([about(token, at)])
      t.strictSame(await deniedAt(harness, token, [-900, -11, -10]), [kind, kind, kind])
      t.strictSame(await deniedAt(harness, token, [-9, 0, 5]), [undefined, undefined, undefined])
      const stranger = { ...token, sub: 'somebody else' }
      t.equal((await deniedAt(harness, stranger, [-11]))[0], kind === 'all' ? 'all' : undefined)
    })

    t.test(
      `${kind}: before is exact to the millisecond, iat counts from the start of its second`,
      async (t) => {
        const harness = await open(t)
        const token = await minted(harness)
        const second = (token.iat - 10) * 1000
        await harness.denylist.revoke([about(token, second - 1)])
        t.strictSame(await deniedAt(harness, token, [-11, -10]), [kind, undefined])
        await harness.denylist.revoke([about(token, second + 999)])
        t.strictSame(await deniedAt(harness, token, [-10, -9]), [kind, undefined])
      },
    )

    t.test(`${kind}: a second entry with an earlier before doesn’t shorten the first`, async (t) => {
      const harness = await open(t)
      const token = await minted(harness)
      const at = (token.iat - 10) * 1000
      await harness.denylist.revoke([about(token, at)])
      await harness.denylist.revoke([about(token, at - 100 * SECOND)])
      t.strictSame(await deniedAt(harness, token, [-10, -9]), [kind, undefined])
      await harness.denylist.revoke([about(token, at + 5 * SECOND)])
      t.strictSame(await deniedAt(harness, token, [-5, -4]), [kind, undefined], 'a later one lengthens it')
    })

    t.test(`${kind}: before defaults to now, and a new token waits until it is past that time`, async (t) => {
      const harness = await open(t)
      const token = await minted(harness)
      await harness.denylist.revoke([about(token)])
      t.equal(await check(harness, token), kind)
      const begunAt = performance.now()
      const stamp = harness.denylist.stamp(token.sub)
      t.ok(await isPending(stamp), 'it waits')
      harness.pass(SECOND)
      const { issuedAt, jtiPrefix } = await stamp
      const took = performance.now() - begunAt
      t.ok(took < 3_500, `${Math.round(took)} ms`)
      const next = { ...token, jti: `${jtiPrefix}next`, iat: issuedAt }
      t.equal(await check(harness, next), undefined, 'what is minted then is admitted')
      t.equal((await deniedAt(harness, next, [-1]))[0], kind, 'and it did not wait too long')
      t.equal(await check(harness, token), kind)
    })

    t.test(`${kind}: a before that is not a number means now`, async (t) => {
      for (const before of [Number.NaN, Number.POSITIVE_INFINITY]) {
        const harness = await open(t)
        const token = await minted(harness)
        await harness.denylist.revoke([about(token, before)])
        t.strictSame(await deniedAt(harness, token, [-1, 0, 5]), [kind, kind, undefined])
      }
    })

    t.test(`${kind}: an entry is in force for longer than the horizon`, async (t) => {
      const harness = await open(t)
      const token = await minted(harness)
      await harness.denylist.revoke([about(token, token.iat * 1000)])
      await harness.advance(LIFE.horizon + harness.beyond - TEST_TIME)
      t.equal(await check(harness, { ...token, iat: 0, jti: (await minted(harness)).jti }), kind)
      await harness.advance(TEST_TIME + harness.rounding)
      t.equal(await check(harness, { ...token, iat: 0, jti: (await minted(harness)).jti }), undefined)
    })
  }

  t.test('a sub entry delays no other subject', async (t) => {
    const harness = await open(t)
    await harness.denylist.revoke([{ kind: 'sub', id: 'alice' }])
    t.notOk(await isPending(harness.denylist.stamp('bob')))
    t.notOk(await isPending(harness.denylist.stamp()))
  })

  t.test('the subject * is a subject, not everybody', async (t) => {
    const harness = await open(t)
    const token = await minted(harness)
    const star = { ...token, sub: '*' }
    await harness.denylist.revoke([{ kind: 'sub', id: '*' }])
    t.equal(await check(harness, star), 'sub')
    t.equal(await check(harness, token), undefined)
  })

  t.test(
    'a kid entry revokes everything that the key signed, before and after, for longer than the horizon',
    async (t) => {
      const harness = await open(t)
      const token = await minted(harness, { kid: 'stolen' })
      await harness.denylist.revoke([{ kind: 'kid', id: 'stolen', reason: 'leak' }])
      t.strictSame(await deniedAt(harness, token, [-100, 0, 100]), ['kid', 'kid', 'kid'])
      t.equal(await check(harness, { ...token, kid: 'another' }), undefined)
      await harness.advance(LIFE.horizon + harness.beyond - TEST_TIME)
      t.equal(await check(harness, await minted(harness, { kid: 'stolen' })), 'kid')
      await harness.advance(TEST_TIME + harness.rounding)
      t.equal(await check(harness, await minted(harness, { kid: 'stolen' })), undefined)
    },
  )

  t.test('an evicted session is revoked like any other, and reported as evicted', async (t) => {
    const harness = await open(t)
    const token = await minted(harness)
    const { sid } = token
    await harness.denylist.revoke([{ kind: 'sid', id: sid, before: EVICTED, reason: 'evicted' }])
    t.strictSame(await deniedAt(harness, token, [-100, 0, 100]), ['evicted', 'evicted', 'evicted'])
    t.equal(await harness.denylist.peek(token), 'evicted')
    t.equal(await check(harness, { ...token, sid: 'another' }), undefined)
    await harness.advance(LIFE.horizon + harness.beyond - TEST_TIME)
    t.equal(await check(harness, await minted(harness, { sid })), 'evicted')
    await harness.advance(TEST_TIME + harness.rounding)
    t.equal(await check(harness, await minted(harness, { sid })), undefined)
  })

  t.test('a session that was both evicted and logged out is reported as evicted', async (t) => {
    const harness = await open(t)
    for (const befores of [
      [EVICTED, 0],
      [0, EVICTED],
    ]) {
      const token = await minted(harness)
      for (const before of befores) await harness.denylist.revoke([{ kind: 'sid', id: token.sid, before }])
      t.equal(await check(harness, token), 'evicted')
    }
  })

  t.test('an eviction that finds the entry of an earlier end changes nothing', async (t) => {
    const harness = await open(t)
    const token = await minted(harness)
    await harness.denylist.revoke([{ kind: 'sid', id: token.sid }])
    const endedAt = harness.clock.now() - MINUTE
    await harness.denylist.revoke([{ kind: 'sid', id: token.sid, before: EVICTED, endedAt }])
    t.equal(await check(harness, token), 'sid')
  })

  t.test(
    'a before that isn’t the mark of an eviction has no effect on a sid, jti or kid entry',
    async (t) => {
      const harness = await open(t)
      for (const kind of ['sid', 'jti', 'kid'] as const)
        for (const before of [kind === 'sid' ? 2 : EVICTED, Number.NaN, -1, 'now'] as const) {
          const token = await minted(harness, { kid: `key ${kind} ${before}` })
          await harness.denylist.revoke([{ kind, id: token[kind], before }])
          t.equal(await check(harness, token), kind, `${kind} ${before}`)
        }
    },
  )

  t.test('an id of one kind doesn’t match another kind', async (t) => {
    const harness = await open(t)
    const token = await minted(harness)
    const { jti, sid, sub, kid } = token
    const expiresAt = harness.clock.now() + 60 * SECOND
    await harness.denylist.revoke([
      ...[sid, sub, kid, '*'].map((id) => ({ kind: 'jti', id, expiresAt }) as const),
      ...[jti, sub, kid, '*'].map((id) => ({ kind: 'sid', id }) as const),
      ...[jti, sid, kid, '*'].map((id) => ({ kind: 'sub', id }) as const),
      ...[jti, sid, sub, '*'].map((id) => ({ kind: 'kid', id }) as const),
    ])
    t.equal(await check(harness, token), undefined)
    await harness.denylist.revoke([{ kind: 'sub', id: sub }])
    t.equal(await check(harness, token), 'sub', 'the same name of its own kind')
  })

  t.test('if several entries match, `sid` is reported first, then the narrowest', async (t) => {
    const harness = await open(t)
    const token = await minted(harness)
    const { jti, sid, sub, kid } = token
    const told = []
    for (const entry of [
      { kind: 'all', id: '*' },
      { kind: 'sub', id: sub },
      { kind: 'kid', id: kid },
      { kind: 'jti', id: jti, until: harness.clock.now() + 60 * SECOND },
      { kind: 'sid', id: sid },
    ] satisfies NewEntry[]) {
      await harness.denylist.revoke([entry])
      told.push(await check(harness, token))
    }
    t.strictSame(told, ['all', 'sub', 'kid', 'jti', 'sid'])
  })
}
