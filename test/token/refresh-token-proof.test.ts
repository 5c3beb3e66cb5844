import { createPrivateKey, createSecretKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import t from 'tap'
import { formatRefreshToken, newRefreshToken, parseRefreshToken } from '../../src/token/refresh-token.js'
import { RefreshTokenProof } from '../../src/token/refresh-token-proof.js'
import { generateKey, importKey } from '../../src/token/signing-key.js'
import type { Algorithm } from '../../src/token/signing-key.js'

const token = newRefreshToken()

async function createKey(algorithm: Algorithm): Promise<KeyObject> {
  return (await importKey(JSON.stringify(generateKey(algorithm)), algorithm)).private
}

const key = await createKey('ES256')
const proof = new RefreshTokenProof([key])
const text = formatRefreshToken(token, proof)

t.test('a token with a proof of the same key is proven, for each kind of key', async (t) => {
  for (const algorithm of ['ES256', 'RS256', 'EdDSA', 'HS256'] as const) {
    const own = new RefreshTokenProof([await createKey(algorithm)])
    const another = new RefreshTokenProof([await createKey(algorithm)])
    const good = formatRefreshToken(token, own)
    t.equal(parseRefreshToken(good, own)?.isProven, true, algorithm)
    t.equal(parseRefreshToken(good, another)?.isProven, false, `${algorithm}, another key`)
  }
})

t.test('instances that read the same key from another encoding create the same proof', async (t) => {
  for (const algorithm of ['ES256', 'RS256', 'EdDSA'] as const) {
    const jwk = await createKey(algorithm)
    const pem = createPrivateKey(jwk.export({ format: 'pem', type: 'pkcs8' }))
    t.equal(
      formatRefreshToken(token, new RefreshTokenProof([pem])),
      formatRefreshToken(token, new RefreshTokenProof([jwk])),
    )
    if (algorithm === 'EdDSA') continue
    const type = algorithm === 'ES256' ? 'sec1' : 'pkcs1'
    const traditional = createPrivateKey(
      jwk.export({ format: 'pem', type } as { format: 'pem'; type: 'sec1' }),
    )
    t.equal(
      formatRefreshToken(token, new RefreshTokenProof([traditional])),
      formatRefreshToken(token, new RefreshTokenProof([jwk])),
    )
  }
  const secret = await createKey('HS256')
  const again = createSecretKey(secret.export())
  t.equal(
    formatRefreshToken(token, new RefreshTokenProof([again])),
    formatRefreshToken(token, new RefreshTokenProof([secret])),
  )
})

t.test('the proofs of all keys in the set are good, and the first key creates them', async (t) => {
  const next = await createKey('ES256')
  const both = new RefreshTokenProof([next, key])
  t.equal(parseRefreshToken(text, both)?.isProven, true)
  t.equal(formatRefreshToken(token, both), formatRefreshToken(token, new RefreshTokenProof([next])))
})

t.test('a token from before there were proofs is read, but not proven', async (t) => {
  const { sid, family, secret } = token
  t.strictSame(parseRefreshToken(`${sid}.${family}.${secret}`, proof), { ...token, isProven: false })
})

t.test('a proof is only good for its own session and family', async (t) => {
  const [, , , given] = text.split('.') as [string, string, string, string]
  const { sid, family } = newRefreshToken()
  t.equal(parseRefreshToken(`${sid}.${token.family}.${token.secret}.${given}`, proof)?.isProven, false)
  t.equal(parseRefreshToken(`${token.sid}.${family}.${token.secret}.${given}`, proof)?.isProven, false)
  for (let i = 0; i < given.length; i += 1) {
    const flipped = `${given.slice(0, i)}${given[i] === 'A' ? 'B' : 'A'}${given.slice(i + 1)}`
    t.equal(parseRefreshToken(text.replace(given, flipped), proof)?.isProven, false)
  }
})
