/** What advisories told of oauth2-proxy as a proxy, tried on this gateway. */
import t from 'tap'
import { USERS, logIn } from '../support/gateway-process.js'
import { attack, head, startWire, valuesOf } from '../support/wire.js'

const wire = await startWire(t)
const { upstream } = wire
const get = (target: string, ...lines: string[]) =>
  head(`GET ${target} HTTP/1.1`, 'Host: x', ...lines, 'Connection: close')
const all = (targets: string[], ...lines: string[]) =>
  Object.fromEntries(targets.map((target) => [target, get(target, ...lines)]))

t.test(
  'CVE-2025-54576, GHSA-7rh7-c77v-6434: rules for open paths were matched against the query, too',
  async (t) => {
    const answers = await attack(
      t,
      wire,
      all(['/guarded?/open', '/guarded?x=/open/x', '/guarded/x?p=/open$', '/?/open']),
    )
    for (const [target, { statuses }] of Object.entries(answers)) t.strictSame(statuses, [401], target)
    t.strictSame(upstream.requests, [])
  },
)

t.test(
  'CVE-2026-41059, GHSA-pxq7-h93f-9jrg: rules for open paths saw a fragment that the upstream didn’t',
  async (t) => {
    const answers = await attack(
      t,
      wire,
      all(['/guarded#/open', '/guarded%23/open', '/open#/../guarded', '/guarded/x#/open']),
    )
    for (const [target, { statuses }] of Object.entries(answers)) t.strictSame(statuses, [400], target)
    t.strictSame(upstream.requests, [])
  },
)

t.test(
  'CVE-2025-64484, GHSA-vjrc-mh2v-45x6: identity headers with underscores passed from the client',
  async (t) => {
    const { access_token: token } = await logIn(wire.url)
    const lines = [
      'X_Forwarded_User: root',
      'X_Forwarded-User: root',
      'x_auth_request_session: root',
      'X_FORWARDED_FOR: 6.6.6.6',
    ]
    await attack(t, wire, all(['/open'], ...lines))
    t.notMatch(upstream.requests.at(-1)!.bytes, /root|6\.6\.6\.6/)
    await attack(t, wire, all(['/mine'], ...lines, `Authorization: Bearer ${token}`))
    t.strictSame(valuesOf(upstream.requests.at(-1)!, 'X-Forwarded-User'), ['ada'])
  },
)

t.test(
  'CVE-2026-40575, GHSA-7x63-xv5r-3p2x: the path to check came from a header of the client',
  async (t) => {
    upstream.requests.length = 0
    const lines = [
      'X-Forwarded-Uri: /open',
      'X-Forwarded-Path: /open',
      'X-Original-URI: /open',
      'X-Original-URL: /open',
    ]
    const { '/guarded': answer } = await attack(
      t,
      wire,
      all(['/guarded'], ...lines, 'X-Forwarded-Method: GET'),
    )
    t.strictSame(answer?.statuses, [401])
    t.strictSame(upstream.requests, [])
  },
)

t.test(
  'CVE-2026-34457, GHSA-5hvv-m4w4-gf6v: any request that claimed to be the health check was admitted',
  async (t) => {
    for (const agent of ['GoogleHC/1.0', 'kube-probe/1.30', 'ELB-HealthChecker/2.0', 'Portcullis']) {
      const { '/guarded': answer } = await attack(t, wire, all(['/guarded'], `User-Agent: ${agent}`))
      t.strictSame(answer?.statuses, [401], agent)
    }
  },
)

t.test(
  'CVE-2020-5233, GHSA-qqxw-m5fj-f7gv · CVE-2020-11053, GHSA-j7px-6hwj-hpjg · CVE-2020-4037, GHSA-5m6c-jp6f-2vcv · CVE-2021-21291, GHSA-4mf2-f3wh-gvf2: an open redirect after the login',
  async (t) => {
    const places = [
      '//evil.example',
      '/\\evil.example',
      '/%09/evil.example',
      '/%0a/evil.example',
      '/%5cevil.example',
      'https://evil.example',
      '/ /evil.example',
      'evil.example',
      '.evil.example',
    ]
    const body = JSON.stringify({ username: 'ada', password: USERS.ada })
    for (const place of places) {
      for (const name of ['next', 'rd', 'redirect', 'redirect_uri', 'return_to']) {
        const query = `${name}=${encodeURIComponent(place)}`
        const lines = [
          'Host: x',
          'Content-Type: application/json',
          `Content-Length: ${body.length}`,
          'Connection: close',
        ]
        const { statuses, text } = await wire.send(
          head(`POST /auth/login?${query} HTTP/1.1`, ...lines) + body,
        )
        t.strictSame(statuses, [200])
        t.notMatch(text, /evil\.example|^location:/im, `${name}=${place}`)
      }
    }
  },
)

t.test('CVE-2017-1000069, GHSA-rrm8-32g4-w8m3: login CSRF by another site', async (t) => {
  const body = JSON.stringify({ username: 'ada', password: USERS.ada, cookies: true })
  for (const origin of ['https://evil.example', 'null', 'http://x.evil.example']) {
    const lines = [
      'Host: x',
      `Origin: ${origin}`,
      'Content-Type: application/json',
      `Content-Length: ${body.length}`,
    ]
    const { statuses, text } = await wire.send(
      head('POST /auth/login HTTP/1.1', ...lines, 'Connection: close') + body,
    )
    t.strictSame(statuses, [403], origin)
    t.notMatch(text, /^set-cookie/im)
  }
})

t.test('CVE-2026-34454, GHSA-f24x-5g9q-753f: a logout left the session’s cookie valid', async (t) => {
  const login = JSON.stringify({ username: 'ada', password: USERS.ada, cookies: true })
  const { host } = new URL(wire.url)
  const own = [`Host: ${host}`, `Origin: ${wire.url}`]
  const json = ['Content-Type: application/json', `Content-Length: ${login.length}`, 'Connection: close']
  const { text } = await wire.send(head('POST /auth/login HTTP/1.1', ...own, ...json) + login)
  const cookie = `Cookie: ${[...text.matchAll(/^set-cookie: ([^;]*)/gim)].map(([, pair]) => pair).join('; ')}`
  t.strictSame((await wire.send(get('/mine', cookie))).statuses, [200])
  const logout = await wire.send(
    head('POST /auth/logout HTTP/1.1', ...own, cookie, 'Content-Length: 0', 'Connection: close'),
  )
  t.strictSame(logout.statuses, [204])
  t.strictSame((await wire.send(get('/mine', cookie))).statuses, [401], 'kept by the browser or not')
})
