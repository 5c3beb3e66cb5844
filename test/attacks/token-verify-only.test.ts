/** Tokens forged with the public key, at an application that has nothing else. */
import { createHmac, createSecretKey } from 'node:crypto'
import fastify from 'fastify'
import t from 'tap'
import portcullis, { authenticate } from '../../src/index.js'
import type { Algorithm } from '../../src/token/signing-key.js'
import {
  AUDIENCE,
  ISSUER,
  encode,
  forge,
  headerOf,
  newKey,
  seal,
  signatureOf,
} from '../support/access-tokens.js'
import { published, startJwksServer } from '../support/jwks-server.js'

const OTHERS: [own: Algorithm, others: Algorithm[]][] = [
  ['RS256', ['RS512', 'PS256']],
  ['PS256', ['RS256']],
  ['ES256', []],
  ['EdDSA', []],
]

for (const [algorithm, others] of OTHERS) {
  for (const source of ['verify', 'jwks'] as const) {
    t.test(
      `${algorithm} from keys.${source}: neither the public key as a secret nor its kin signs`,
      async (t) => {
        const key = await newKey(algorithm)
        const pem = key.public.export({ format: 'pem', type: 'spki' }).toString()
        const jwk = JSON.stringify(published(key))
        const server = await startJwksServer(t, [published(key)])
        const app = fastify()
        t.teardown(() => app.close())
        await app.register(portcullis, {
          issuer: ISSUER,
          audience: AUDIENCE,
          store: 'none',
          keys: source === 'verify' ? { verify: pem, algorithm } : { jwks: server.url },
        })
        app.get('/', { onRequest: authenticate }, async () => 'in')
        const iat = Math.floor(Date.now() / 1000)
        const claims = { iss: ISSUER, aud: AUDIENCE, sub: 'root', sid: 's', jti: 'j', iat, exp: iat + 60 }
        let asked = 0
        const status = async (token: string) => {
          asked += 1
          const headers = { authorization: `Bearer ${token}` }
          return (await app.inject({ url: '/', headers, remoteAddress: `10.0.0.${asked}` })).statusCode
        }

        const secrets = [pem, pem.trimEnd(), jwk, key.kid, key.public.export({ format: 'der', type: 'spki' })]
        for (const secret of secrets) {
          for (const alg of ['HS256', 'HS512', algorithm]) {
            const input = `${encode({ ...headerOf(key), alg })}.${encode(claims)}`
            const hash = alg === 'HS512' ? 'sha512' : 'sha256'
            const mac = createHmac(hash, createSecretKey(Buffer.from(secret)))
              .update(input)
              .digest('base64url')
            t.equal(await status(`${input}.${mac}`), 401, `alg ${alg}`)
          }
        }
        for (const alg of ['none', 'None', '']) {
          const input = `${encode({ ...headerOf(key), alg })}.${encode(claims)}`
          t.equal(await status(`${input}.`), 401, `alg ${alg}`)
          t.equal(await status(`${input}.AAAA`), 401, `alg ${alg}`)
        }
        for (const other of others) {
          const said = encode({ ...headerOf(key), alg: other })
          t.equal(await status(seal(said, encode(claims), { ...key, algorithm: other })), 401, other)
          const input = `${encode(headerOf(key))}.${encode(claims)}`
          const signature = signatureOf(input, other, key.private).toString('base64url')
          t.equal(await status(`${input}.${signature}`), 401, `${other}, called ${algorithm}`)
        }
        t.equal(await status(forge(key, headerOf(key), claims)), 200, 'a true one passes')
      },
    )
  }
}
