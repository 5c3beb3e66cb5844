import { createPrivateKey } from 'node:crypto'
import { SignJWT, createLocalJWKSet, jwtVerify } from 'jose'
import type { JWTPayload } from 'jose'
import t from 'tap'
import { forge, headerOf, newKey } from '../support/access-tokens.js'
import { isRefusal, openTokenApp } from '../support/token-app.js'

t.test('a token of another key is refused, whatever it claims', async (t) => {
  const app = await openTokenApp(t)
  const other = await newKey('ES256')
  await app.refuses(t, forge(other, headerOf(other), app.claims), 'token_invalid', 'under its own kid')
  await app.refuses(t, forge(other, headerOf(app.key), app.claims), 'token_invalid', 'under our kid')
  await app.refuses(
    t,
    app.forge({ header: { kid: other.kid } }),
    'token_invalid',
    'ours, under the other kid',
  )
  await app.passes(t, forge(app.key, headerOf(app.key), app.claims), 'ours, under our kid')
})

t.test('a token of another installation is refused, even with the same key', async (t) => {
  const app = await openTokenApp(t)
  const { key } = app
  const signing = key.private.export({ format: 'pem', type: 'pkcs8' }).toString()
  const keys = { algorithm: 'ES256', signing } as const
  const installations = {
    'another issuer': await openTokenApp(t, 'ES256', { keys, issuer: 'https://other.example' }),
    'another audience': await openTokenApp(t, 'ES256', { keys, audience: 'https://other.example' }),
    'another key': await openTokenApp(t),
  }
  for (const [name, other] of Object.entries(installations)) {
    await other.passes(t, other.token, `${name}: at home it`)
    await app.refuses(t, other.token, 'token_invalid', name)
    await other.refuses(t, app.token, 'token_invalid', `${name}, the other way round`)
  }
})

for (const algorithm of ['HS512', 'RS256', 'PS384', 'ES256', 'ES512', 'EdDSA'] as const) {
  t.test(`${algorithm}: tokens of another library with our key are valid, and it accepts ours`, async (t) => {
    const app = await openTokenApp(t, algorithm)
    const key =
      algorithm === 'HS512'
        ? app.key.private
        : createPrivateKey(app.key.private.export({ format: 'pem', type: 'pkcs8' }))
    const token = await new SignJWT(app.claims as unknown as JWTPayload)
      .setProtectedHeader({ alg: algorithm, typ: 'at+jwt', kid: app.key.kid })
      .sign(key)
    await app.passes(t, token, 'jose’s token')
    const untyped = await new SignJWT(app.claims as unknown as JWTPayload)
      .setProtectedHeader({ alg: algorithm, kid: app.key.kid })
      .sign(key)
    await app.refuses(t, untyped, 'token_invalid', 'the same without typ')

    const jwks = (await app.app.inject({ url: '/.well-known/jwks.json' })).json()
    if (algorithm === 'HS512') return void t.strictSame(jwks, { keys: [] }, 'its key is not published')
    const options = {
      issuer: app.claims.iss,
      audience: String(app.claims.aud),
      typ: 'at+jwt',
      algorithms: [algorithm],
    }
    const { payload } = await jwtVerify(app.token, createLocalJWKSet(jwks), options)
    t.equal(payload.sub, 'alice', 'jose takes ours by the published keys alone')
  })
}

t.test('a refresh token opens no route, and an access token refreshes nothing', async (t) => {
  const app = await openTokenApp(t)
  await app.refuses(t, app.refreshToken, 'token_malformed', 'the refresh token as access token')
  const [sid, family, secret] = app.refreshToken.split('.')
  for (const part of [sid!, family!, secret!]) await app.refuses(t, part, 'token_malformed', 'a part of it')
  isRefusal(
    t,
    await app.ask({ cookie: `__Host-access=${app.refreshToken}` }),
    'token_malformed',
    'as cookie',
    app.refreshToken,
  )

  const refresh = (refresh_token: string) =>
    app.app.inject({ method: 'POST', url: '/auth/refresh', payload: { refresh_token } })
  const refused = await refresh(app.token.slice(0, 500))
  t.match(
    { status: refused.statusCode, code: refused.json().code },
    { status: 401, code: 'refresh_token_invalid' },
  )
  t.notOk(refused.body.includes(app.token.split('.')[1]!))
  await app.passes(t, app.token, 'the session lives on, and the access token')
  t.equal((await refresh(app.refreshToken)).statusCode, 200, 'and the refresh token renews')
})
