import { generateKeyPairSync } from 'node:crypto'
import type { JsonWebKey } from 'node:crypto'
import t from 'tap'
import { KeyError, importKey } from '../../src/token/signing-key.js'
import type { Algorithm } from '../../src/token/signing-key.js'
import { importKeySet, importVerifyingKeys, joinKeys } from '../../src/token/verifying-keys.js'
import { authority } from '../support/certificates.js'

const pair = {
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  weakRsa: generateKeyPairSync('rsa', { modulusLength: 1024 }),
  p256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  p384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  p521: generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  k256: generateKeyPairSync('ec', { namedCurve: 'secp256k1' }),
  brainpool: generateKeyPairSync('ec', { namedCurve: 'brainpoolP256r1' }),
  ed25519: generateKeyPairSync('ed25519'),
  x25519: generateKeyPairSync('x25519'),
}
type Name = keyof typeof pair

const pem = (name: Name) => pair[name].publicKey.export({ format: 'pem', type: 'spki' }).toString()
const privatePem = (name: Name) => pair[name].privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
const jwk = (name: Name): JsonWebKey => pair[name].publicKey.export({ format: 'jwk' })
const privateJwk = (name: Name): JsonWebKey => pair[name].privateKey.export({ format: 'jwk' })
const text = (value: unknown) => JSON.stringify(value)
const pkcs1 = pair.rsa.publicKey.export({ format: 'pem', type: 'pkcs1' }).toString()
const certificate = authority('an issuer').issue('login.example.com').cert

t.test('the key id of a public key is that of its private key', async (t) => {
  for (const [name, algorithm] of [
    ['rsa', 'RS256'],
    ['rsa', 'PS384'],
    ['p256', 'ES256'],
    ['p384', 'ES384'],
    ['p521', 'ES512'],
    ['ed25519', 'EdDSA'],
  ] satisfies [Name, Algorithm][]) {
    const { kid } = await importKey(privatePem(name), algorithm)
    const forms = [
      pem(name),
      text(jwk(name)),
      text({ keys: [jwk(name)] }),
      ...(name === 'rsa' ? [pkcs1] : []),
    ]
    for (const form of forms) {
      const { keys, leftOut } = await importVerifyingKeys(form, algorithm)
      t.match(keys, [{ kid, algorithm, public: { type: 'public' } }], `${algorithm} ${form.slice(0, 20)}`)
      t.strictSame(leftOut, [])
    }
  }
})

t.test('the algorithm of an unambiguous key needs no setting', async (t) => {
  const algorithmOf = async (form: string) => (await importVerifyingKeys(form)).keys[0]?.algorithm
  t.equal(await algorithmOf(pem('p256')), 'ES256')
  t.equal(await algorithmOf(pem('p384')), 'ES384')
  t.equal(await algorithmOf(pem('p521')), 'ES512')
  t.equal(await algorithmOf(pem('ed25519')), 'EdDSA')
  t.equal(await algorithmOf(certificate), 'ES256', 'of a certificate')
  t.equal(await algorithmOf(text({ ...jwk('rsa'), alg: 'PS256' })), 'PS256')
  t.equal(await algorithmOf(text({ ...jwk('ed25519'), alg: 'Ed25519' })), 'EdDSA')
})

t.test('keys are read in every spelling of environment files', async (t) => {
  const { keys } = await importVerifyingKeys(pem('p256'))
  for (const spelling of [
    pem('p256').replaceAll('\n', '\\n'),
    pem('p256').replaceAll('\n', '\r\n'),
    `"${pem('p256')}"`,
    Buffer.from(pem('p256')).toString('base64'),
    Buffer.from(text(jwk('p256'))).toString('base64'),
  ])
    t.equal((await importVerifyingKeys(spelling)).keys[0]?.kid, keys[0]?.kid)
})

