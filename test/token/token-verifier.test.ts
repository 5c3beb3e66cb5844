import t from 'tap'
import { createJwt } from '../../plugins/jwt.js'
import { PortcullisError } from '../../src/errors.js'
import type { RevocableToken, Denylist } from '../../src/revocation/denylist.js'
import { MemoryDenylist } from '../../src/revocation/memory-denylist.js'
import { formatRefreshToken, newRefreshToken, parseRefreshToken } from '../../src/token/refresh-token.js'
import { SignatureBudget } from '../../src/token/signature-budget.js'
import { PROOF } from '../support/refresh-token-proof.js'
import { VerifiedCache } from '../../src/token/verified-cache.js'
import { TokenVerifier } from '../../src/token/token-verifier.js'
import type { VerifiedToken } from '../../src/token/token-verifier.js'
import { MovableClock } from '../support/movable-clock.js'
import { AUDIENCE, ISSUER, forge, headerOf, newKey } from '../support/access-tokens.js'

const life = { horizon: 900_000, leeway: 0 }
const key = await newKey('ES256')
const jwt = await createJwt(key, { issuer: ISSUER, audience: AUDIENCE })

/** A verdict of its own clock and denylist, and claims that are good there now. */
async function court({ leeway = 0, denylist: given }: { leeway?: number; denylist?: Denylist } = {}) {
  const clock = new MovableClock()
  const denylist = given ?? new MemoryDenylist(clock, { ...life, leeway })
  const keys = new Map([[key.kid, jwt.verifier]])
  const settings = { issuer: ISSUER, audience: AUDIENCE, ...life, leeway }
  const verified = new VerifiedCache<VerifiedToken>(100)
  const budget = new SignatureBudget(clock, (address) => address, 'ES512')
  const verdict = new TokenVerifier({ keys, verified, denylist, clock, settings, budget })
  const { issuedAt, jtiPrefix } = await denylist.stamp()
  const claims = {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: 'alice',
    client_id: 'c',
    sid: 's1',
    jti: `${jtiPrefix}1`,
    iat: issuedAt,
    exp: issuedAt + 900,
    scope: 'read write',
  }
  const token = (change: object = {}) => forge(key, headerOf(key), { ...claims, ...change })
  return { clock, revocation: denylist, verdict, verified, keys, claims, token }
}

/** A denylist that answers so. */
function stub(
  check: Denylist['check'],
  checkInOutage: Denylist['checkInOutage'] = () => undefined,
): Denylist {
  return {
    check,
    checkInOutage,
    peek: () => 'unknown',
    version: () => undefined,
    revoke: async () => {},
    stamp: async () => ({ issuedAt: 1_800_000_000, jtiPrefix: 'MARKMARK' }),
    latestIssue: () => 1_800_000_001_000,
    trusts: () => true,
  }
}

/** The code that the token is refused with, or `good`. */
async function outcome(judge: () => unknown): Promise<string> {
  try {
    await judge()
    return 'good'
  } catch (error) {
    if (error instanceof PortcullisError) return error.code
    throw error
  }
}

t.test('a valid token yields its identity synchronously', async (t) => {
  const { verdict, token, claims } = await court()
  const auth = verdict.verifyToken(token())
  t.notOk(auth instanceof Promise, 'a denylist in memory is not waited for')
  t.strictSame(auth, {
    sub: 'alice',
    sid: 's1',
    jti: claims.jti,
    scope: ['read', 'write'],
    issuedAt: claims.iat,
    expiresAt: claims.exp,
    claims,
  })
})

t.test('a token that we have signed is valid', async (t) => {
  const { verdict, claims } = await court()
  t.match(verdict.verifyToken(jwt.sign(claims)), { sub: 'alice' })
})

t.test('without a scope the list is empty', async (t) => {
  const { verdict, token } = await court()
  t.match(verdict.verifyToken(token({ scope: undefined })), { scope: [] })
  t.match(verdict.verifyToken(token({ scope: '' })), { scope: [] })
})

t.test('the first failed check is reported: shape, signature, claims, expiry, revocation', async (t) => {
  const { verdict, revocation, token, clock, claims } = await court()
  await revocation.revoke([{ kind: 'sid', id: 's1' }])
  const [h, , s] = token().split('.') as [string, string, string]
  const bad = { exp: claims.exp - 800, iss: 'other' }
  clock.advance(200_000)
  const judged = (text: string) => outcome(() => verdict.verifyToken(text))
  t.equal(await judged(`${token(bad)}=`), 'token_malformed', 'wrong in every way')
  t.equal(
    await judged(`${h}.${token(bad).split('.')[1]}.${s}`),
    'token_invalid',
    'signature, claims, expiry, revoked',
  )
  t.equal(await judged(token(bad)), 'token_invalid', 'claims, expiry, revoked')
  t.equal(await judged(token({ exp: bad.exp })), 'token_expired', 'expiry, revoked')
  t.equal(await judged(token()), 'session_ended', 'revoked alone')
  t.equal(await judged(token({ sid: 's2' })), 'good', 'nothing')
})

