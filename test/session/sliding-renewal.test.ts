/** The renewals that one process remembers. */
import t from 'tap'
import { SlidingRenewal } from '../../src/session/sliding-renewal.js'
import type { SlidToken } from '../../src/session/slide.js'
import { toAuth } from '../../src/token/auth.js'
import type { Auth } from '../../src/token/auth.js'
import { claimsOf, embedded, issue, MINUTE, SECOND } from '../support/sessions.js'
import { soon } from '../support/gateway-process.js'

const rig = embedded()
const { clock } = rig
const login = await issue(rig.ports, { sub: 'alice' })

const jtiPrefix = claimsOf(login.accessToken).jti.slice(0, 8)
let tokens = 0

/** The verified token of a request, with 30 s left of its 15 minutes. */
function dueAuth(left = 30): Auth {
  tokens += 1
  const exp = Math.floor(clock.now() / 1000) + left
  return toAuth({ ...claimsOf(login.accessToken), jti: `${jtiPrefix}-${tokens}`, iat: exp - 900, exp }, 'key')
}

function open(slide: () => Promise<SlidToken | undefined>) {
  const logged: unknown[] = []
  let calls = 0
  const counted = () => {
    calls += 1
    return slide()
  }
  const log = { debug() {}, info() {}, error() {}, warn: (record: unknown) => void logged.push(record) }
  const renewal = new SlidingRenewal({
    sessions: { slide: counted },
    denylist: rig.ports.denylist,
    clock,
    log: log as never,
    settings: {
      renewUnder: MINUTE,
      leeway: 2 * SECOND,
      cookies: { enabled: true, secure: true },
      prefix: '/auth',
    },
  })
  return { renewal, logged, calls: () => calls }
}

const newToken = (accessToken = `new-${tokens}`): SlidToken => ({
  accessToken,
  expiresAt: Math.floor(clock.now() / 1000) + 900,
  session: login.session,
})

t.test(
  'a token is due under the limit, and a shorter-lived one in the second half of its life',
  async (t) => {
    const { renewal } = open(async () => undefined)
    // The clock is 250 ms past a whole second.
    t.notOk(renewal.isDue(dueAuth(61)))
    t.ok(renewal.isDue(dueAuth(60)))
    t.ok(renewal.isDue(dueAuth(-1)), 'within the leeway')
    const short = (left: number) => {
      const auth = dueAuth(left)
      return { ...auth, issuedAt: auth.expiresAt - 40 }
    }
    t.notOk(renewal.isDue(short(40)), 'a new token isn’t due at once')
    t.ok(renewal.isDue(short(20)))
  },
)

t.test('all requests with one token get the same new token, and its session is read once', async (t) => {
  const { renewal, calls } = open(async () => newToken())
  const auth = dueAuth()
  const all = await Promise.all(Array.from({ length: 10 }, () => renewal.renew(auth, 'header')))
  clock.advance(20 * SECOND)
  const late = await renewal.renew(auth, 'header')
  t.equal(new Set([...all, late].map((one) => one!.accessToken)).size, 1)
  t.equal(calls(), 1)
  t.equal(all[0]!.expiresIn, 900)
  t.equal(late!.expiresIn, 880, 'the time left by now')
  await renewal.renew(dueAuth(), 'header')
  t.equal(calls(), 2, 'another token')
})

t.test('that a session has no new token is remembered, too', async (t) => {
  const { renewal, calls, logged } = open(async () => undefined)
  const auth = dueAuth()
  t.equal(await renewal.renew(auth, 'header'), undefined)
  t.equal(await renewal.renew(auth, 'header'), undefined)
  t.equal(calls(), 1)
  t.same(logged, [])
})