const PRIVATE = /contains a private key; write only/
const SECRET = /is a secret \(oct\)/
const cases: [name: string, text: string, algorithm: Algorithm | undefined, words: RegExp][] = [
  ['an RSA key without an algorithm', pem('rsa'), undefined, /set keys\.algorithm .* such as RS256/],
  ['an RSA JWK without an algorithm', text(jwk('rsa')), undefined, /set keys\.algorithm/],
  ['a short RSA key', pem('weakRsa'), 'RS256', /at least 2048 bits; this one has 1024/],
  // With it, a signature is the padded hash itself, which anybody can write.
  ['an RSA key with the exponent 1', text({ ...jwk('rsa'), e: 'AQ' }), 'RS256', /exponent .* at least 3/],
  ['an RSA key with an even exponent', text({ ...jwk('rsa'), e: 'AQAA' }), 'RS256', /exponent/],
  ['a curve of another algorithm', pem('p256'), 'ES384', /needs a key on curve P-384, not P-256/],
  ['an EC key for RS256', pem('p256'), 'RS256', /RS256 needs an RSA key, not ec/],
  ['secp256k1', pem('k256'), undefined, /type ec can’t verify tokens/],
  ['a Brainpool curve', pem('brainpool'), undefined, /type ec can’t verify tokens/],
  ['a key for key agreement', pem('x25519'), undefined, /type x25519 can’t verify tokens/],
  ['a private PEM', privatePem('rsa'), 'RS256', PRIVATE],
  ['a private PEM in one line', privatePem('p256').replaceAll('\n', '\\n'), 'ES256', PRIVATE],
  ['a private PEM beside its certificate', certificate + privatePem('p256'), 'ES256', PRIVATE],
  ['a private PEM cut short', privatePem('rsa').slice(0, 200), 'RS256', PRIVATE],
  ['a private RSA JWK', text(privateJwk('rsa')), 'RS256', PRIVATE],
  ['a private EC JWK', text(privateJwk('p256')), 'ES256', PRIVATE],
  ['a JWK with a prime only', text({ ...jwk('rsa'), p: privateJwk('rsa').p }), 'RS256', PRIVATE],
  ['a private key in a set', text({ keys: [jwk('p256'), privateJwk('p384')] }), undefined, PRIVATE],
  [
    'a private key for encryption in a set',
    text({ keys: [{ ...privateJwk('rsa'), use: 'enc' }] }),
    'RS256',
    PRIVATE,
  ],
  ['a secret', text({ kty: 'oct', k: 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0' }), 'HS256', SECRET],
  ['a secret in a set', text({ keys: [jwk('p256'), { kty: 'oct', k: 'c2VjcmV0' }] }), undefined, SECRET],
  ['a secret that claims to be RSA', text({ ...jwk('rsa'), k: 'c2VjcmV0' }), 'RS256', SECRET],
  ['two public keys in one text', pem('p256') + pem('p384'), undefined, /several public keys/],
  [
    'a JWK for another algorithm',
    text({ ...jwk('rsa'), alg: 'PS256' }),
    'RS256',
    /for alg PS256, but .* RS256/,
  ],
  [
    'a JWK for alg none',
    text({ ...jwk('rsa'), alg: 'none' }),
    undefined,
    /alg "none", which is not supported/,
  ],
  ['an RSA JWK for HS256', text({ ...jwk('rsa'), alg: 'HS256' }), undefined, /HS256 needs a secret/],
  ['a JWK for encryption', text({ ...jwk('rsa'), use: 'enc' }), 'RS256', /has use "enc"/],
  ['a JWK for other operations', text({ ...jwk('rsa'), key_ops: ['encrypt'] }), 'RS256', /without "verify"/],
  ['a JWK of an unknown type', text({ kty: 'XX' }), 'RS256', /has the type "XX"/],
  ['a JWK with a member missing', text({ ...jwk('p256'), x: undefined }), undefined, /can’t be read/],
  ['a JWK with a number as kid', text({ ...jwk('p256'), kid: 7 }), undefined, /has a kid that isn’t a text/],
  ['a JWK with an endless kid', text({ ...jwk('p256'), kid: 'k'.repeat(257) }), undefined, /of 1 to 256/],
  ['a set of nothing', text({ keys: [] }), undefined, /no key that can verify tokens$/],
  ['a set of weak keys', text({ keys: [jwk('weakRsa')] }), 'RS256', /no key that can verify .*2048 bits/],
  ['a set of 101 keys', text({ keys: Array(101).fill(jwk('p256')) }), undefined, /101 keys; at most 100/],
  [
    'a set with one kid for two keys',
    text({
      keys: [
        { ...jwk('p256'), kid: 'a' },
        { ...jwk('p384'), kid: 'a' },
      ],
    }),
    undefined,
    /two different keys have the kid "a"/,
  ],
  ['JSON cut short', text(jwk('p256')).slice(0, 40), undefined, /not valid JSON/],
  [
    'a request for a certificate',
    '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----',
    undefined,
    /can’t be read/,
  ],
  ['garbage', 'garbage', undefined, /neither a PEM, nor a JWK/],
  ['nothing', '', undefined, /neither a PEM, nor a JWK/],
]

for (const [name, key, algorithm, words] of cases) {
  t.test(`${name} is refused, and not quoted`, async (t) => {
    const error = (await importVerifyingKeys(key, algorithm).catch((reason: unknown) => reason)) as Error
    t.type(error, KeyError)
    t.match(error.message, words)
    const parts = key.match(/[\w+/-]{16,}/g) ?? []
    const shown = parts.filter((part) => error.message.includes(part))
    t.strictSame(shown, [], 'nothing of the key is in the message')
  })
}

t.test('members of a set that can’t verify tokens are left out, and the rest is used', async (t) => {
  const members = [
    { ...jwk('p256'), kid: 'good' },
    { ...jwk('rsa'), kid: 'for encryption', use: 'enc' },
    { kty: 'AKP', kid: 'of tomorrow' },
    'not an object',
    { ...jwk('weakRsa'), kid: 'weak', alg: 'RS256' },
    { ...jwk('rsa'), kid: 'without algorithm' },
    { ...jwk('x25519'), kid: 'for agreement' },
    { ...jwk('rsa'), kid: 'RSA-OAEP', alg: 'RSA-OAEP' },
    { ...jwk('p256'), kid: 'good' },
  ]
  const { keys, leftOut } = await importKeySet(text({ keys: members }))
  t.match(keys, [{ kid: 'good', algorithm: 'ES256' }])
  t.equal(keys.length, 1, 'once')
  t.match(leftOut, [
    /"weak".*2048 bits/,
    /"without algorithm".*set keys\.algorithm/,
    /"for agreement".*can’t verify/,
    /"RSA-OAEP".*not supported/,
  ])
  t.equal(leftOut.length, 4)
})

t.test('a set whose algorithm is set has the keys of that algorithm only', async (t) => {
  const members = [jwk('p256'), { ...jwk('rsa'), kid: 'r' }]
  t.match((await importKeySet(text({ keys: members }), 'RS256')).keys, [{ kid: 'r', algorithm: 'RS256' }])
})

t.test('a set from a URL is nothing but a set', async (t) => {
  for (const other of [text(jwk('p256')), pem('p256'), 'null', '[]', '7', ''])
    await t.rejects(importKeySet(other), { name: 'KeyError' }, other.slice(0, 20))
})

t.test('a key that several texts contain is kept once', async (t) => {
  const { keys } = await importVerifyingKeys(pem('p256'))
  const again = await importVerifyingKeys(text(jwk('p256')))
  t.equal(joinKeys([...keys, ...again.keys]).length, 1)
})
