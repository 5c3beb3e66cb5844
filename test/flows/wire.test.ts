import t from 'tap'
import { call, isRefused, logIn, startGateway } from '../support/gateway-process.js'

const { url } = await startGateway(t)
const routes: [path: string, allowed: string[]][] = [
  ['/auth/login', ['POST']],
  ['/auth/refresh', ['POST']],
  ['/auth/logout', ['POST']],
  ['/auth/sessions', ['GET', 'HEAD']],
  ['/auth/sessions/x', ['DELETE']],
  ['/auth/me', ['GET', 'HEAD']],
  ['/.well-known/jwks.json', ['GET', 'HEAD']],
  ['/healthz', ['GET', 'HEAD']],
  ['/readyz', ['GET', 'HEAD']],
]

t.test('another method of our own route is 405 with Allow', async (t) => {
  for (const [path, allowed] of routes) {
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']) {
      if (allowed.includes(method)) continue
      const answer = await call(url, method, path)
      t.equal(answer.status, 405, `${method} ${path}`)
      t.strictSame(String(answer.headers['allow']).split(', ').toSorted(), allowed.toSorted())
      if (method !== 'HEAD') isRefused(t, answer, 405, 'method_not_allowed', `${method} ${path}`)
    }
  }
})

t.test('unknown paths are 404, also under the prefix, in any spelling', async (t) => {
  const { access_token: token } = await logIn(url)
  for (const path of [
    '/auth',
    '/auth/',
    '/auth/nothing',
    '/auth/login/',
    '/auth/LOGIN',
    '/auth/me/x',
    '/%61uth/nothing',
  ]) {
    isRefused(t, await call(url, 'GET', path, { token }), 404, 'not_found', path)
    isRefused(t, await call(url, 'POST', path, { token }), 404, 'not_found', path)
  }
})

const POSTS = ['/auth/login', '/auth/refresh', '/auth/logout']

t.test('malformed JSON, other media types and large bodies are 400, 415 and 413', async (t) => {
  const json = { 'content-type': 'application/json' }
  for (const path of POSTS) {
    for (const body of ['{', '{"a":1}}', '[1]', '"x"', '\u0007', '{"__proto__":{"a":1}}', '{"a":01}']) {
      isRefused(
        t,
        await call(url, 'POST', path, { body, headers: json }),
        400,
        'invalid_request',
        `${path} ${body}`,
      )
    }
    for (const type of [
      'text/plain',
      'application/xml',
      'multipart/form-data; boundary=x',
      'application/jsonx',
      'nonsense',
    ]) {
      const answer = await call(url, 'POST', path, { body: '{}', headers: { 'content-type': type } })
      isRefused(t, answer, 415, 'unsupported_media_type', `${path} ${type}`)
    }
    const long = JSON.stringify({ username: 'x'.repeat(20_000) })
    isRefused(t, await call(url, 'POST', path, { body: long, headers: json }), 413, 'body_too_large', path)
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    const longForm = await call(url, 'POST', path, { body: `x=${'y'.repeat(20_000)}`, headers: form })
    isRefused(t, longForm, 413, 'body_too_large', `${path}, a form`)
  }
})

t.test('names of Object.prototype in a body are ordinary names', async (t) => {
  for (const body of ['constructor=1&toString=2&__proto__=3', 'hasOwnProperty=1']) {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const answer = await call(url, 'POST', '/auth/refresh', { body, headers })
    isRefused(t, answer, 400, 'refresh_token_missing', body)
  }
})

t.test('the JWKS is at its well-known path, without private members', async (t) => {
  const { status, headers, body } = await call(url, 'GET', '/.well-known/jwks.json')
  t.equal(status, 200)
  t.match(headers['content-type'], /^application\/(jwk-set\+)?json/)
  t.equal(body.keys.length, 1)
  t.match(body.keys[0], { kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig', kid: /^[\w-]{43}$/ })
  t.strictSame(Object.keys(body.keys[0]).toSorted(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
  const { access_token } = await logIn(url)
  const header = JSON.parse(Buffer.from(access_token.split('.')[0]!, 'base64url').toString())
  t.strictSame(header, { alg: 'ES256', typ: 'at+jwt', kid: body.keys[0].kid })
})

t.test('me returns the claims for a valid token, and a challenge otherwise', async (t) => {
  const { access_token: token, session_id } = await logIn(url)
  const { status, body, headers } = await call(url, 'GET', '/auth/me', { token })
  t.equal(status, 200)
  t.equal(headers['cache-control'], 'no-store')
  t.match(body, {
    sub: 'ada',
    sid: session_id,
    iss: 'https://portcullis.test',
    aud: 'https://portcullis.test',
  })
  const none = await call(url, 'GET', '/auth/me')
  isRefused(t, none, 401, 'credentials_missing')
  t.notMatch(none.headers['www-authenticate'], 'error=', 'without credentials there is no error word')
  const bad = await call(url, 'GET', '/auth/me', { token: `${token.slice(0, -8)}AAAAAAAA` })
  isRefused(t, bad, 401, 'token_invalid')
  t.match(bad.headers['www-authenticate'], 'error="invalid_token"')
  isRefused(t, await call(url, 'GET', '/auth/me', { token: 'nonsense' }), 401, 'token_malformed')
  const two = await call(url, 'GET', '/auth/me', { token, cookies: { '__Host-access': token } })
  isRefused(t, two, 400, 'credentials_ambiguous')
})
