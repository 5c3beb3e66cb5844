import t from 'tap'
import type { Test } from 'tap'
import { createJwt } from '../../plugins/jwt.js'
import type { ErrorCode } from '../../src/errors.js'
import { LongLivedConnections } from '../../src/token/long-lived-connections.js'
import { MemoryDenylist } from '../../src/revocation/memory-denylist.js'
import { EVICTED } from '../../src/revocation/entry.js'
import type { RevocationReason, OnOutage, Denylist } from '../../src/revocation/denylist.js'
import { SignatureBudget } from '../../src/token/signature-budget.js'
import { VerifiedCache } from '../../src/token/verified-cache.js'
import { TokenVerifier } from '../../src/token/token-verifier.js'
import type { Auth } from '../../src/token/auth.js'
import { MovableClock } from '../support/movable-clock.js'
import { soon } from '../support/gateway-process.js'
import { AUDIENCE, ISSUER, forge, headerOf, newKey } from '../support/access-tokens.js'

const LIFE = { horizon: 900_000, leeway: 0 }
const keys = { usual: await newKey('ES256'), other: await newKey('ES256') }
const settings = { issuer: ISSUER, audience: AUDIENCE }
const verifiers = await Promise.all(Object.values(keys).map((key) => createJwt(key, settings)))

interface RigOptions {
  leeway?: number
  /** What of the denylist is answered otherwise. */
  revocation?: Partial<Denylist>
}

function rig(t: Test, { leeway = 0, revocation }: RigOptions = {}) {
  const clock = new MovableClock()
  const denylist = new MemoryDenylist(clock, LIFE)
  // Tokens of the second in which it began are of before it.
  clock.advance(1_000)
  const live = new LongLivedConnections({
    denylist: Object.assign(denylist, revocation),
    clock,
    leeway,
  })
  t.teardown(() => live.close())
  const verdict = new TokenVerifier({
    keys: new Map(verifiers.map(({ verifier }) => [verifier.kid, verifier])),
    verified: new VerifiedCache(0),
    denylist: Object.assign(new MemoryDenylist(new MovableClock(0), LIFE), {
      latestIssue: () => Number.POSITIVE_INFINITY,
    }),
    clock,
    settings: { ...settings, ...LIFE },
    budget: new SignatureBudget(clock, (address) => address, 'ES512'),
  })

  let count = 0
  /** Watches a stream of a token, a session and a subject of its own, unless it is said otherwise. */
  const watch = (
    { sid, key = 'usual' }: { sid?: string; key?: keyof typeof keys } = {},
    onOutage: OnOutage = 'closed',
  ) => {
    const n = String((count += 1))
    const iat = clock.now() / 1000
    const ids = { sub: `sub${n}`, sid: sid ?? `sid${n}`, jti: `jti${n}` }
    const claims = { iss: ISSUER, aud: AUDIENCE, client_id: 'c', ...ids, iat, exp: iat + 60 }
    const auth = verdict.verifyToken(forge(keys[key], headerOf(keys[key]), claims)) as Auth
    const ends: ErrorCode[] = []
    const unwatch = live.watch({ auth, onOutage, end: (code) => void ends.push(code) })
    return { auth, ends, unwatch }
  }
  return { clock, denylist, live, watch }
}

/** Time for a few looks. */
const looks = () => new Promise((resolve) => setTimeout(resolve, 100))

t.test('a denylist entry ends what it covers, once, by the code that a new request would get', async (t) => {
  const kinds = {
    jti: 'token_revoked',
    sid: 'session_ended',
    sub: 'token_revoked',
    kid: 'token_revoked',
    all: 'token_revoked',
  } as const
  for (const kind of Object.keys(kinds) as (keyof typeof kinds)[]) {
    const { watch, denylist, live, clock } = rig(t)
    const other = watch({ key: 'other' })
    const one = watch()
    const sibling = watch({ sid: one.auth.sid })
    const id = kind === 'all' ? '*' : kind === 'kid' ? keys.usual.kid : one.auth[kind]
    await denylist.revoke([{ kind, id, until: clock.now() + 60_000 }])
    await soon('it has ended', () => one.ends.length > 0)
    t.strictSame(one.ends, [kinds[kind]], kind)
    t.strictSame(other.ends, kind === 'all' ? ['token_revoked'] : [])
    const isSibling = kind === 'sid' || kind === 'kid' || kind === 'all'
    t.strictSame(sibling.ends, isSibling ? [kinds[kind]] : [])
    t.equal(live.size, 3 - [one, other, sibling].filter(({ ends }) => ends.length > 0).length)
  }
})

t.test('an eviction ends the connections of its session, by its own code', async (t) => {
  const { watch, denylist } = rig(t)
  const [one, other] = [watch(), watch()]
  await denylist.revoke([{ kind: 'sid', id: one.auth.sid, before: EVICTED }])
  await soon('it has ended', () => one.ends.length > 0)
  t.strictSame([one.ends, other.ends], [['signed_in_elsewhere'], []])
})

