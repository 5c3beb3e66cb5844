/** Targets that name a server (RFC 9112 §3.2.2): proxies that follow them reach hosts that no route names. */
import t from 'tap'
import { logIn } from '../support/gateway-process.js'
import { attack, head, startRecorder, startWire } from '../support/wire.js'

const wire = await startWire(t)
const elsewhere = await startRecorder(t)
const { host } = new URL(elsewhere.url)

const TARGETS = [
  `http://${host}/open`,
  `HTTP://${host}/open`,
  `https://${host}/open`,
  `http://${host}`,
  `http://x@${host}/open`,
  `http://x:y@${host}/open`,
  `http:/${host}/open`,
  `http:${host}/open`,
  `//${host}/open`,
  `///${host}/open`,
  `/\\${host}/open`,
  `\\\\${host}/open`,
  `/@${host}`,
  `@${host}/open`,
  `:@${host}/open`,
  `${host}/open`,
  host,
  `*@${host}`,
  'http:///open',
  'http://:80/open',
  'file:///etc/passwd',
  'unix:/run/x.sock:/open',
  'javascript:alert(1)',
  'urn:x',
  '*',
  '?x',
  'open',
  '.',
  '../open',
  '%2fopen',
]

t.test('400 or guarded, and no other server is contacted', async (t) => {
  const { access_token: token } = await logIn(wire.url)
  for (const lines of [['Host: x'], [`Host: ${host}`], ['Host: x', `Authorization: Bearer ${token}`]]) {
    const payloads = TARGETS.map((target) => [
      target,
      head(`GET ${target} HTTP/1.1`, ...lines, 'Connection: close'),
    ])
    const answers = await attack(t, wire, Object.fromEntries(payloads))
    for (const [target, { statuses }] of Object.entries(answers)) {
      const isPath = target === `/@${host}`
      t.strictSame(statuses, [isPath ? (lines.length > 1 ? 200 : 401) : 400], `${target} ${lines.length}`)
    }
  }
  t.strictSame(
    wire.upstream.requests.splice(0).map(({ target }) => target),
    [`/@${host}`],
    'a path like others',
  )
  t.strictSame(elsewhere.requests, [])
})

t.test('also with our own host, and with every method', async (t) => {
  const payloads = ['GET', 'POST', 'OPTIONS', 'HEAD', 'DELETE'].map((method) => [
    method,
    head(
      `${method} http://${new URL(wire.url).host}/open HTTP/1.1`,
      `Host: ${new URL(wire.url).host}`,
      'Content-Length: 0',
    ),
  ])
  const answers = await attack(t, wire, Object.fromEntries(payloads))
  for (const [method, { statuses }] of Object.entries(answers)) t.strictSame(statuses, [400], method)
  t.strictSame(wire.upstream.requests, [])
})

t.test('nor does Host choose the server', async (t) => {
  for (const name of [host, `${host}/open`, `x@${host}`, 'localhost:6379', '169.254.169.254']) {
    const answers = await attack(t, wire, {
      [name]: head('GET /open/host HTTP/1.1', `Host: ${name}`, 'Connection: close'),
    })
    t.strictSame(answers[name]?.statuses, [/[@/]/.test(name) ? 400 : 200], name)
  }
  t.strictSame(elsewhere.requests, [])
  t.ok(wire.upstream.requests.every(({ target }) => target === '/open/host'))
})
