import t from 'tap'
import type { Test } from 'tap'
import type { DualTokens } from '../support/sessions.js'
import { logout, logoutAll } from '../../src/session/logout.js'
import { newRefreshToken, parseRefreshToken } from '../../src/token/refresh-token.js'
import { PROOF } from '../support/refresh-token-proof.js'
import { failingOnce } from '../support/failing-denylist.js'
import {
  embedded,
  judged,
  outcomeOf,
  refreshed,
  told,
  HOUR,
  MINUTE,
  issue,
  refresh,
} from '../support/sessions.js'
import type { Instance } from '../support/sessions.js'

async function isDead(t: Test, rig: Instance, { accessToken, refreshToken }: DualTokens): Promise<void> {
  t.equal(await judged(rig, accessToken), 'session_ended')
  t.equal(await refreshed(rig, refreshToken), 'session_ended')
}

async function isAlive(t: Test, rig: Instance, { accessToken, refreshToken }: DualTokens): Promise<void> {
  t.equal(await judged(rig, accessToken), 'good')
  t.equal(await refreshed(rig, refreshToken), 'good')
}

const partsOf = ({ refreshToken }: DualTokens) => parseRefreshToken(refreshToken, PROOF)

t.test('a logout by access token, refresh token or both ends the session', async (t) => {
  for (const form of ['access', 'refresh', 'both']) {
    const rig = embedded()
    const other = await issue(rig.ports, { sub: 'alice' })
    const login = await issue(rig.ports, { sub: 'alice' })
    const next = await refresh(rig.ports, login.refreshToken)
    await logout(rig.ports, {
      access: form === 'refresh' ? undefined : login.session.sid,
      refresh: form === 'access' ? undefined : partsOf(next),
    })
    await isDead(t, rig, login)
    await isDead(t, rig, next)
    await isAlive(t, rig, other)
    t.match(told(rig, 'logout'), [{ sid: login.session.sid, sub: 'alice', reason: 'logout' }])
  }
})

t.test('a used refresh token ends its session, too', async (t) => {
  const rig = embedded()
  const login = await issue(rig.ports, { sub: 'alice' })
  const next = await refresh(rig.ports, login.refreshToken)
  rig.clock.advance(MINUTE)
  await logout(rig.ports, { refresh: partsOf(login) })
  await isDead(t, rig, next)
})

t.test('tokens of two sessions end both', async (t) => {
  const rig = embedded()
  const [one, two] = [await issue(rig.ports, { sub: 'alice' }), await issue(rig.ports, { sub: 'bob' })]
  await logout(rig.ports, { access: one.session.sid, refresh: partsOf(two) })
  for (const dead of [one, two]) await isDead(t, rig, dead)
  t.equal(told(rig, 'logout').length, 2)
})

t.test('an invented refresh token with a known sid is invalid and ends nothing', async (t) => {
  const rig = embedded()
  const login = await issue(rig.ports, { sub: 'alice' })
  const forged = { ...newRefreshToken(), sid: login.session.sid, isProven: true }
  t.equal(await outcomeOf(() => logout(rig.ports, { refresh: forged })), 'refresh_token_invalid')
  await isAlive(t, rig, login)
  t.same([...told(rig, 'logout'), ...told(rig, 'session_ended')], [])
})

t.test('an invented refresh token beside an access token is ignored', async (t) => {
  const rig = embedded()
  const [mine, foreign] = [await issue(rig.ports, { sub: 'alice' }), await issue(rig.ports, { sub: 'bob' })]
  const forged = { ...newRefreshToken(), sid: foreign.session.sid, isProven: true }
  await logout(rig.ports, { access: mine.session.sid, refresh: forged })
  await isDead(t, rig, mine)
  await isAlive(t, rig, foreign)
})

t.test('without a token there is nothing to end', async (t) => {
  const rig = embedded()
  t.equal(await outcomeOf(() => logout(rig.ports, {})), 'refresh_token_invalid')
})