t.test('an entry from before the watch ends them, too', async (t) => {
  const { watch, denylist } = rig(t)
  await denylist.revoke([{ kind: 'sid', id: 'gone' }])
  const { ends } = watch({ sid: 'gone' })
  await soon('it has ended', () => ends.length > 0)
  t.strictSame(ends, ['session_ended'])
})

t.test('a connection ends when its token expires, with the leeway, and not before', async (t) => {
  const { watch, clock } = rig(t, { leeway: 5_000 })
  const { ends } = watch()
  clock.advance(64_999)
  await looks()
  t.strictSame(ends, [])
  clock.advance(1)
  await soon('it has ended', () => ends.length > 0)
  t.strictSame(ends, ['token_expired'])
})

t.test('a closed connection is not ended again', async (t) => {
  const { watch, denylist, live } = rig(t)
  const { auth, ends, unwatch } = watch()
  unwatch()
  t.equal(live.size, 0)
  await denylist.revoke([{ kind: 'sid', id: auth.sid }])
  await looks()
  t.strictSame(ends, [])
})

t.test('an error while ending one doesn’t keep the others open', async (t) => {
  const { watch, denylist, live } = rig(t)
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
  const first = watch()
  const end = () => {
    throw new Error('a mistake of the host’s')
  }
  live.watch({ auth: first.auth, onOutage: 'closed', end })
  const last = watch({ sid: first.auth.sid })
  await denylist.revoke([{ kind: 'sid', id: first.auth.sid }])
  await soon('it has ended', () => last.ends.length > 0)
  t.equal((await warned).message, 'a mistake of the host’s')
  const later = watch()
  await denylist.revoke([{ kind: 'sid', id: later.auth.sid }])
  await soon('it goes on looking', () => later.ends.length > 0)
})

t.test('while nothing has changed, only new connections are checked', async (t) => {
  let version = 'first'
  const asked: string[] = []
  const peek = ({ sid }: { sid: string }) => void asked.push(sid)
  const { watch } = rig(t, { revocation: { peek, version: () => version } })
  const one = watch()
  await soon('it was asked about', () => asked.length > 0)
  const two = watch()
  await soon('so was the next', () => asked.includes(two.auth.sid))
  await looks()
  t.strictSame(asked, [one.auth.sid, two.auth.sid], 'once each')
  version = 'second'
  await soon('both, after a change', () => asked.length >= 4)
  t.strictSame(asked.slice(2).toSorted(), [one.auth.sid, two.auth.sid].toSorted())
})

/** A denylist that answers as it is told to. */
function fickle(t: Test) {
  const state: {
    answer: RevocationReason | 'unknown' | undefined
    outage: RevocationReason | 'open' | undefined
  } = {
    answer: undefined,
    outage: 'open',
  }
  let asked = 0
  const made = rig(t, {
    revocation: {
      peek: () => ((asked += 1), state.answer),
      checkInOutage: (_token, onOutage) => {
        if (onOutage === 'closed' || state.outage === undefined) return undefined
        return { reason: state.outage === 'open' ? undefined : state.outage, outage: 'open' }
      },
    },
  })
  const askedOnce = async () => {
    const before = asked
    await soon('it is asked', () => asked > before)
  }
  return { ...made, state, askedOnce }
}

t.test(
  'without a decision a connection ends after a short wait, unless its route says otherwise',
  async (t) => {
    const { state, watch } = fickle(t)
    const closed = watch()
    const open = watch({}, 'open')
    state.answer = 'unknown'
    const since = performance.now()
    await soon('it has ended', () => closed.ends.length > 0)
    t.ok(performance.now() - since >= 60, 'not at once')
    t.strictSame(closed.ends, ['store_unavailable'])
    t.strictSame(open.ends, [])
    state.outage = undefined
    await soon('nor for ever', () => open.ends.length > 0)
    t.strictSame(open.ends, ['store_unavailable'])
  },
)

t.test('a known entry ends connections on any route', async (t) => {
  const { state, watch } = fickle(t)
  const { ends } = watch({}, 'open')
  state.outage = 'sid'
  state.answer = 'unknown'
  await soon('it has ended', () => ends.length > 0)
  t.strictSame(ends, ['session_ended'])
})

t.test('a short time without a decision is tolerated, as often as it happens', async (t) => {
  const { state, watch, askedOnce } = fickle(t)
  const { ends } = watch()
  for (let n = 0; n < 6; n += 1) {
    state.answer = 'unknown'
    await askedOnce()
    state.answer = undefined
    await askedOnce()
    await askedOnce()
  }
  t.strictSame(ends, [])
})

t.test('an unresponsive store leaves nothing open and hides no expiry', async (t) => {
  const { watch, clock } = rig(t, { revocation: { peek: () => new Promise(() => {}) } })
  const [silent, short] = [watch(), watch({}, 'open')]
  await soon('it has ended', () => silent.ends.length > 0)
  t.strictSame(silent.ends, ['store_unavailable'])
  clock.advance(61_000)
  await soon('so has the one that expired', () => short.ends.length > 0)
})
