import t from 'tap'
import type { Test } from 'tap'
import type { DualTokens } from '../support/sessions.js'
import { logout } from '../../src/session/logout.js'
import { embedded, judged, outcomeOf, refreshed, told, SECOND, issue } from '../support/sessions.js'
import { living } from '../support/session-store.js'
import type { Instance, MemoryRig } from '../support/sessions.js'

/** A login a second. */
async function logIn(rig: MemoryRig, sub: string, device?: string): Promise<DualTokens> {
  rig.clock.advance(SECOND)
  return issue(rig.ports, { sub }, { device })
}

async function aliveOf(rig: MemoryRig, sub: string): Promise<string[]> {
  return (await living(rig.ports.store, sub, rig.clock.now())).map(({ sid }) => sid)
}

async function isAlive(t: Test, rig: Instance, { accessToken, refreshToken }: DualTokens): Promise<void> {
  t.equal(await judged(rig, accessToken), 'good')
  t.equal(await refreshed(rig, refreshToken), 'good')
}

async function wasEvicted(t: Test, rig: Instance, { accessToken, refreshToken }: DualTokens): Promise<void> {
  t.equal(await judged(rig, accessToken), 'signed_in_elsewhere')
  t.equal(await refreshed(rig, refreshToken), 'signed_in_elsewhere')
}

t.test('evict-oldest: a login over perSubject ends the oldest session and its access token', async (t) => {
  const rig = embedded({ perSubject: 2 })
  const other = await logIn(rig, 'bob')
  const [first, second] = [await logIn(rig, 'alice'), await logIn(rig, 'alice')]
  t.equal(await judged(rig, first.accessToken), 'good')
  const third = await logIn(rig, 'alice')
  await wasEvicted(t, rig, first)
  t.same(await aliveOf(rig, 'alice'), [second.session.sid, third.session.sid])
  for (const alive of [other, second, third]) await isAlive(t, rig, alive)
  t.match(told(rig, 'session_ended'), [{ sid: first.session.sid, sub: 'alice', reason: 'evicted' }])
})

t.test('perDevice counts the sessions of one device, and no name is one device, too', async (t) => {
  const rig = embedded({ perDevice: 1 })
  const phone = await logIn(rig, 'alice', 'phone')
  const laptop = await logIn(rig, 'alice', 'laptop')
  const nameless = await logIn(rig, 'alice')
  const others = await logIn(rig, 'bob', 'phone')
  for (const alive of [phone, laptop, nameless, others]) t.equal(await judged(rig, alive.accessToken), 'good')
  await logIn(rig, 'alice', 'phone')
  await logIn(rig, 'alice')
  await wasEvicted(t, rig, phone)
  await wasEvicted(t, rig, nameless)
  for (const alive of [laptop, others]) await isAlive(t, rig, alive)
})

t.test('perSubject and perDevice hold together', async (t) => {
  const rig = embedded({ perDevice: 1, perSubject: 2 })
  await logIn(rig, 'alice', 'a')
  const b = await logIn(rig, 'alice', 'b')
  const c = await logIn(rig, 'alice', 'c')
  const again = await logIn(rig, 'alice', 'c')
  t.same(await aliveOf(rig, 'alice'), [b.session.sid, again.session.sid])
  await wasEvicted(t, rig, c)
})

t.test('refuse: a login over the limit is refused, stores nothing, and ends no other session', async (t) => {
  const rig = embedded({ perSubject: 2, onLimit: 'refuse' })
  const alive = [await logIn(rig, 'alice'), await logIn(rig, 'alice')]
  t.equal(await outcomeOf(() => logIn(rig, 'alice')), 'signed_in_elsewhere')
  t.same(
    await aliveOf(rig, 'alice'),
    alive.map(({ session }) => session.sid),
  )
  t.equal(told(rig, 'login').length, 2)
  for (const one of alive) await isAlive(t, rig, one)
  await logout(rig.ports, { access: alive[0]!.session.sid })
  await isAlive(t, rig, await logIn(rig, 'alice'))
  t.equal(await outcomeOf(() => logIn(rig, 'alice')), 'signed_in_elsewhere')
})

t.test('refuse applies to perDevice, too', async (t) => {
  const rig = embedded({ perDevice: 1, onLimit: 'refuse' })
  await logIn(rig, 'alice', 'phone')
  t.equal(await outcomeOf(() => logIn(rig, 'alice', 'phone')), 'signed_in_elsewhere')
  t.equal(await outcomeOf(() => logIn(rig, 'alice', 'laptop')), 'good')
})

t.test('five concurrent logins leave only the permitted number of active sessions', async (t) => {
  const rig = embedded({ perSubject: 2 })
  const logins = await Promise.allSettled(Array.from({ length: 5 }, () => issue(rig.ports, { sub: 'alice' })))
  const alive = await aliveOf(rig, 'alice')
  t.equal(alive.length, 2)
  const given = logins.filter((login) => login.status === 'fulfilled').map(({ value }) => value)
  for (const login of given) {
    if (alive.includes(login.session.sid)) await isAlive(t, rig, login)
    else await wasEvicted(t, rig, login)
  }
  t.same(
    alive.filter((sid) => !given.some(({ session }) => session.sid === sid)),
    [],
    'nobody was refused whose session lives',
  )
  for (const login of logins) {
    if (login.status === 'rejected') t.match(login.reason, { code: 'signed_in_elsewhere' })
  }
})

t.test('five concurrent logins with refuse: only the permitted number succeed', async (t) => {
  const rig = embedded({ perSubject: 2, onLimit: 'refuse' })
  const logins = await Promise.all(
    Array.from({ length: 5 }, () => outcomeOf(() => issue(rig.ports, { sub: 'alice' }))),
  )
  t.same(logins.toSorted(), ['good', 'good', ...Array.from({ length: 3 }, () => 'signed_in_elsewhere')])
  t.equal((await aliveOf(rig, 'alice')).length, 2)
})
