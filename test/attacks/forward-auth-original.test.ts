/** Somebody tells Portcullis of another request than the proxy will pass on. */
import t from 'tap'
import { logIn, startGateway } from '../support/gateway-process.js'
import { head, send } from '../support/wire.js'

const { url } = await startGateway(t, {
  listen: { host: '127.0.0.1', port: 0, trustProxy: ['127.0.0.1'] },
  routes: [{ path: '/public', auth: 'none' }, { path: '/admin', scope: ['admin'] }, { path: '/private' }],
})
const port = Number(new URL(url).port)
const { access_token: token } = await logIn(url)

const check = async (path: string, ...headers: string[]) => {
  const close = 'Connection: close'
  const { statuses, text } = await send(port, head(`GET ${path} HTTP/1.1`, 'Host: x', close, ...headers))
  return { status: statuses[0], code: /"code":"(\w+)"/.exec(text)?.[1] }
}
const refused = { status: 400, code: 'invalid_request' }
const FORWARDED = ['X-Forwarded-Method: GET', 'X-Forwarded-Uri: /private']
const ORIGINAL = ['X-Original-Method: GET', 'X-Original-URI: /private']
const OPEN = '/public'

t.test('a second value, before or after the proxy’s own', async (t) => {
  for (const pair of [FORWARDED, ORIGINAL]) {
    for (const line of pair) {
      const name = line.split(':')[0]!
      for (const lie of [
        `${name}: ${OPEN}`,
        `${name.toLowerCase()}: ${OPEN}`,
        `${name.toUpperCase()}:`,
        line,
      ]) {
        t.strictSame(await check('/auth/verify', lie, ...pair), refused, `${lie} before`)
        t.strictSame(await check('/auth/verify', ...pair, lie), refused, `${lie} after`)
      }
    }
  }
})

t.test('another proxy’s headers beside the proxy’s own', async (t) => {
  for (const headers of [
    [...FORWARDED, 'X-Original-Method: GET', `X-Original-URI: ${OPEN}`],
    [...ORIGINAL, 'X-Forwarded-Method: GET', `X-Forwarded-Uri: ${OPEN}`],
    [...FORWARDED, `X-Original-URI: ${OPEN}`],
    [...ORIGINAL, 'X-Forwarded-Method: GET'],
    ['X-Forwarded-Method: GET', `X-Original-URI: ${OPEN}`],
  ]) {
    t.strictSame(await check('/auth/verify', ...headers), refused, headers.join())
    t.strictSame(await check('/auth/verify', ...headers.toReversed()), refused, headers.toReversed().join())
  }
  for (const lies of [
    ['X-Forwarded-Method: GET', `X-Forwarded-Uri: ${OPEN}`],
    [`X-Original-URI: ${OPEN}`],
    [`X-Original-URL: http://x${OPEN}`],
    [`X-Forwarded-Uri: ${OPEN}`],
    ['X-Original-Method: GET'],
  ]) {
    t.strictSame(await check('/auth/verify/private', ...lies), refused, `behind the path: ${lies.join()}`)
  }
})

t.test('other spellings, other names and Connection change nothing', async (t) => {
  const lies = [
    `X_Forwarded_Uri: ${OPEN}`,
    `X.Forwarded.Uri: ${OPEN}`,
    `X-Forwarded_Uri: ${OPEN}`,
    `X_Original_URI: ${OPEN}`,
    `X-Rewrite-URL: ${OPEN}`,
    `X-Auth-Request-Redirect: ${OPEN}`,
    `Forwarded: for=127.0.0.1;path="${OPEN}"`,
    'X-HTTP-Method-Override: OPTIONS',
    'X-Forwarded-Prefix: /public',
    'Connection: X-Forwarded-Uri, X-Forwarded-Method, X-Original-URI, X-Original-Method',
  ]
  for (const told of [FORWARDED, ORIGINAL]) {
    t.match(await check('/auth/verify', ...told, ...lies), { status: 401, code: 'credentials_missing' })
  }
  t.match(await check('/auth/verify/private', ...lies), { status: 401, code: 'credentials_missing' })
  // Nobody's word on the original: the token alone is judged, so there must be one.
  t.match(await check('/auth/verify', ...lies), { status: 401, code: 'credentials_missing' })
  const admin = FORWARDED.map((line) => line.replace('/private', '/admin'))
  const bearer = `Authorization: Bearer ${token}`
  t.match(await check('/auth/verify', ...admin, ...lies, bearer), { status: 403, code: 'insufficient_scope' })
})

t.test('a target that servers read in two ways', async (t) => {
  for (const target of [
    '/public/../private',
    '/public/%2e%2e/private',
    '/public/..%2fprivate',
    '/public%5c..%5cprivate',
    '/public\\..\\private',
    '/public/..;/private',
    '/public;x=/private',
    '/public//private',
    '//public',
    '/public/%252e%252e/private',
    '/public/%c0%ae%c0%ae/private',
    '/public#/private',
    '/public%23',
    '/public%00',
    '/public/%ff',
    '/public\x80',
    'http://evil.example/public',
    'https://x/public',
    'public',
    '*',
    '',
    '?/public',
    'evil.example:443',
    `/public/${'a'.repeat(9000)}`,
  ]) {
    const told = {
      forwarded: ['X-Forwarded-Method: GET', `X-Forwarded-Uri: ${target}`],
      original: ['X-Original-Method: GET', `X-Original-URI: ${target}`],
    }
    for (const [how, headers] of Object.entries(told)) {
      const found = await check('/auth/verify', ...headers)
      t.strictSame(found, { status: 400, code: 'target_refused' }, `${target.slice(0, 40)} ${how}`)
    }
    // Node's parser refuses other bytes, and long ones are long without the prefix.
    if (/^\/[!-~]{1,99}$/.test(target)) {
      t.strictSame(
        await check(`/auth/verify${target}`),
        { status: 400, code: 'target_refused' },
        `${target} in the path`,
      )
    }
  }
})

t.test('an invalid method, or several', async (t) => {
  for (const method of ['', 'get', 'GET,POST', 'GET POST', 'FOO', 'GET\tx', '"GET"']) {
    t.strictSame(
      await check('/auth/verify', `X-Forwarded-Method: ${method}`, 'X-Forwarded-Uri: /public'),
      refused,
      method,
    )
  }
})

t.test('a check path whose end could be read as its beginning', async (t) => {
  for (const path of ['/auth/%76erify/public', '/%61uth/verify/public', '/auth/verif%79']) {
    t.strictSame(await check(path), refused, path)
  }
  for (const path of [
    '/auth/verifypublic',
    '/auth/verify.public',
    '/AUTH/verify/public',
    '/auth/Verify/public',
  ]) {
    t.match(await check(path), { status: 404 }, path)
  }
})
