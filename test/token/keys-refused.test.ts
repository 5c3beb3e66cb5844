import { createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import type { JsonWebKey } from 'node:crypto'
import t from 'tap'
import { ALGORITHMS, KeyError, generateKey, importKey } from '../../src/token/signing-key.js'
import type { Algorithm } from '../../src/token/signing-key.js'

const pair = {
  weakRsa: generateKeyPairSync('rsa', { modulusLength: 1024 }),
  almostRsa: generateKeyPairSync('rsa', { modulusLength: 2040 }),
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  otherRsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  rsaPss: generateKeyPairSync('rsa-pss', { modulusLength: 2048 }),
  p256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  otherP256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  p384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  p521: generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  k256: generateKeyPairSync('ec', { namedCurve: 'secp256k1' }),
  ed25519: generateKeyPairSync('ed25519'),
  ed448: generateKeyPairSync('ed448'),
  x25519: generateKeyPairSync('x25519'),
}
type Name = keyof typeof pair

const pem = (name: Name) => pair[name].privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
const jwk = (name: Name): JsonWebKey => pair[name].privateKey.export({ format: 'jwk' })
const text = (value: unknown) => JSON.stringify(value)
const oct = (bytes: number) => text(createSecretKey(randomBytes(bytes)).export({ format: 'jwk' }))
const publicPem = (name: Name, type: 'spki' | 'pkcs1' = 'spki') =>
  pair[name].publicKey.export({ format: 'pem', type }).toString()
const encrypted = pair.p256.privateKey
  .export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'p' })
  .toString()
const encryptedSec1 = pair.p256.privateKey
  .export({ format: 'pem', type: 'sec1', cipher: 'aes-256-cbc', passphrase: 'p' })
  .toString()

const PUBLIC = /is a public key; the private one is needed/
const NO_PEM = /can’t be read as an unencrypted private key/

