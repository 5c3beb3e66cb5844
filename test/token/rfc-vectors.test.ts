import { verify } from 'node:crypto'
import t from 'tap'
import { createJwt } from '../../plugins/jwt.js'
import { importKey } from '../../src/token/signing-key.js'
import { RFC7515, RFC7638, RFC8037 } from '../fixtures/rfc.js'
import { otherSpellings, signatureOf } from '../support/access-tokens.js'

t.test('the kid of RFC 7638’s example key is its thumbprint (§3.1)', async (t) => {
  const { kid, publicJwk } = await importKey(JSON.stringify(RFC7638.jwk), 'RS256')
  t.equal(kid, RFC7638.thumbprint)
  t.strictSame(
    publicJwk,
    { kty: 'RSA', n: RFC7638.jwk.n, e: 'AQAB', kid, alg: 'RS256', use: 'sig' },
    'and what is published is the public half',
  )
})

t.test('the Ed25519 key of RFC 8037 has its thumbprint and signature (§A.3, §A.4)', async (t) => {
  const key = await importKey(JSON.stringify(RFC8037.jwk), 'EdDSA')
  t.equal(key.kid, RFC8037.thumbprint)
  const signature = signatureOf(RFC8037.input, 'EdDSA', key.private)
  t.equal(signature.toString('base64url'), RFC8037.signature)
  t.ok(verify(null, Buffer.from(RFC8037.input), key.public, signature))
})

// These JWTs are not access tokens of ours, so none is accepted in the end. The verifier looks at the signature first
// and at `typ` next, so what it complains of tells whether the signature was found true.
const TRUE_SIGNATURE = { code: 'FAST_JWT_INVALID_TYPE' }
const FALSE_SIGNATURE = { code: /^FAST_JWT_(?:INVALID_SIGNATURE|VERIFY_ERROR)$/ }
const NO_SIGNATURE = { code: 'FAST_JWT_MISSING_SIGNATURE' }

for (const { name, algorithm, jwk, header, payload, signature } of RFC7515) {
  t.test(`RFC 7515 ${name}: its signature is valid, and no other is`, async (t) => {
    const key = await importKey(JSON.stringify(jwk), algorithm)
    const { verifier } = await createJwt(key, { issuer: 'joe', audience: 'anybody' })
    const judge = (...parts: string[]) => verifier.verify(parts.join('.'))
    t.throws(() => judge(header, payload, signature), TRUE_SIGNATURE)

    const others = {
      'another first letter': `X${signature.slice(1)}`,
      'the first half alone': signature.slice(0, signature.length / 2),
      'a byte more': Buffer.from([...Buffer.from(signature, 'base64url'), 0]).toString('base64url'),
      'a zero byte before': Buffer.from([0, ...Buffer.from(signature, 'base64url')]).toString('base64url'),
      'zeros alone': Buffer.alloc(Buffer.from(signature, 'base64url').length).toString('base64url'),
    }
    for (const [what, other] of Object.entries(others)) {
      t.throws(() => judge(header, payload, other), FALSE_SIGNATURE, what)
    }
    t.throws(() => judge(header, payload, ''), NO_SIGNATURE, 'none')
    const altered = Buffer.from(payload, 'base64url').toString().replace('joe', 'eve')
    t.throws(
      () => judge(header, Buffer.from(altered).toString('base64url'), signature),
      FALSE_SIGNATURE,
      'eve for joe',
    )
    const spaced = Buffer.from(` ${Buffer.from(header, 'base64url')}`).toString('base64url')
    t.throws(() => judge(spaced, payload, signature), FALSE_SIGNATURE, 'a space more in the header')
    for (const spelling of otherSpellings(payload)) {
      t.throws(() => judge(header, spelling, signature), FALSE_SIGNATURE, 'the payload spelled otherwise')
    }
  })
}
