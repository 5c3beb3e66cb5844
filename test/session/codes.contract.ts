/** One-time codes with clocks that tests move. Each pair of stores runs all of it. */
import type { Test } from 'tap'
import { storeUnavailable } from '../../src/errors.js'
import type { CodeStore } from '../../src/store/code-store.js'
import type { SessionStore } from '../../src/store/session-store.js'
import type { SessionDependencies, SessionSettings } from '../../src/session/dependencies.js'
import { endOutdatedSessions } from '../../src/session/end-outdated.js'
import { exchangeCode } from '../../src/session/exchange-code.js'
import { issueCode } from '../../src/session/issue-code.js'
import { issue } from '../../src/session/issue.js'
import type { TokenSet } from '../../src/session/issue.js'
import { endSessions } from '../../src/session/end-sessions.js'
import { endOwnSession } from '../../src/session/end-own-session.js'
import { logout, logoutAll } from '../../src/session/logout.js'
import { refresh } from '../../src/session/refresh.js'
import { RefreshChecks } from '../../src/session/refresh-check.js'
import type { RefreshCheck } from '../../src/session/refresh-check.js'
import { revoke } from '../../src/session/revoke.js'
import type { Session } from '../../src/session/session.js'
import { failingOnce } from '../support/failing-denylist.js'
import { HOUR, MINUTE, SECOND, claimsOf, judged, outcomeOf, refreshed, told } from '../support/sessions.js'
import type { Instance } from '../support/sessions.js'
import { living } from '../support/session-store.js'

const DAY = 24 * HOUR

/** An instance whose clock a test moves, together with the lives of what is stored. */
export interface CodeRig extends Instance {
  advance(milliseconds: number): Promise<void>
}

export type OpenRig = (t: Test, rules?: Partial<SessionSettings>) => Promise<CodeRig>

/** The lives of logins in the settings' defaults. */
const DEFAULTS = { refresh: 30 * DAY, absolute: 90 * DAY }

async function newCode({ ports }: Instance, { session }: TokenSet): Promise<string> {
  return (await issueCode(ports, session.sid, {})).code
}

function exchange(ports: SessionDependencies, code: string): Promise<TokenSet> {
  return exchangeCode(ports, { code }, {})
}

/** Exchanges a code of a session at once. */
async function startFrom(rig: Instance, login: TokenSet): Promise<TokenSet> {
  return exchange(rig.ports, await newCode(rig, login))
}

async function isDead(t: Test, rig: Instance, ...given: readonly TokenSet[]): Promise<void> {
  for (const { accessToken, refreshToken } of given) {
    t.equal(await judged(rig, accessToken), 'session_ended')
    t.equal(await refreshed(rig, refreshToken!), 'session_ended')
  }
}

async function sidsOf({ ports }: Instance, sub = 'alice'): Promise<string[]> {
  return (await living(ports.store, sub, ports.clock.now())).map(({ sid }) => sid)
}

/** Returns the dependencies with another `create`, `sids` or `read` of the store. */
function withStore(ports: SessionDependencies, change: Partial<SessionStore>): SessionDependencies {
  const store = new Proxy(ports.store, {
    get: (target, name: keyof SessionStore) => change[name] ?? target[name].bind(target),
  })
  return { ...ports, store }
}

function withUse(ports: SessionDependencies, use: CodeStore['use']): SessionDependencies {
  const { codes } = ports
  const store: CodeStore = { use, create: (code) => codes!.store.create(code) }
  return { ...ports, codes: { ...codes!, store } }
}

/** Returns a function that runs `work` at its first call only. */
function once(work: () => Promise<unknown>): () => Promise<unknown> {
  let isDone = false
  return async () => {
    if (isDone) return
    isDone = true
    await work()
  }
}

