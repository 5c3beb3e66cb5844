/** Keys that aren't known yet when a token comes. */
import t from 'tap'
import { createJwt } from '../../plugins/jwt.js'
import { PortcullisError } from '../../src/errors.js'
import { NoDenylist } from '../../src/revocation/no-denylist.js'
import type { KeySet, KeyVerifier } from '../../src/token/access-token.js'
import { SignatureBudget } from '../../src/token/signature-budget.js'
import { TokenVerifier } from '../../src/token/token-verifier.js'
import { VerifiedCache } from '../../src/token/verified-cache.js'
import { AUDIENCE, ISSUER, encode, forge, headerOf, newKey } from '../support/access-tokens.js'
import { MovableClock } from '../support/movable-clock.js'

const key = await newKey('ES256')
const jwt = await createJwt(key, { issuer: ISSUER, audience: AUDIENCE })
const iat = 1_800_000_000
const claims = { iss: ISSUER, aud: AUDIENCE, sub: 'a', sid: 's', jti: 'j', iat, exp: iat + 60 }
const token = forge(key, headerOf(key), claims)

function open(keys: KeySet) {
  const clock = new MovableClock()
  return new TokenVerifier({
    keys,
    verified: new VerifiedCache(100),
    denylist: new NoDenylist(clock, 0),
    clock,
    settings: { issuer: ISSUER, audience: AUDIENCE, horizon: 900_000, leeway: 0 },
    budget: new SignatureBudget(clock, (address) => address, 'ES256'),
  })
}

/** Keys that are known after the first load, and the ids that were looked for. */
function late(found: KeyVerifier | undefined) {
  const asked: string[] = []
  let known: KeyVerifier | undefined
  const keys: KeySet = {
    get: () => known,
    load: (kid) => {
      if (known !== undefined) return undefined
      asked.push(kid)
      return Promise.resolve().then(() => void (known = found))
    },
  }
  return { keys, asked }
}

t.test('every way of verifying waits for the key of a token', async (t) => {
  for (const verify of [
    (verifier: TokenVerifier) => verifier.verifyToken(token),
    async (verifier: TokenVerifier) => (await verifier.verifyTokenInOutage(token, 'open')).auth,
    async (verifier: TokenVerifier) => (await verifier.explain(token)).claims,
    async (verifier: TokenVerifier) => {
      await verifier.loadKey(token)
      return verifier.decodeOwnToken(token).claims
    },
  ]) {
    const { keys, asked } = late(jwt.verifier)
    t.match(await verify(open(keys)), { sub: 'a' })
    t.strictSame(asked, [key.kid])
  }
})

t.test('a token in the cache, and one of a known key, are verified without waiting', async (t) => {
  const { keys, asked } = late(jwt.verifier)
  const verifier = open(keys)
  await verifier.verifyToken(token)
  t.notOk(verifier.verifyToken(token) instanceof Promise)
  t.notOk(verifier.verifyToken(forge(key, headerOf(key), { ...claims, jti: 'k' })) instanceof Promise)
  t.equal(asked.length, 1)
})

t.test('a key that isn’t found is looked for once, and the token is refused', async (t) => {
  const { keys, asked } = late(undefined)
  await t.rejects(Promise.resolve(open(keys).verifyToken(token)), { code: 'token_invalid', reason: 'kid' })
  t.equal(asked.length, 1)
})

t.test('no key is looked for because of a header that is refused anyway', async (t) => {
  const { keys, asked } = late(jwt.verifier)
  const verifier = open(keys)
  const payload = encode(claims)
  for (const header of [
    { typ: 'JWT' },
    { crit: ['x'] },
    { kid: 7 },
    { kid: undefined },
    { jku: 'http://a/' },
  ]) {
    const bad = `${encode({ ...headerOf(key), ...header })}.${payload}.AAAA`
    await t.rejects(async () => verifier.verifyToken(bad), { code: 'token_invalid' })
  }
  await t.rejects(async () => verifier.verifyToken('x'), { code: 'token_malformed' })
  t.strictSame(asked, [])
})

t.test('while no key is known, a token may be one of ours, so no upstream gets it', async (t) => {
  const missing: KeySet = {
    get: () => {
      throw new PortcullisError('store_unavailable')
    },
  }
  t.ok(open(missing).namesOwnKey(token))
  t.notOk(open(missing).namesOwnKey(`${encode({ alg: 'ES256', typ: 'JWT', kid: 'k' })}.e30.AAAA`))
  t.notOk(open(new Map()).namesOwnKey(token))
  t.ok(open(new Map([[key.kid, jwt.verifier]])).namesOwnKey(token))
})