t.test(
  'a revoked token is token_revoked, an ended session session_ended, and the session comes first',
  async (t) => {
    const { verdict, revocation, token, claims } = await court()
    const judged = (change: object) => outcome(() => verdict.verifyToken(token(change)))
    await revocation.revoke([{ kind: 'jti', id: claims.jti, until: claims.exp * 1000 }])
    t.equal(await judged({}), 'token_revoked')
    t.equal(await judged({ jti: `${claims.jti}2` }), 'good', 'another token of the session')
    await revocation.revoke([{ kind: 'sid', id: 's1' }])
    t.equal(await judged({}), 'session_ended')
    t.equal(await judged({ jti: `${claims.jti}2` }), 'session_ended')
    t.equal(await judged({ sid: 's2', jti: `${claims.jti}2` }), 'good', 'another session')
  },
)

t.test('a jti is not a sid, nor the other way round', async (t) => {
  const { verdict, revocation, token, claims } = await court()
  await revocation.revoke([
    { kind: 'jti', id: 's1', until: claims.exp * 1000 },
    { kind: 'sid', id: claims.jti },
  ])
  t.equal(await outcome(() => verdict.verifyToken(token())), 'good')
})

t.test('a denylist entry holds to the end of the token, whatever the leeway', async (t) => {
  for (const leeway of [0, 5_000]) {
    const { verdict, revocation, token, clock } = await court({ leeway })
    const judged = () => outcome(() => verdict.verifyToken(token()))
    clock.advance(100)
    await revocation.revoke([{ kind: 'sid', id: 's1' }])
    clock.advance(900_000 + leeway - 101)
    t.equal(await judged(), 'session_ended', 'a ms before it expires')
    clock.advance(1)
    t.equal(await judged(), 'token_expired')
  }
})

t.test('a token from before the start with an unknown history is refused', async (t) => {
  const { verdict, token, claims, clock } = await court()
  const judged = (iat: number) =>
    outcome(() => verdict.verifyToken(token({ jti: 'of-another-process', iat, exp: iat + 900 })))
  t.equal(await judged(claims.iat - 1), 'history_lost')
  t.equal(await judged(claims.iat), 'history_lost', 'the very second of the start')
  clock.advance(1_000)
  t.equal(await judged(claims.iat + 1), 'good')
})

t.test('decodeOwnToken accepts expired and revoked tokens, and no forged one', async (t) => {
  const { verdict, revocation, token, clock, claims } = await court()
  await revocation.revoke([{ kind: 'sid', id: 's1' }])
  t.match(verdict.decodeOwnToken(token()), { claims, key: { kid: key.kid }, expired: false })
  clock.advance(86_400_000)
  t.match(verdict.decodeOwnToken(token()), { claims, expired: true })
  const [h, p] = token().split('.') as [string, string]
  const [, , of] = token({ sub: 'mallory' }).split('.') as [string, string, string]
  t.equal(await outcome(() => verdict.decodeOwnToken(`${h}.${p}.${of}`)), 'token_invalid')
  t.equal(await outcome(() => verdict.decodeOwnToken(token({ iss: 'other' }))), 'token_invalid')
  t.equal(await outcome(() => verdict.decodeOwnToken(`${h}.${p}`)), 'token_malformed')
})

t.test('a refresh token is no access token, and an access token no refresh token', async (t) => {
  const { verdict, token } = await court()
  for (let i = 0; i < 200; i++) {
    const refresh = formatRefreshToken(newRefreshToken(), PROOF)
    t.match(await outcome(() => verdict.verifyToken(refresh)), /^token_(?:malformed|invalid)$/)
    t.match(await outcome(() => verdict.decodeOwnToken(refresh)), /^token_(?:malformed|invalid)$/)
  }
  t.equal(parseRefreshToken(token(), PROOF), undefined)
})

t.test('an asynchronous denylist decides the same', async (t) => {
  const denials = ['sid', 'jti', 'history', undefined] as const
  const codes = ['session_ended', 'token_revoked', 'history_lost', 'good']
  for (const [i, denial] of denials.entries()) {
    const denylist = stub(async () => denial)
    const { verdict, token } = await court({ denylist })
    t.type(
      Promise.resolve(verdict.verifyToken(token())).catch(() => {}),
      Promise,
    )
    t.equal(await outcome(() => verdict.verifyToken(token())), codes[i])
  }
})

t.test('a denylist that can’t decide is store_unavailable, neither valid nor revoked', async (t) => {
  const down = new PortcullisError('store_unavailable')
  const late = await court({ denylist: stub(() => Promise.reject(down)) })
  t.equal(await outcome(() => late.verdict.verifyToken(late.token())), 'store_unavailable')
  let asked = 0
  const check = () => {
    asked++
    throw down
  }
  const early = await court({ denylist: stub(check) })
  t.equal(await outcome(() => early.verdict.verifyToken(early.token())), 'store_unavailable')
  t.equal(
    await outcome(() => early.verdict.verifyToken(`${early.token()}=`)),
    'token_malformed',
    'a bad one is bad all the same',
  )
  t.equal(asked, 1, 'and no store is asked about it')
})