export function codesContract(t: Test, open: OpenRig): void {
  t.test('a code lives for 10 minutes and works once', async (t) => {
    const rig = await open(t, DEFAULTS)
    const login = await issue(rig.ports, { sub: 'alice' })
    const { code, expiresIn } = await issueCode(rig.ports, login.session.sid, {})
    t.equal(expiresIn, 600)
    const late = await newCode(rig, login)
    await rig.advance(10 * MINUTE - 1)
    t.equal(await outcomeOf(() => exchange(rig.ports, code)), 'good')
    t.equal(await outcomeOf(() => exchange(rig.ports, code)), 'invalid_grant')
    await rig.advance(1)
    t.equal(await outcomeOf(() => exchange(rig.ports, late)), 'invalid_grant')
  })

  t.test(
    'access tokens of a session that a code began live for 2 hours, the session for 30 days',
    async (t) => {
      const rig = await open(t, { ...DEFAULTS, refresh: DAY })
      const login = await issue(rig.ports, { sub: 'alice' })
      const first = await startFrom(rig, login)
      t.equal(first.expiresIn, 7_200)
      t.equal(first.sessionExpiresIn, (30 * DAY) / SECOND)
      const { iat, exp } = claimsOf(first.accessToken)
      t.equal(exp - iat, 7_200)
      await rig.advance(2 * HOUR - SECOND)
      t.equal(await judged(rig, first.accessToken), 'good')
      t.equal(await judged(rig, login.accessToken), 'token_expired', 'the login has a life of its own')
      await rig.advance(SECOND)
      t.equal(await judged(rig, first.accessToken), 'token_expired')
      await rig.advance(30 * DAY - 2 * HOUR - 1)
      const next = await refresh(rig.ports, first.refreshToken!)
      t.equal(next.expiresIn, 7_200)
      t.equal(next.sessionExpiresIn, (30 * DAY) / SECOND)
      t.equal(await refreshed(rig, login.refreshToken!), 'session_ended', 'expired long ago')
      await rig.advance(30 * DAY)
      t.equal(await refreshed(rig, next.refreshToken!), 'refresh_token_expired')
    },
  )

  t.test('the new session has the identity of the one that issued the code', async (t) => {
    const rig = await open(t, DEFAULTS)
    const identity = { sub: 'alice', scope: 'read write', claims: { tenant: 'a' }, clientId: 'app' }
    const login = await issue(rig.ports, identity, { device: 'phone', ip: '192.0.2.1' })
    const { code } = await issueCode(rig.ports, login.session.sid, { clientId: 'web' })
    const client = { ip: '192.0.2.2', userAgent: 'browser' }
    const { session } = await exchangeCode(rig.ports, { code, clientId: 'web' }, client)
    const { sid } = login.session
    t.match(session, { ...identity, ...client, clientId: 'web', startedBy: sid, device: undefined })
    t.match(await startFrom(rig, login), { session: { clientId: 'app' } })
    const stored = await living(rig.ports.store, 'alice', rig.ports.clock.now())
    t.match(
      stored.find((one) => one.sid === session.sid),
      { startedBy: sid, accessLife: 2 * HOUR, idle: 30 * DAY },
    )
  })

  t.test('a code doesn’t extend the absolute limit of the login', async (t) => {
    const rig = await open(t, DEFAULTS)
    let login = await issue(rig.ports, { sub: 'alice' })
    for (let i = 0; i < 4; i += 1) {
      await rig.advance(20 * DAY)
      login = await refresh(rig.ports, login.refreshToken!)
    }
    const first = await startFrom(rig, login)
    t.equal(first.sessionExpiresIn, (10 * DAY) / SECOND)
    await rig.advance(5 * DAY)
    const next = await startFrom(rig, await refresh(rig.ports, first.refreshToken!))
    t.equal(next.sessionExpiresIn, (5 * DAY) / SECOND)
    await rig.advance(5 * DAY)
    t.equal(await refreshed(rig, next.refreshToken!), 'refresh_token_expired')
  })

  t.test('a code is no login: the time of the login stays', async (t) => {
    const rig = await open(t, DEFAULTS)
    const login = await issue(rig.ports, { sub: 'alice' })
    const { auth_time } = claimsOf(login.accessToken)
    await rig.advance(MINUTE)
    const first = await startFrom(rig, login)
    await rig.advance(MINUTE)
    const second = await startFrom(rig, first)
    const later = await refresh(rig.ports, second.refreshToken!)
    for (const { accessToken } of [first, second, later]) t.equal(claimsOf(accessToken).auth_time, auth_time)
  })

  t.test('a revoke of earlier logins ends the sessions that their codes began later', async (t) => {
    for (const what of [{ sub: 'alice' }, { all: true }] as const) {
      const rig = await open(t, DEFAULTS)
      const login = await issue(rig.ports, { sub: 'alice' })
      await rig.advance(MINUTE)
      const before = Math.floor(rig.ports.clock.now() / SECOND)
      await rig.advance(MINUTE)
      const child = await startFrom(rig, login)
      const next = await issue(rig.ports, { sub: 'alice' })
      await revoke(rig.ports, { ...what, before })
      for (const { refreshToken } of [login, child])
        t.equal(await refreshed(rig, refreshToken!), 'session_ended', Object.keys(what).join())
      t.equal(await judged(rig, child.accessToken), 'session_ended')
      t.equal(await refreshed(rig, next.refreshToken!), 'good')
    }
  })

  const ENDS: Record<string, (rig: CodeRig, login: TokenSet) => Promise<unknown>> = {
    'a logout': ({ ports }, { session }) => logout(ports, { access: session.sid }),
    '“everywhere”': ({ ports }) => logoutAll(ports, 'alice'),
    'a revoke by sid': ({ ports }, { session }) => revoke(ports, { sid: session.sid }),
    'a revoke by subject': ({ ports }) => revoke(ports, { sub: 'alice' }),
    'a revoke of everybody': ({ ports }) => revoke(ports, { all: true }),
    'its expiry': (rig) => rig.advance(5 * MINUTE),
    'an eviction': async ({ ports, advance }) => {
      await advance(1)
      await issue({ ...ports, settings: { ...ports.settings, perSubject: 1 } }, { sub: 'alice' })
    },
  }
  for (const [name, end] of Object.entries(ENDS)) {
    t.test(`after ${name}, a session gets no code, and its codes begin nothing`, async (t) => {
      const rig = await open(t, { refresh: 5 * MINUTE })
      const login = await issue(rig.ports, { sub: 'alice' })
      const code = await newCode(rig, login)
      await end(rig, login)
      const left = await sidsOf(rig)
      t.equal(await outcomeOf(() => newCode(rig, login)), 'session_ended')
      t.equal(await outcomeOf(() => exchange(rig.ports, code)), 'session_ended')
      t.equal(await outcomeOf(() => exchange(rig.ports, code)), 'invalid_grant')
      t.same(
        (await sidsOf(rig)).filter((sid) => !left.includes(sid)),
        [],
      )
    })
  }

  t.test(
    'after a revoke of everybody, codes begin nothing, however short the denylist remembers it',
    async (t) => {
      const rig = await open(t, DEFAULTS)
      const login = await issue(rig.ports, { sub: 'alice' })
      const code = await newCode(rig, login)
      await revoke(rig.ports, { all: true })
      const { denylist } = rig.ports
      const forgetful = new Proxy(denylist, {
        get: (target, name: keyof typeof denylist) =>
          name === 'check' ? () => undefined : (target[name] as () => unknown).bind(target),
      })
      t.equal(await outcomeOf(() => exchange({ ...rig.ports, denylist: forgetful }, code)), 'session_ended')
    },
  )

  const LOGOUTS: Record<string, (rig: CodeRig, login: TokenSet) => Promise<unknown>> = {
    'a logout': ({ ports }, { session }) => logout(ports, { access: session.sid }),
    'its end from the list of sessions': ({ ports }, { session }) =>
      endOwnSession(ports, 'alice', session.sid),
    'a revoke by sid': ({ ports }, { session }) => revoke(ports, { sid: session.sid }),
    'a reuse of its refresh token': async (rig, login) => {
      await refresh(rig.ports, login.refreshToken!)
      await rig.advance(MINUTE)
      await refreshed(rig, login.refreshToken!)
    },
  }
  for (const [name, end] of Object.entries(LOGOUTS)) {
    t.test(`${name} also ends the sessions that its codes began, and theirs`, async (t) => {
      const rig = await open(t, DEFAULTS)
      const login = await issue(rig.ports, { sub: 'alice' })
      const other = await issue(rig.ports, { sub: 'alice' })
      const first = await startFrom(rig, login)
      const second = await startFrom(rig, first)
      const kept = await startFrom(rig, other)
      await end(rig, login)
      await isDead(t, rig, login, first, second)
      t.same((await sidsOf(rig)).toSorted(), [other.session.sid, kept.session.sid].toSorted())
    })
  }

  t.test('the end of a session that a code began leaves the other one', async (t) => {
    const rig = await open(t, DEFAULTS)
    const login = await issue(rig.ports, { sub: 'alice' })
    const first = await startFrom(rig, login)
    await logout(rig.ports, { access: first.session.sid })
    await isDead(t, rig, first)
    t.equal(await judged(rig, login.accessToken), 'good')
  })

  t.test('a session that expires leaves the sessions that its codes began', async (t) => {
    const rig = await open(t, { refresh: 5 * MINUTE })
    const login = await issue(rig.ports, { sub: 'alice' })
    const first = await startFrom(rig, login)
    await rig.advance(5 * MINUTE)
    t.equal(await refreshed(rig, login.refreshToken!), 'refresh_token_expired')
    t.equal(await judged(rig, first.accessToken), 'good')
    t.equal(await refreshed(rig, first.refreshToken!), 'good')
  })

  t.test('a second use ends the session of the first, and the sessions that its codes began', async (t) => {
    const rig = await open(t, DEFAULTS)
    const login = await issue(rig.ports, { sub: 'alice' })
    const code = await newCode(rig, login)
    const first = await exchange(rig.ports, code)
    const child = await startFrom(rig, first)
    const grandchild = await startFrom(rig, child)
    const sibling = await startFrom(rig, login)
    for (let i = 0; i < 3; i += 1) {
      t.equal(await outcomeOf(() => exchange(rig.ports, code)), 'invalid_grant')
      await isDead(t, rig, first, child, grandchild)
    }
    for (const { accessToken } of [login, sibling]) t.equal(await judged(rig, accessToken), 'good')
    t.same(told(rig, 'code_reused'), [{ event: 'code_reused', sub: 'alice', sid: first.session.sid }])
    t.match(told(rig, 'session_ended'), [{ reason: 'reuse' }, { reason: 'reuse' }, { reason: 'reuse' }])
  })

  t.test('a thief can’t keep a session by the logout of those between it and the first', async (t) => {
    const rig = await open(t, DEFAULTS)
    const login = await issue(rig.ports, { sub: 'alice' })
    const sibling = await startFrom(rig, login)
    const code = await newCode(rig, login)
    const first = await exchange(rig.ports, code)
    const middle = await startFrom(rig, await startFrom(rig, first))
    const last = await startFrom(rig, middle)
    await logout(rig.ports, { access: middle.session.sid })
    t.equal(await outcomeOf(() => exchange(rig.ports, code)), 'invalid_grant')
    await isDead(t, rig, first, middle, last)
    for (const { accessToken } of [login, sibling]) t.equal(await judged(rig, accessToken), 'good')
  })

  t.test('a second use leaves an older session whose issuer has ended', async (t) => {
    const rig = await open(t, DEFAULTS)
    const login = await issue(rig.ports, { sub: 'alice' })
    const other = await issue(rig.ports, { sub: 'alice' })
    const older = await startFrom(rig, other)
    // An eviction, which ends the session alone.
    await endSessions(rig.ports, [{ sid: other.session.sid }], 'evicted')
    await rig.advance(11 * MINUTE)
    const code = await newCode(rig, login)
    await exchange(rig.ports, code)
    t.equal(await outcomeOf(() => exchange(rig.ports, code)), 'invalid_grant')
    t.equal(await judged(rig, older.accessToken), 'good')
  })

  t.test('a second use whose revocation failed is completed by the next one', async (t) => {
    const rig = await open(t, DEFAULTS)
    const login = await issue(rig.ports, { sub: 'alice' })
    const code = await newCode(rig, login)
    const first = await exchange(rig.ports, code)
    const denylist = failingOnce(rig.ports.denylist)
    t.equal(await outcomeOf(() => exchange({ ...rig.ports, denylist }, code)), 'store_unavailable')
    t.equal(await judged(rig, first.accessToken), 'good', 'the fault took place')
    t.equal(await outcomeOf(() => exchange(rig.ports, code)), 'invalid_grant')
    await isDead(t, rig, first)
  })

  t.test(
    'an end that failed half-way is completed by its repetition, with the sessions of codes',
    async (t) => {
      const REPEATED: Record<string, (ports: SessionDependencies, login: TokenSet, code: string) => unknown> =
        {
          'a logout': (ports, { session }) => logout(ports, { access: session.sid }),
          'a revoke by sid': (ports, { session }) => revoke(ports, { sid: session.sid }),
          'a second use': (ports, _, code) => exchange(ports, code),
        }
      for (const [name, end] of Object.entries(REPEATED)) {
        const rig = await open(t, DEFAULTS)
        const login = await issue(rig.ports, { sub: 'alice' })
        const code = await newCode(rig, login)
        const child = await exchange(rig.ports, code)
        const grandchild = await startFrom(rig, child)
        const failing = { ...rig.ports, denylist: failingOnce(rig.ports.denylist) }
        t.equal(await outcomeOf(() => end(failing, login, code)), 'store_unavailable', name)
        t.equal(await judged(rig, grandchild.accessToken), 'good', 'the fault took place')
        t.not(await outcomeOf(() => end(failing, login, code)), 'store_unavailable')
        await isDead(t, rig, child, grandchild)
      }
    },
  )

  t.test('a second use during the first leaves nothing alive', async (t) => {
    const rig = await open(t, DEFAULTS)
    const login = await issue(rig.ports, { sub: 'alice' })
    const code = await newCode(rig, login)
    const slow = withUse(rig.ports, async (use) => {
      const outcome = await rig.ports.codes!.store.use(use)
      t.equal(await outcomeOf(() => exchange(rig.ports, code)), 'invalid_grant')
      return outcome
    })
    t.equal(await outcomeOf(() => exchange(slow, code)), 'store_unavailable')
    t.same(await sidsOf(rig), [login.session.sid])
  })

  t.test('a logout between the steps of an exchange ends it', async (t) => {
    for (const all of [false, true]) {
      const rig = await open(t, DEFAULTS)
      const login = await issue(rig.ports, { sub: 'alice' })
      const { sid } = login.session
      const slow = withStore(rig.ports, {
        async create(session, secrets) {
          await (all ? logoutAll(rig.ports, 'alice', { own: sid }) : logout(rig.ports, { access: sid }))
          await rig.ports.store.create(session, secrets)
        },
      })
      const code = await newCode(rig, login)
      t.equal(await outcomeOf(() => exchange(slow, code)), 'session_ended')
      t.same(await sidsOf(rig), [])
    }
  })

  t.test('a revoke by subject between the steps of an exchange ends it', async (t) => {
    const rig = await open(t, DEFAULTS)
    const login = await issue(rig.ports, { sub: 'alice' })
    const slow = withStore(rig.ports, {
      async create(session, secrets) {
        await revoke(rig.ports, { sub: 'alice' })
        await rig.ports.store.create(session, secrets)
      },
    })
    const code = await newCode(rig, login)
    t.equal(await outcomeOf(() => exchange(slow, code)), 'session_ended')
    t.same(await sidsOf(rig), [])
  })

  t.test('“everywhere” ends the sessions that codes begin after it has read the index', async (t) => {
    const rig = await open(t, DEFAULTS)
    const own = await issue(rig.ports, { sub: 'alice' })
    const other = await issue(rig.ports, { sub: 'alice' })
    const given: TokenSet[] = []
    const exchanges = once(async () => {
      const child = await startFrom(rig, own)
      const middle = await startFrom(rig, child)
      given.push(child, middle, await startFrom(rig, other), await startFrom(rig, middle))
      // The session between two others has ended, and its record no longer says what began it.
      await logout(rig.ports, { access: middle.session.sid })
    })
    const slow = withStore(rig.ports, {
      async sids(sub) {
        const found = await rig.ports.store.sids(sub)
        await exchanges()
        return found
      },
    })
    await logoutAll(slow, 'alice', { own: own.session.sid })
    t.equal(given.length, 4)
    await isDead(t, rig, own, other, ...given)
    t.same(await sidsOf(rig), [])
  })

  t.test('“everywhere” except one keeps that session, and the sessions that its codes begin', async (t) => {
    const rig = await open(t, DEFAULTS)
    const kept = await issue(rig.ports, { sub: 'alice' })
    const other = await issue(rig.ports, { sub: 'alice' })
    const given: TokenSet[] = []
    const exchanges = once(async () => {
      given.push(await startFrom(rig, kept), await startFrom(rig, other))
    })
    const slow = withStore(rig.ports, {
      async sids(sub) {
        const found = await rig.ports.store.sids(sub)
        await exchanges()
        return found
      },
    })
    await logoutAll(slow, 'alice', { except: kept.session.sid })
    await isDead(t, rig, other, given[1]!)
    for (const { accessToken } of [kept, given[0]!]) t.equal(await judged(rig, accessToken), 'good')
  })

  t.test(
    '“everywhere” that failed after it found a racing session ends that session when repeated',
    async (t) => {
      const rig = await open(t, DEFAULTS)
      const own = await issue(rig.ports, { sub: 'alice' })
      const given: TokenSet[] = []
      const exchanges = once(async () => given.push(await startFrom(rig, own)))
      const slow = withStore(rig.ports, {
        async sids(sub) {
          const found = await rig.ports.store.sids(sub)
          await exchanges()
          return found
        },
      })
      const failing = { ...slow, denylist: failingOnce(rig.ports.denylist) }
      const all = () => logoutAll(failing, 'alice', { own: own.session.sid })
      t.equal(await outcomeOf(all), 'store_unavailable')
      t.equal(await judged(rig, own.accessToken), 'good', 'the caller can repeat it')
      t.equal(await outcomeOf(all), 'good')
      await isDead(t, rig, own, ...given)
    },
  )

  t.test('a changed password also ends the sessions that codes begin meanwhile', async (t) => {
    const rig = await open(t, DEFAULTS)
    const isOutdated = ({ credential }: Session) => credential === 'old'
    const old = await issue(rig.ports, { sub: 'alice' }, {}, { credential: 'old' })
    const current = await issue(rig.ports, { sub: 'alice' }, {}, { credential: 'new' })
    const given: TokenSet[] = []
    const exchanges = once(async () => {
      const child = await startFrom(rig, old)
      given.push(child, await startFrom(rig, child), await startFrom(rig, current))
    })
    const slow = withStore(rig.ports, {
      async indexed(...place) {
        const found = await rig.ports.store.indexed(...place)
        await exchanges()
        return found
      },
    })
    t.equal(await endOutdatedSessions(slow, ['alice'], isOutdated), 3)
    await isDead(t, rig, old, ...given.slice(0, 2))
    for (const { accessToken } of [current, given[2]!]) t.equal(await judged(rig, accessToken), 'good')
  })

  t.test('the user is read again at an exchange', async (t) => {
    const rig = await open(t, DEFAULTS)
    const login = await issue(rig.ports, { sub: 'alice', scope: 'read write', claims: { role: 'editor' } })
    const seen: unknown[] = []
    let answer: () => Awaited<ReturnType<RefreshCheck>> = () => ({ scope: 'read' })
    const refreshChecks = new RefreshChecks(async ({ sid }, request) => {
      seen.push({ sid, request })
      return answer()
    })
    const ports = { ...rig.ports, refreshChecks }
    const use = async () => exchangeCode(ports, { code: await newCode(rig, login) }, {}, 'the request')
    const { accessToken, session } = await use()
    t.match(claimsOf(accessToken), { scope: 'read', role: 'editor' })
    t.same(seen, [{ sid: login.session.sid, request: 'the request' }])
    answer = () => {
      throw new Error('the database is down')
    }
    t.equal(await outcomeOf(use), 'store_unavailable')
    t.equal(await judged(rig, login.accessToken), 'good')
    t.same((await sidsOf(rig)).toSorted(), [login.session.sid, session.sid].toSorted())
    answer = () => null
    t.equal(await outcomeOf(use), 'session_ended')
    await isDead(t, rig, login)
    t.same(await sidsOf(rig), [], 'and what its codes began')
  })

  t.test('after a crash, nothing can be used twice', async (t) => {
    const crash = storeUnavailable('the test says so')
    const CRASHES: Record<string, (rig: CodeRig) => SessionDependencies> = {
      'after the use of the code': (rig) =>
        withUse(rig.ports, async (use) => {
          await rig.ports.codes!.store.use(use)
          throw crash
        }),
      'after the session was stored': (rig) =>
        withStore(rig.ports, {
          async create(session, secrets) {
            await rig.ports.store.create(session, secrets)
            throw crash
          },
        }),
    }
    for (const [name, crashing] of Object.entries(CRASHES)) {
      const rig = await open(t, DEFAULTS)
      const login = await issue(rig.ports, { sub: 'alice' })
      const code = await newCode(rig, login)
      t.equal(await outcomeOf(() => exchange(crashing(rig), code)), 'store_unavailable', name)
      t.equal(await outcomeOf(() => exchange(rig.ports, code)), 'invalid_grant')
      t.same(await sidsOf(rig), [login.session.sid], 'a repetition ends what the crash left')
      t.equal(await judged(rig, login.accessToken), 'good')
    }
  })

  t.test('a session without tokens, which a crash left, expires', async (t) => {
    const rig = await open(t, DEFAULTS)
    const login = await issue(rig.ports, { sub: 'alice' })
    const code = await newCode(rig, login)
    const crashing = withStore(rig.ports, {
      async create(session, secrets) {
        await rig.ports.store.create(session, secrets)
        throw storeUnavailable('the test says so')
      },
    })
    t.equal(await outcomeOf(() => exchange(crashing, code)), 'store_unavailable')
    t.equal((await sidsOf(rig)).length, 2)
    await rig.advance(30 * DAY)
    t.same(await sidsOf(rig), [])
  })

  t.test(
    'an exchange beyond the limit of sessions replaces the oldest, even the one of the code',
    async (t) => {
      const rig = await open(t, { ...DEFAULTS, perSubject: 1 })
      const login = await issue(rig.ports, { sub: 'alice' })
      const code = await newCode(rig, login)
      await rig.advance(1)
      const first = await exchange(rig.ports, code)
      t.equal(await judged(rig, first.accessToken), 'good')
      t.equal(await judged(rig, login.accessToken), 'signed_in_elsewhere')
      t.same(await sidsOf(rig), [first.session.sid])
    },
  )

  t.test('an exchange beyond a limit that refuses begins nothing', async (t) => {
    const rig = await open(t, { ...DEFAULTS, perSubject: 1, onLimit: 'refuse' })
    const login = await issue(rig.ports, { sub: 'alice' })
    const code = await newCode(rig, login)
    await rig.advance(1)
    t.equal(await outcomeOf(() => exchange(rig.ports, code)), 'signed_in_elsewhere')
    t.same(await sidsOf(rig), [login.session.sid])
  })

  t.test('a full store refuses codes and exchanges, and leaves the code good', async (t) => {
    const rig = await open(t, DEFAULTS)
    const login = await issue(rig.ports, { sub: 'alice' })
    const code = await newCode(rig, login)
    const full = { ...rig.ports, isFull: () => true }
    t.equal(await outcomeOf(() => issueCode(full, login.session.sid, {})), 'overloaded')
    t.equal(await outcomeOf(() => exchange(full, code)), 'overloaded')
    t.equal(await outcomeOf(() => exchange(rig.ports, code)), 'good')
  })
}