t.test('a token that has expired is forgotten', async (t) => {
  const { renewal, calls } = open(async () => newToken())
  const auth = dueAuth()
  await renewal.renew(auth, 'header')
  clock.advance(31 * SECOND)
  await renewal.renew(auth, 'header')
  t.equal(calls(), 1, 'within the leeway')
  clock.advance(SECOND)
  await renewal.renew(auth, 'header')
  t.equal(calls(), 2)
})

t.test('only so many tokens are remembered, the newest', async (t) => {
  const { renewal, calls } = open(async () => undefined)
  const first = dueAuth()
  await renewal.renew(first, 'header')
  let last = first
  for (let i = 0; i < 10_000; i += 1) {
    last = dueAuth()
    await renewal.renew(last, 'header')
  }
  const before = calls()
  await renewal.renew(last, 'header')
  t.equal(calls(), before)
  await renewal.renew(first, 'header')
  t.equal(calls(), before + 1)
})

t.test('a failure gives no new token, is logged, and the next try is a second later', async (t) => {
  let fails = true
  const { renewal, calls, logged } = open(async () => {
    if (fails) throw new Error('Redis is down')
    return newToken()
  })
  const auth = dueAuth()
  t.same(await Promise.all([renewal.renew(auth, 'header'), renewal.renew(auth, 'header')]), [
    undefined,
    undefined,
  ])
  t.equal(await renewal.renew(auth, 'header'), undefined)
  t.equal(calls(), 1)
  t.match(logged, [{ event: 'renewal_failed', sub: 'alice', err: { message: 'Redis is down' } }])
  fails = false
  clock.advance(SECOND)
  t.ok(await renewal.renew(auth, 'header'))
  t.equal(calls(), 2)
})

t.test(
  'a slow renewal doesn’t hold its request up for longer than 500 ms, and is for a later one',
  async (t) => {
    let finish: (slid: SlidToken) => void = () => {}
    const { renewal, calls, logged } = open(() => new Promise((resolve) => (finish = resolve)))
    const auth = dueAuth()
    t.equal(await renewal.renew(auth, 'header'), undefined)
    t.match(logged, [{ event: 'renewal_failed', err: { reason: /within 500 ms/ } }])
    finish(newToken('late'))
    await soon(
      'the late token is used',
      async () => (await renewal.renew(auth, 'header'))?.accessToken === 'late',
    )
    t.equal(calls(), 1)
  },
)

t.test('a token that came in a cookie gets a cookie, which lives as long as the session', async (t) => {
  const { renewal } = open(async () => newToken('x'))
  const renewed = await renewal.renew(dueAuth(), 'cookie')
  const left = Math.floor((login.session.expiresAt - clock.now()) / 1000)
  t.equal(renewed!.cookie, `__Host-access=x; Max-Age=${left}; Path=/; HttpOnly; SameSite=Lax; Secure`)
  const session = { ...login.session, endsWithBrowser: true }
  const endsWithBrowser = open(async () => ({ ...newToken('x'), session }))
  const other = await endsWithBrowser.renewal.renew(dueAuth(), 'cookie')
  t.equal(other!.cookie, '__Host-access=x; Path=/; HttpOnly; SameSite=Lax; Secure')
  t.equal((await renewal.renew(dueAuth(), 'header'))!.cookie, undefined)
})

t.test('a token that browsers would drop is sent in a header only', async (t) => {
  const { renewal, logged } = open(async () => newToken('x'.repeat(4_100)))
  const auth = dueAuth()
  t.equal(await renewal.renew(auth, 'cookie'), undefined)
  t.match(logged, [{ event: 'renewal_failed', err: { detail: /browsers drop cookies/ } }])
  t.ok(await renewal.renew(auth, 'header'))
})

t.test('a token whose session has ended since may not be sent', async (t) => {
  const { renewal } = open(async () => newToken())
  const renewed = await renewal.renew(dueAuth(), 'header')
  t.ok(renewed!.mayBeSent())
  await rig.ports.denylist.revoke([{ kind: 'sid', id: login.session.sid }])
  t.notOk(renewed!.mayBeSent())
})
