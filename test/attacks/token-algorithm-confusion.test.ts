import { createHmac, createSecretKey } from 'node:crypto'
import t from 'tap'
import type { Algorithm } from '../../src/token/signing-key.js'
import { encode, headerOf, seal, signatureOf } from '../support/access-tokens.js'
import { openTokenApp } from '../support/token-app.js'
import type { TokenApp } from '../support/token-app.js'

/** What an attacker knows of the key, in every form that a library might take for an HMAC's secret. */
async function publicForms({ app, key }: TokenApp): Promise<Record<string, Buffer | string>> {
  const spki = key.public.export({ format: 'pem', type: 'spki' }).toString()
  const jwks = (await app.inject({ url: '/.well-known/jwks.json' })).body
  const jwk = (JSON.parse(jwks) as { keys: Record<string, string>[] }).keys[0]!
  const bare = Object.fromEntries(
    Object.entries(jwk).filter(([name]) => !['kid', 'alg', 'use'].includes(name)),
  )
  return {
    'the PEM': spki,
    'the PEM without its last newline': spki.trimEnd(),
    'the PEM with CRLF': spki.replaceAll('\n', '\r\n'),
    'the PEM’s base64 alone': spki.replaceAll(/-----.*-----|\n/g, ''),
    'the DER': key.public.export({ format: 'der', type: 'spki' }),
    ...(jwk['kty'] === 'RSA' && {
      'the PKCS #1 PEM': key.public.export({ format: 'pem', type: 'pkcs1' }).toString(),
      'the PKCS #1 DER': key.public.export({ format: 'der', type: 'pkcs1' }),
    }),
    'the JWK set': jwks,
    'the JWK': JSON.stringify(jwk),
    'the JWK without kid': JSON.stringify(bare),
    'its n, x or y': jwk['n'] ?? jwk['x']!,
    'its n, x or y as bytes': Buffer.from(jwk['n'] ?? jwk['x']!, 'base64url'),
    'the kid': key.kid,
  }
}

for (const algorithm of ['RS256', 'PS256', 'ES256', 'EdDSA'] satisfies Algorithm[]) {
  t.test(`an HMAC with the public part of the ${algorithm} key is refused`, async (t) => {
    const app = await openTokenApp(t, algorithm)
    const payload = encode({ ...app.claims, sub: 'root' })
    for (const [name, secret] of Object.entries(await publicForms(app))) {
      for (const alg of ['HS256', 'HS384', 'HS512', algorithm]) {
        const input = `${encode({ ...headerOf(app.key), alg })}.${payload}`
        const hash = `sha${alg.startsWith('HS') ? alg.slice(2) : '256'}`
        const mac = createHmac(hash, createSecretKey(Buffer.from(secret)))
          .update(input)
          .digest('base64url')
        await app.refuses(t, `${input}.${mac}`, 'token_invalid', `alg ${alg}, keyed by ${name}`)
      }
    }
    await app.passes(t, app.forge(), 'the same, signed')
  })
}

/** Algorithms that the same key could be used with; the attacker is even given true signatures. */
const KIN: [own: Algorithm, others: Algorithm[]][] = [
  ['RS256', ['RS384', 'RS512', 'PS256', 'PS384']],
  ['PS256', ['PS384', 'RS256']],
  ['HS256', ['HS384', 'HS512']],
]
for (const [own, others] of KIN) {
  t.test(`a key for ${own} verifies no other algorithm`, async (t) => {
    const app = await openTokenApp(t, own)
    const payload = encode(app.claims)
    for (const other of others) {
      const honest = encode({ ...headerOf(app.key), alg: other })
      await app.refuses(
        t,
        seal(honest, payload, { ...app.key, algorithm: other }),
        'token_invalid',
        `${other}, said so`,
      )
      const input = `${encode(headerOf(app.key))}.${payload}`
      const signature = signatureOf(input, other, app.key.private).toString('base64url')
      await app.refuses(t, `${input}.${signature}`, 'token_invalid', `${other}, called ${own}`)
    }
    await app.passes(t, app.forge(), own)
  })
}

t.test('an algorithm’s name must match exactly', async (t) => {
  const app = await openTokenApp(t)
  for (const alg of [
    'es256',
    'Es256',
    'ES256 ',
    ' ES256',
    'ES256\0',
    'ES256K',
    'ESP256',
    'SHA256withECDSA',
    'ЕS256',
    '__proto__',
  ]) {
    await app.refuses(t, app.forge({ header: { alg } }), 'token_invalid', JSON.stringify(alg))
  }
  await app.passes(t, app.forge({ header: { alg: 'ES256' } }), 'ES256')
})
