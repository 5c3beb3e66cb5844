/** What advisories told of @fastify/reply-from and @fastify/http-proxy, tried on this gateway. */
import t from 'tap'
import { logIn } from '../support/gateway-process.js'
import { attack, head, startRecorder, startWire, valuesOf } from '../support/wire.js'

const wire = await startWire(t)
const { upstream } = wire
const get = (target: string, ...lines: string[]) =>
  head(`GET ${target} HTTP/1.1`, 'Host: x', ...lines, 'Connection: close')

t.test('GHSA-qmw8-3v4g-gwj4, CVE-2021-21321: encoded dots left the proxied path', async (t) => {
  const targets = ['/open/%2e%2e/guarded', '/open/%2E%2E/guarded', '/open/%2e%2e', '/open/..%2fguarded']
  const answers = await attack(t, wire, Object.fromEntries(targets.map((target) => [target, get(target)])))
  for (const [target, { statuses }] of Object.entries(answers)) t.strictSame(statuses, [400], target)
  t.strictSame(upstream.requests, [])
})

t.test('GHSA-c4qr-gmr9-v23w, CVE-2021-21322: the same through the prefix of a proxy', async (t) => {
  const targets = ['/open/../guarded', '/open/%2e%2e/%2e%2e/guarded', '/open/x/../../guarded']
  const answers = await attack(t, wire, Object.fromEntries(targets.map((target) => [target, get(target)])))
  for (const [target, { statuses }] of Object.entries(answers)) t.strictSame(statuses, [400], target)
  t.strictSame(upstream.requests, [])
})

t.test(
  'GHSA-2q7r-29rg-6m5h, CVE-2025-66415: dot segments within a base path were resolved after the check',
  async (t) => {
    const targets = ['/open/ho/%2E%2E/hi', '/open/ho/.%2E/hi', '/open/ho/%2E./%2E./hi', '/open/.../%2e%2e/x']
    const answers = await attack(t, wire, Object.fromEntries(targets.map((target) => [target, get(target)])))
    for (const [target, { statuses }] of Object.entries(answers)) t.strictSame(statuses, [400], target)
    t.strictSame(upstream.requests, [])
  },
)

t.test(
  'GHSA-v2v2-hph8-q5xp, CVE-2023-51701: a blank before the parameter of a media type changed how the body was parsed',
  async (t) => {
    const body = '{"method":"invalid_method"}'
    for (const type of [
      'application/json ; charset=utf-8',
      'application/json\t;x',
      'APPLICATION/JSON',
      'text/plain',
    ]) {
      const lines = [`Content-Type: ${type}`, `Content-Length: ${body.length}`, 'Connection: close']
      await attack(t, wire, { [type]: head('POST /open HTTP/1.1', 'Host: x', ...lines) + body })
      const received = upstream.requests.at(-1)!
      t.equal(received.body, body, 'byte for byte')
      t.strictSame(valuesOf(received, 'content-type'), [type], 'as it was said')
    }
  },
)

t.test(
  'GHSA-gwhp-pf74-vj37, CVE-2026-33805: Connection of a client removed the proxy’s own headers',
  async (t) => {
    const { access_token: token } = await logIn(wire.url)
    const own = ['X-Forwarded-User', 'X-Auth-Request-Session', 'X-Forwarded-For', 'X-Real-IP', 'Forwarded']
    const lines = [`Authorization: Bearer ${token}`, `Connection: ${own.join(', ')}`]
    await attack(t, wire, { own: head('GET /mine HTTP/1.1', 'Host: x', ...lines) })
    for (const name of own) t.equal(valuesOf(upstream.requests.at(-1)!, name).length, 1, name)
  },
)

t.test(
  'GHSA-v574-6498-x57v: upstream and path shared a cache key, so another upstream responded',
  async (t) => {
    const other = await startRecorder(t)
    const two = await startWire(t, {
      routes: [
        { path: '/a', upstream: upstream.url, auth: 'none' },
        { path: '/a/b', upstream: other.url, auth: 'none' },
        { path: '/ab', upstream: other.url, auth: 'none' },
      ],
    })
    upstream.requests.length = 0
    const targets = [
      '/a/x',
      '/a/b',
      '/ab',
      '/a/bx',
      '/a',
      '/a/b/',
      '/a?/b',
      '/a/x',
      '/a/b',
      '/a//b',
      '/%61/b',
    ]
    for (const target of targets) await two.send(get(target))
    t.strictSame(
      upstream.requests.map(({ target }) => target),
      ['/a/x', '/a/bx', '/a', '/a?/b', '/a/x'],
    )
    t.strictSame(
      other.requests.map(({ target }) => target),
      ['/a/b', '/ab', '/a/b/', '/a/b', '/%61/b'],
    )
  },
)
