import t from 'tap'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { createSigner } from '../../plugins/jwt.js'
import { loadKey } from '../../src/token/key-directory.js'
import {
  call,
  claimsOf,
  home,
  isRefused,
  logIn,
  sharedSettings,
  startGateway,
  startUpstream,
} from '../support/gateway-process.js'

const NAME = 'X-Legacy-Identity'
const LOWER = NAME.toLowerCase()
const identity = { token: { header: NAME, audience: 'https://legacy.example' } }

for (const algorithm of ['ES256', 'RS256', 'EdDSA'] as const) {
  t.test(`${algorithm}: an upstream can verify the identity with the public keys alone`, async (t) => {
    const upstream = await startUpstream(t)
    const directory = await home(t)
    const keys = { ...sharedSettings(directory).keys, algorithm }
    const routes = [{ path: '/', upstream: upstream.url }]
    const { url } = await startGateway(t, { identity, routes, keys }, directory)
    const { access_token: token, session_id } = await logIn(url)
    t.equal((await call(url, 'GET', '/', { token })).status, 200)
    t.equal((await call(url, 'GET', '/', { token })).status, 200)

    const [first, second] = upstream.seen.map(({ headers }) => headers[LOWER] as string)
    t.equal(second, first, 'signed once for both')
    const jwks = createLocalJWKSet((await call(url, 'GET', '/.well-known/jwks.json')).body)
    const asUpstream = {
      issuer: sharedSettings(directory).issuer,
      audience: identity.token.audience,
      typ: 'identity+jwt',
    }
    const { payload } = await jwtVerify(first!, jwks, asUpstream)
    t.match(payload, { sub: 'ada', sid: session_id })
    t.equal(payload.exp! - payload.iat!, 30)
    await t.rejects(jwtVerify(token, jwks, asUpstream), 'an access token is none')
  })
}

t.test('an identity token is never valid as an access token', async (t) => {
  const upstream = await startUpstream(t)
  const directory = await home(t)
  const { url } = await startGateway(
    t,
    { identity, routes: [{ path: '/', upstream: upstream.url }] },
    directory,
  )
  const { access_token: token } = await logIn(url)
  await call(url, 'GET', '/', { token })
  const proof = upstream.seen[0]!.headers[LOWER] as string
  for (const path of ['/', '/auth/me']) {
    isRefused(t, await call(url, 'GET', path, { token: proof }), 401, 'token_invalid', path)
  }
  isRefused(t, await call(url, 'POST', '/auth/logout', { token: proof }), 401, 'token_invalid', 'a logout')

  // By force: with our key, and all that an access token says, its audience too.
  const { key } = await loadKey({ algorithm: 'ES256', dir: sharedSettings(directory).keys.dir })
  const forced = (await createSigner(key, 'identity+jwt'))(claimsOf(token))
  isRefused(t, await call(url, 'GET', '/auth/me', { token: forced }), 401, 'token_invalid', 'by force')
  const control = (await createSigner(key, 'at+jwt'))(claimsOf(token))
  t.equal(
    (await call(url, 'GET', '/auth/me', { token: control })).status,
    200,
    'but for its type it would be',
  )
})

t.test('a client can’t send an identity token, in any spelling, on any route', async (t) => {
  const upstream = await startUpstream(t)
  const { url } = await startGateway(t, {
    identity,
    routes: [
      { path: '/open', upstream: upstream.url, auth: 'none' },
      { path: '/maybe', upstream: upstream.url, auth: 'optional' },
      { path: '/', upstream: upstream.url },
    ],
  })
  const { access_token: token } = await logIn(url)
  for (const name of [NAME, LOWER, 'X_LEGACY_IDENTITY', 'x.legacy.identity', 'X-Legacy_Identity']) {
    const headers = { [name]: 'forged', connection: `keep-alive, ${NAME}` }
    for (const [path, options] of [
      ['/open', { headers }],
      ['/maybe', { headers }],
      ['/', { headers, token }],
    ] as const) {
      t.equal((await call(url, 'GET', path, options)).status, 200)
      const { rawHeaders } = upstream.seen.at(-1)!
      t.notOk(rawHeaders.includes('forged'), `${name} on ${path}`)
      const ours = rawHeaders.filter((text) => text.toLowerCase() === LOWER).length
      t.equal(ours, path === '/' ? 1 : 0, `${name} on ${path}: ours`)
    }
  }
})

t.test('forward-auth gives it to the trusted proxy only', async (t) => {
  for (const trustProxy of [['127.0.0.1'], []]) {
    const { url } = await startGateway(t, { identity, listen: { host: '127.0.0.1', port: 0, trustProxy } })
    const { access_token: token } = await logIn(url)
    const { status, headers } = await call(url, 'GET', '/auth/verify', { token })
    t.match({ status, headers }, { status: 200, headers: { 'x-forwarded-user': 'ada' } })
    if (trustProxy.length === 0)
      t.notOk(LOWER in headers, 'who brings a token gets no proof to show elsewhere')
    else t.match(claimsOf(String(headers[LOWER])), { sub: 'ada', aud: identity.token.audience })
  }
})