t.test('an entry for a subject, everybody or a key makes a token token_revoked', async (t) => {
  for (const entry of [
    { kind: 'sub', id: 'alice' },
    { kind: 'all', id: '*' },
    { kind: 'kid', id: key.kid },
  ] as const) {
    const { verdict, revocation, token } = await court()
    await revocation.revoke([entry])
    t.equal(await outcome(() => verdict.verifyToken(token())), 'token_revoked', entry.kind)
    const stranger = entry.kind === 'sub' ? 'good' : 'token_revoked'
    t.equal(await outcome(() => verdict.verifyToken(token({ sub: 'bob' }))), stranger, entry.kind)
  }
})

t.test('the denylist is queried for exactly this token and its key', async (t) => {
  const asked: RevocableToken[] = []
  const denylist = stub((about) => void asked.push(about))
  const { verdict, token, claims } = await court({ denylist })
  await verdict.verifyToken(token())
  const { jti, sid, sub, iat } = claims
  t.match(asked, [{ jti, sid, sub, iat, kid: key.kid }])
  t.equal(asked.length, 1)
})

t.test('in an outage only a route with onOutage decides without the denylist', async (t) => {
  const down = new PortcullisError('store_unavailable')
  const preferred: unknown[] = []
  const denylist = stub(
    () => Promise.reject(down),
    ({ sid }, onOutage) => {
      preferred.push(onOutage)
      if (sid === 'forgotten') return undefined
      return { reason: sid === 'ended' ? 'sid' : undefined, outage: 'stale' }
    },
  )
  const { verdict, token } = await court({ denylist })
  const stale = { stale: 30_000 }
  t.equal(await outcome(() => verdict.verifyTokenInOutage(token(), 'closed')), 'store_unavailable')
  t.strictSame(preferred, [], 'closed doesn’t even ask')
  t.match(await verdict.verifyTokenInOutage(token(), stale), { auth: { sub: 'alice' }, outage: 'stale' })
  t.strictSame(preferred, [stale])
  t.equal(await outcome(() => verdict.verifyTokenInOutage(token({ sid: 'ended' }), stale)), 'session_ended')
  t.equal(
    await outcome(() => verdict.verifyTokenInOutage(token({ sid: 'forgotten' }), stale)),
    'store_unavailable',
  )
  t.equal(await outcome(() => verdict.verifyTokenInOutage(`${token()}=`, 'open')), 'token_malformed')
})

t.test('without an outage onOutage changes nothing', async (t) => {
  const { verdict, revocation, token } = await court()
  t.strictSame(Object.keys(await verdict.verifyTokenInOutage(token(), 'open')), ['auth'])
  await revocation.revoke([{ kind: 'sid', id: 's1' }])
  t.equal(await outcome(() => verdict.verifyTokenInOutage(token(), 'open')), 'session_ended')
})

t.test('a cached token is checked like any other: revoked, expired, its key removed', async (t) => {
  const { verdict, verified, revocation, keys, clock, token, claims } = await court()
  const text = token()
  const judged = () => outcome(() => verdict.verifyToken(text))
  t.equal(await judged(), 'good')
  t.equal(await judged(), 'good')
  t.match(verified.stats, { hits: 1, misses: 1, size: 1 }, 'the second time it was known')

  const held = keys.get(key.kid)!
  keys.delete(key.kid)
  t.equal(await judged(), 'token_invalid', 'its key was retired')
  keys.set(key.kid, { ...held })
  t.equal(await judged(), 'good', 'verified anew, by the key of now')
  await revocation.revoke([{ kind: 'jti', id: claims.jti, until: claims.exp * 1000 }])
  t.equal(await judged(), 'token_revoked')
  clock.advance(900_000)
  t.equal(await judged(), 'token_expired')
  t.equal(verified.stats.size, 0, 'and forgotten')
})

t.test('a refused token is never cached', async (t) => {
  const { verdict, verified, token, clock } = await court()
  const [h, p, s] = token().split('.') as [string, string, string]
  await outcome(() => verdict.verifyToken(`${h}.${p}.${s.startsWith('A') ? 'B' : 'A'}${s.slice(1)}`))
  await outcome(() => verdict.verifyToken(token({ iss: 'other' })))
  clock.advance(900_000)
  await outcome(() => verdict.verifyToken(token()))
  t.equal(verified.stats.size, 0)
})

t.test('requests with one token can’t change what they share', async (t) => {
  const { verdict, token } = await court()
  const text = token({ roles: ['reader'], tenant: { name: 'acme' } })
  const auth = await verdict.verifyToken(text)
  t.equal(await verdict.verifyToken(text), auth, 'it is shared')
  const { roles, tenant } = auth.claims as unknown as { roles: string[]; tenant: { name: string } }
  t.throws(() => roles.push('admin'), TypeError)
  t.throws(() => (tenant.name = 'other'), TypeError)
  t.throws(() => ((auth as { sub: string }).sub = 'bob'), TypeError)
  t.throws(() => (auth.scope as string[]).push('admin'), TypeError)
})
