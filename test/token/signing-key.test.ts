import { createPrivateKey, createPublicKey } from 'node:crypto'
import { importJWK, jwtVerify } from 'jose'
import type { JWK } from 'jose'
import t from 'tap'
import { createJwt } from '../../plugins/jwt.js'
import type { AccessClaims } from '../../src/token/access-token.js'
import { ALGORITHMS, generateKey, importKey } from '../../src/token/signing-key.js'
import type { Algorithm } from '../../src/token/signing-key.js'
import { AUDIENCE, ISSUER, decode, forge, headerOf } from '../support/access-tokens.js'

const claims: AccessClaims = {
  iss: ISSUER,
  aud: AUDIENCE,
  sub: 'alice',
  sid: 's',
  jti: 'j',
  iat: 1_800_000_000,
  exp: 1_800_000_900,
}
const trust = { issuer: ISSUER, audience: AUDIENCE }
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

for (const algorithm of ALGORITHMS) {
  t.test(`${algorithm}: a generated key signs, and its tokens verify here and elsewhere`, async (t) => {
    const jwk = generateKey(algorithm)
    const key = await importKey(JSON.stringify(jwk), algorithm)
    const jwt = await createJwt(key, trust)
    t.equal(jwt.verifier.kid, key.kid)
    t.equal(jwt.verifier.algorithm, algorithm)

    const token = jwt.sign(claims)
    t.strictSame(decode(token.split('.')[0]), headerOf(key), 'alg, typ and kid, and nothing else')
    t.strictSame(decode(token.split('.')[1]), claims)
    t.match(jwt.verifier.verify(token), claims)
    const elsewhere = await importJWK(key.publicJwk ?? jwk, algorithm)
    const options = { algorithms: [algorithm], currentDate: new Date(1_800_000_000_000) }
    t.match((await jwtVerify(token, elsewhere, options)).payload, claims, 'jose takes it')
    t.match(
      jwt.verifier.verify(forge(key, headerOf(key), claims)),
      claims,
      'we take one that node:crypto signed',
    )

    const other = await createJwt(await importKey(JSON.stringify(generateKey(algorithm)), algorithm), trust)
    t.throws(() => other.verifier.verify(token), { code: 'FAST_JWT_INVALID_SIGNATURE' })
  })

  t.test(`${algorithm}: the published key has no private member`, async (t) => {
    const key = await importKey(JSON.stringify(generateKey(algorithm)), algorithm)
    if (algorithm.startsWith('HS')) {
      t.equal(key.publicJwk, undefined, 'an HMAC’s key is not published at all')
      return
    }
    t.match(key.publicJwk, { kid: key.kid, alg: algorithm, use: 'sig' })
    for (const member of PRIVATE_MEMBERS) t.notOk(Object.hasOwn(key.publicJwk!, member), `no ${member}`)
    t.equal(createPublicKey({ key: key.publicJwk as never, format: 'jwk' }).type, 'public')
  })
}

const PEM_FORMS: Partial<Record<string, ('pkcs8' | 'pkcs1' | 'sec1')[]>> = {
  RS: ['pkcs8', 'pkcs1'],
  PS: ['pkcs8', 'pkcs1'],
  ES: ['pkcs8', 'sec1'],
  Ed: ['pkcs8'],
}

for (const algorithm of ALGORITHMS) {
  for (const type of PEM_FORMS[algorithm.slice(0, 2)] ?? []) {
    t.test(`${algorithm}: a ${type} PEM and the JWK of one key are one key`, async (t) => {
      const jwk = generateKey(algorithm)
      const pem = createPrivateKey({ key: jwk as never, format: 'jwk' }).export({ format: 'pem', type })
      const [fromPem, fromJwk] = [
        await importKey(pem.toString(), algorithm),
        await importKey(JSON.stringify(jwk), algorithm),
      ]
      t.match(pem, { pkcs8: /^-----BEGIN PRIVATE/, pkcs1: /^-----BEGIN RSA/, sec1: /^-----BEGIN EC/ }[type])
      t.equal(fromPem.kid, fromJwk.kid)
      t.strictSame(fromPem.publicJwk, fromJwk.publicJwk)
      const token = (await createJwt(fromPem, trust)).sign(claims)
      t.match((await createJwt(fromJwk, trust)).verifier.verify(token), claims)
    })
  }
}

t.test('white space around a key does not matter', async (t) => {
  const text = JSON.stringify(generateKey('ES256'))
  t.equal((await importKey(`\n  ${text}\r\n\n`, 'ES256')).kid, (await importKey(text, 'ES256')).kid)
})

t.test('the kid does not depend on members that aren’t part of the key', async (t) => {
  for (const algorithm of ['HS256', 'ES256', 'EdDSA'] satisfies Algorithm[]) {
    const jwk: JWK = generateKey(algorithm)
    const { kid } = await importKey(JSON.stringify(jwk), algorithm)
    const decorated = {
      kid: 'mine',
      use: 'sig',
      key_ops: ['sign'],
      ...Object.fromEntries(Object.entries(jwk).toReversed()),
    }
    t.equal((await importKey(JSON.stringify(decorated), algorithm)).kid, kid)
  }
})
