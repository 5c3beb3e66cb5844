/**
 * What a form on another site can send without asking first: logins and refreshes in its three media types (Fetch
 * §2.2.2).
 */
import t from 'tap'
import { USERS, logInByCookies } from '../support/gateway-process.js'
import { head, startWire } from '../support/wire.js'

const wire = await startWire(t)
const { host } = new URL(wire.url)
const cookies = await logInByCookies(wire.url)
const cookie = Object.entries(cookies)
  .map((pair) => pair.join('='))
  .join('; ')
const post = (path: string, type: string, body: string, ...lines: string[]) => {
  const length = `Content-Length: ${Buffer.byteLength(body)}`
  return (
    head(
      `POST ${path} HTTP/1.1`,
      `Host: ${host}`,
      `Content-Type: ${type}`,
      length,
      ...lines,
      'Connection: close',
    ) + body
  )
}
const fields = { username: 'ada', password: USERS.ada, cookies: true }
const json = JSON.stringify(fields)

/** Media types that need no preflight, or that some parser takes for such a one. */
const TYPES = [
  'text/plain',
  'text/plain;charset=UTF-8',
  'text/plain; application/json',
  'text/plain, application/json',
  'application/x-www-form-urlencoded; application/json',
  'multipart/form-data; boundary=application/json',
  'application/json, text/plain',
  'application/json\t; x',
  'application/json garbage',
  'application/json;text/plain',
  ' application/json',
  'APPLICATION/JSON',
  'application/jsonx',
  'application/vnd.api+json',
  'x/application/json',
  '',
]

t.test('a login with cookies is refused for another origin, with any content type', async (t) => {
  for (const type of TYPES) {
    for (const origin of [
      'Origin: https://evil.example',
      'Origin: null',
      'Sec-Fetch-Site: cross-site',
      'X-Nothing: 1',
    ]) {
      const { statuses, text } = await wire.send(post('/auth/login', type, json, origin))
      t.match(statuses.join(), /^(400|403|415)$/, `${type} ${origin}`)
      t.notMatch(text, /^set-cookie/im)
      t.notMatch(text, /access_token/)
    }
  }
  const form = new URLSearchParams({ username: 'ada', password: USERS.ada, cookies: 'true' }).toString()
  const { statuses } = await wire.send(
    post('/auth/login', 'application/x-www-form-urlencoded', form, 'Origin: https://evil.example'),
  )
  t.strictSame(statuses, [403])
})

t.test('JSON as text/plain with an = is not accepted as a form', async (t) => {
  const trick = `{"username":"ada","password":"${USERS.ada}","cookies":true,"x":"="}`
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
    const { statuses, text } = await wire.send(post('/auth/login', type, trick, `Origin: ${wire.url}`))
    t.match(statuses.join(), /^(400|401|415)$/, `${type}, even from here`)
    t.notMatch(text, /^set-cookie/im)
  }
})

t.test(
  'refresh, logout and “everywhere” by cookie are refused in every form, and nothing ends',
  async (t) => {
    for (const [path, body] of [
      ['/auth/refresh', ''],
      ['/auth/logout', ''],
      ['/auth/logout', '{"all":true}'],
      ['/auth/logout', 'all=true'],
    ] as const) {
      for (const type of [
        'text/plain',
        'application/x-www-form-urlencoded',
        'multipart/form-data; boundary=x',
        'application/json',
      ]) {
        for (const origin of [
          'Origin: https://evil.example',
          'Origin: null',
          'Referer: https://evil.example/',
          `Referer: ${wire.url}/`,
        ]) {
          const { statuses, text } = await wire.send(post(path, type, body, `Cookie: ${cookie}`, origin))
          t.match(statuses.join(), /^(400|403|415)$/, `${path} ${type} ${origin}`)
          t.notMatch(text, /^set-cookie/im)
        }
      }
    }
    const me = head('GET /auth/me HTTP/1.1', `Host: ${host}`, `Cookie: ${cookie}`, 'Connection: close')
    t.strictSame((await wire.send(me)).statuses, [200])
  },
)

t.test('no GET changes state, and no method override in a field or query works', async (t) => {
  for (const target of [
    '/auth/logout',
    '/auth/logout?all=true',
    '/auth/refresh',
    '/auth/login?username=ada&password=x&cookies=true',
    '/auth/logout?_method=POST',
    '/auth/sessions?_method=DELETE',
  ]) {
    for (const method of ['GET', 'HEAD']) {
      const { text } = await wire.send(
        head(
          `${method} ${target} HTTP/1.1`,
          `Host: ${host}`,
          `Cookie: ${cookie}`,
          'X-HTTP-Method-Override: POST',
          'Connection: close',
        ),
      )
      t.notMatch(text, /^set-cookie/im, `${method} ${target}`)
    }
  }
  const me = head('GET /auth/me HTTP/1.1', `Host: ${host}`, `Cookie: ${cookie}`, 'Connection: close')
  t.strictSame((await wire.send(me)).statuses, [200])
})

t.test('a page of a CORS origin may only call: CORS matching is exact', async (t) => {
  const listed = await startWire(t, { cors: { origins: ['https://app.example'] } })
  const theirs = await logInByCookies(listed.url)
  const lines = [
    'Host: x',
    `Cookie: __Host-access=${theirs['__Host-access']}`,
    'Content-Length: 0',
    'Connection: close',
  ]
  for (const origin of [
    'https://app.example.evil.example',
    'https://xapp.example',
    'http://app.example',
    'https://app.example:444',
    'https://APP.example.',
    'https://app.example/',
    'https://app.example, https://evil.example',
    'null',
    'https://app_example',
  ]) {
    const { statuses, text } = await listed.send(head('POST /mine HTTP/1.1', `Origin: ${origin}`, ...lines))
    t.strictSame(statuses, [403], origin)
    t.notMatch(text, /^access-control-allow-origin: (?!https:\/\/app\.example\r)/im, origin)
  }
  t.strictSame(listed.upstream.requests, [])
})