const cases: [name: string, text: string, algorithm: Algorithm, words: RegExp][] = [
  ['an RSA key of 1024 bits', pem('weakRsa'), 'RS256', /at least 2048 bits; this one has 1024/],
  ['an RSA key of 1024 bits for PSS', text(jwk('weakRsa')), 'PS256', /at least 2048 bits; this one has 1024/],
  ['an RSA key of 8 bits too few', pem('almostRsa'), 'RS256', /at least 2048 bits; this one has 2040/],
  ['a secret of 31 bytes for HS256', oct(31), 'HS256', /at least 32 bytes; this one has 31/],
  ['a secret of 47 bytes for HS384', oct(47), 'HS384', /at least 48 bytes; this one has 47/],
  ['a secret of 63 bytes for HS512', oct(63), 'HS512', /at least 64 bytes; this one has 63/],
  ['a secret of no bytes', text({ kty: 'oct', k: '' }), 'HS256', /at least 32 bytes; this one has 0/],
  ['an oct JWK without k', text({ kty: 'oct' }), 'HS256', /has no "k"/],
  [
    'a pass phrase as k',
    text({ kty: 'oct', k: 'correct horse battery staple, and so on for long enough' }),
    'HS256',
    /"k" is not base64url/,
  ],
  ['a curve too large for ES256', pem('p384'), 'ES256', /ES256 needs a key on curve P-256, not P-384/],
  ['a curve too small for ES512', pem('p256'), 'ES512', /ES512 needs a key on curve P-521, not P-256/],
  ['secp256k1 for ES256', pem('k256'), 'ES256', /needs a key on curve P-256, not secp256k1/],
  ['an RSA key for ES256', pem('rsa'), 'ES256', /needs a key on curve P-256, not rsa/],
  ['an Ed25519 key for ES256', pem('ed25519'), 'ES256', /needs a key on curve P-256, not ed25519/],
  ['an EC key for RS256', pem('p256'), 'RS256', /RS256 needs an RSA key, not ec/],
  ['a key bound to PSS for RS256', pem('rsaPss'), 'RS256', /needs an RSA key, not rsa-pss/],
  ['an EC key for EdDSA', pem('p256'), 'EdDSA', /needs an Ed25519 key, not ec/],
  ['an Ed448 key for EdDSA', pem('ed448'), 'EdDSA', /needs an Ed25519 key, not ed448/],
  ['a key for key agreement', pem('x25519'), 'EdDSA', /needs an Ed25519 key, not x25519/],
  ['a PEM for HS256', pem('rsa'), 'HS256', /HS256 needs a secret \(an oct JWK\), not a rsa key/],
  ['an EC JWK for HS256', text(jwk('p256')), 'HS256', /HS256 needs a secret/],
  ['a secret for RS256', oct(64), 'RS256', /RS256 needs a private key, not an HMAC secret/],
  ['a secret for EdDSA', oct(64), 'EdDSA', /EdDSA needs a private key, not an HMAC secret/],
  ['a bare secret for HS256', 's3cret-s3cret-s3cret-s3cret-s3cret-s3cret', 'HS256', /neither PEM nor a JWK/],
  ['a public PEM', publicPem('p256'), 'ES256', PUBLIC],
  ['a public PKCS #1 PEM', publicPem('rsa', 'pkcs1'), 'RS256', PUBLIC],
  ['a public JWK', text(pair.p256.publicKey.export({ format: 'jwk' })), 'ES256', PUBLIC],
  ['an encrypted PKCS #8 PEM', encrypted, 'ES256', NO_PEM],
  ['an encrypted SEC 1 PEM', encryptedSec1, 'ES256', NO_PEM],
  ['a PEM cut short', pem('p256').slice(0, 80), 'ES256', NO_PEM],
  ['a certificate', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', 'ES256', NO_PEM],
  ['garbage', 'garbage', 'ES256', /neither PEM nor a JWK/],
  ['nothing', '', 'ES256', /neither PEM nor a JWK/],
  ['a JWK cut short', text(jwk('p256')).slice(0, 40), 'ES256', /is not valid JSON/],
  ['an empty object', '{}', 'ES256', PUBLIC],
  ['a JWK Set of two keys', text({ keys: [jwk('p256'), jwk('otherP256')] }), 'ES256', /has 2 keys/],
  ['an empty JWK Set', text({ keys: [] }), 'ES256', /has 0 keys/],
  ['a JWK of an unknown kind', text({ kty: 'XX', d: 'AA' }), 'ES256', /can’t be read as a private key/],
  ['a JWK with a member missing', text({ ...jwk('p256'), x: undefined }), 'ES256', /can’t be read/],
  ['a JWK for another alg', text({ ...jwk('rsa'), alg: 'PS256' }), 'RS256', /is for alg PS256, but .* RS256/],
  ['a JWK for alg none', text({ ...jwk('rsa'), alg: 'none' }), 'RS256', /is for alg none, but .* RS256/],
  ['a JWK for encryption', text({ ...jwk('p256'), use: 'enc' }), 'ES256', /has use "enc"/],
  [
    'an EC JWK of two keys',
    text({ ...jwk('p256'), x: jwk('otherP256').x, y: jwk('otherP256').y }),
    'ES256',
    /private and the public part of the JWK don’t belong together/,
  ],
  ['an RSA JWK of two keys', text({ ...jwk('rsa'), n: jwk('otherRsa').n }), 'RS256', /don’t belong together/],
]

for (const [name, key, algorithm, words] of cases) {
  t.test(`${name} is refused, and not quoted`, async (t) => {
    const error = await importKey(key, algorithm).then(
      () => undefined,
      (reason: unknown) => reason,
    )
    if (!(error instanceof KeyError)) return void t.fail(`not refused as a key: ${String(error)}`)
    t.match(error.message, words)
    for (const piece of key.match(/[\w+/-]{20,}/g) ?? [])
      t.notOk(error.message.includes(piece), 'no piece of the key')
  })
}

t.test('each algorithm refuses the keys of every other kind', async (t) => {
  const kind = (algorithm: Algorithm) =>
    ({ R: 'rsa', P: 'rsa', E: algorithm.startsWith('Ed') ? algorithm : `ec ${algorithm}`, H: 'oct' })[
      algorithm[0]!
    ]
  const keys = {
    HS512: generateKey('HS512'),
    RS256: jwk('rsa'),
    ES256: jwk('p256'),
    ES384: jwk('p384'),
    ES512: jwk('p521'),
    EdDSA: jwk('ed25519'),
  }
  for (const algorithm of ALGORITHMS) {
    for (const [own, key] of Object.entries(keys) as [Algorithm, JsonWebKey][]) {
      const attempt = importKey(text({ ...key, alg: undefined }), algorithm)
      if (kind(own) === kind(algorithm)) await t.resolves(attempt, `${own}’s key does for ${algorithm}`)
      else
        await t.rejects(
          attempt,
          { name: 'KeyError', message: new RegExp(`${algorithm} needs`) },
          `${own}’s key doesn’t do for ${algorithm}`,
        )
    }
  }
})

t.test('a secret exactly as long as its hash is accepted', async (t) => {
  for (const [algorithm, bytes] of [
    ['HS256', 32],
    ['HS384', 48],
    ['HS512', 64],
  ] as const) {
    t.equal((await importKey(oct(bytes), algorithm)).private.symmetricKeySize, bytes)
  }
})