t.test('a repeated logout succeeds again, and emits one event', async (t) => {
  const rig = embedded()
  const login = await issue(rig.ports, { sub: 'alice' })
  for (const presented of [
    { access: login.session.sid },
    { access: login.session.sid },
    { refresh: partsOf(login) },
    { access: login.session.sid, refresh: partsOf(login) },
  ]) {
    t.equal(await outcomeOf(() => logout(rig.ports, presented)), 'good')
    await isDead(t, rig, login)
  }
  t.equal(told(rig, 'logout').length, 1)
  rig.clock.advance(2 * HOUR)
  t.equal(await outcomeOf(() => logout(rig.ports, { refresh: partsOf(login) })), 'good', 'long forgotten')
})

t.test('a repeated logout after a theft keeps the session ended', async (t) => {
  const rig = embedded()
  const login = await issue(rig.ports, { sub: 'alice' })
  const next = await refresh(rig.ports, (await refresh(rig.ports, login.refreshToken)).refreshToken)
  t.equal(await refreshed(rig, login.refreshToken), 'refresh_token_reused')
  t.equal(await outcomeOf(() => logout(rig.ports, { refresh: partsOf(next) })), 'good')
  await isDead(t, rig, next)
})

t.test('tokens end their session even if its record is lost', async (t) => {
  for (const form of ['access', 'refresh'] as const) {
    const rig = embedded()
    const login = await issue(rig.ports, { sub: 'alice' })
    const amnesiac = { ...rig.ports, store: embedded().ports.store }
    await logout(amnesiac, form === 'access' ? { access: login.session.sid } : { refresh: partsOf(login) })
    t.equal(await judged(rig, login.accessToken), 'session_ended', form)
  }
})

t.test('a logout that can’t write the denylist fails, and its retry succeeds', async (t) => {
  const rig = embedded()
  const login = await issue(rig.ports, { sub: 'alice' })
  const denylist = failingOnce(rig.ports.denylist)
  const ports = { ...rig.ports, denylist }
  t.equal(await outcomeOf(() => logout(ports, { access: login.session.sid })), 'store_unavailable')
  t.equal(denylist.failures, 1)
  t.equal(await judged(rig, login.accessToken), 'good', 'the fault took place')
  t.equal(await outcomeOf(() => logout(ports, { access: login.session.sid })), 'good')
  await isDead(t, rig, login)
})

t.test('“everywhere” ends all sessions of the subject and no others', async (t) => {
  const rig = embedded()
  const foreign = await issue(rig.ports, { sub: 'bob' })
  const mine = [await issue(rig.ports, { sub: 'alice' }), await issue(rig.ports, { sub: 'alice' })]
  await logoutAll(rig.ports, 'alice')
  for (const dead of mine) await isDead(t, rig, dead)
  await isAlive(t, rig, foreign)
  t.equal(told(rig, 'logout').length, 2)
  const sameSecond = await issue(rig.ports, { sub: 'alice' })
  await isAlive(t, rig, sameSecond)
  await logoutAll(rig.ports, 'nobody')
})

t.test('“everywhere” keeps the session in `except`', async (t) => {
  const rig = embedded()
  const [one, here, two] = [
    await issue(rig.ports, { sub: 'alice' }),
    await issue(rig.ports, { sub: 'alice' }),
    await issue(rig.ports, { sub: 'alice' }),
  ]
  await logoutAll(rig.ports, 'alice', { except: here.session.sid })
  for (const dead of [one, two]) await isDead(t, rig, dead)
  await isAlive(t, rig, here)
})

t.test('“everywhere” with another subject’s session in `except` ends all sessions', async (t) => {
  const rig = embedded()
  const [mine, foreign] = [await issue(rig.ports, { sub: 'alice' }), await issue(rig.ports, { sub: 'bob' })]
  await logoutAll(rig.ports, 'alice', { except: foreign.session.sid })
  await isDead(t, rig, mine)
  await isAlive(t, rig, foreign)
})
