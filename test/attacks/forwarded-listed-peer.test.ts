/**
 * A listed peer passes on what its client wrote: of the forwarding headers, only what that peer itself can vouch for
 * counts.
 */
import t from 'tap'
import { logIn } from '../support/gateway-process.js'
import { attack, head, startRecorder, startWire, valuesOf } from '../support/wire.js'

const upstream = await startRecorder(t)
const wire = {
  ...(await startWire(t, {
    listen: { host: '127.0.0.1', port: 0, trustProxy: ['127.0.0.1/32', '10.0.0.0/8'] },
    routes: [
      { path: '/open', upstream: upstream.url, auth: 'none' },
      { path: '/', upstream: upstream.url },
    ],
  })),
  upstream,
}
const get = (...lines: string[]) => head('GET /open HTTP/1.1', 'Host: inner', ...lines, 'Connection: close')

/** What the upstream is told of the client, or that the gateway refused. */
async function told(...lines: string[]) {
  const before = upstream.requests.length
  const { statuses } = await wire.send(get(...lines))
  if (upstream.requests.length === before) return statuses.join()
  const received = upstream.requests.at(-1)!
  return ['X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Host']
    .map((name) => valuesOf(received, name).join(' | '))
    .join(' ')
}

t.test('the client is the last address that isn’t a listed peer', async (t) => {
  t.equal(await told('X-Forwarded-For: 6.6.6.6, 198.51.100.7'), '198.51.100.7 http inner')
  t.equal(await told('X-Forwarded-For: 6.6.6.6, 198.51.100.7, 10.1.2.3'), '198.51.100.7 http inner')
  t.equal(await told('X-Forwarded-For: 127.0.0.1, 198.51.100.7'), '198.51.100.7 http inner')
  t.equal(await told('X-Forwarded-For: 6.6.6.6', 'X-Forwarded-For: 198.51.100.7'), '198.51.100.7 http inner')
})

t.test('protocol and host are the last values, which the peer itself wrote', async (t) => {
  t.equal(await told('X-Forwarded-Proto: https'), '127.0.0.1 https inner')
  t.equal(await told('X-Forwarded-Proto: http, https'), '127.0.0.1 https inner')
  t.equal(await told('X-Forwarded-Host: api.example'), '127.0.0.1 http api.example')
  t.equal(await told('X-Forwarded-Host: evil.example, api.example'), '127.0.0.1 http api.example')
})

t.test('headers for other proxies, method and target are removed anyway', async (t) => {
  const lines = [
    'X-Original-URL: /evil',
    'X-Rewrite-URL: /evil',
    'X-Forwarded-Uri: /evil',
    'X-Forwarded-Method: DELETE',
    'X-Forwarded-Prefix: /evil',
    'X-Original-Method: DELETE',
    'X_Forwarded_For: evil',
    'X_Forwarded_Host: evil',
    'X_Forwarded_Proto: evil',
    'X-Real-IP: 6.6.6.6',
    'Forwarded: for=6.6.6.6;host=evil',
  ]
  await attack(t, wire, { lines: get(...lines) })
  const received = upstream.requests.at(-1)!
  t.notMatch(received.bytes, /evil|6\.6\.6\.6|DELETE/)
  t.strictSame(valuesOf(received, 'X-Forwarded-For'), ['127.0.0.1'])
  const guarded = await wire.send(
    head(
      'GET /guarded HTTP/1.1',
      'Host: x',
      'X-Forwarded-Uri: /open',
      'X-Original-URL: /open',
      'Connection: close',
    ),
  )
  t.strictSame(guarded.statuses, [401], 'the request’s own target is judged')
})

t.test('identity headers are accepted from no peer', async (t) => {
  const { access_token: token } = await logIn(wire.url)
  await attack(t, wire, { anonymous: get('X-Forwarded-User: root') })
  t.strictSame(valuesOf(upstream.requests.at(-1)!, 'X-Forwarded-User'), [])
  const lines = ['Host: x', 'X-Forwarded-User: root', `Authorization: Bearer ${token}`, 'Connection: close']
  await attack(t, wire, { known: head('GET /mine HTTP/1.1', ...lines) })
  t.strictSame(valuesOf(upstream.requests.at(-1)!, 'X-Forwarded-User'), ['ada'])
})

t.test('an invalid address reaches neither upstream nor rate limit', async (t) => {
  for (const value of [
    'unknown',
    '<script>',
    '198.51.100.7:80',
    '_hidden',
    '1.2.3.4.5',
    '',
    ',',
    '"::1"',
    'a b',
    '٣.3.3.3',
  ]) {
    const text = await told(`X-Forwarded-For: ${Buffer.from(value).toString('latin1')}`)
    t.match(text, /^(127\.0\.0\.1|198\.51\.100\.7) http inner$|^400$/, JSON.stringify(value))
  }
})

t.test('protocol and host must be one plain value each', async (t) => {
  t.equal(await told('X-Forwarded-Proto: https'), '127.0.0.1 https inner')
  for (const value of [
    'javascript',
    'https\xa0',
    'HTTPS',
    'https;x',
    'ftp',
    'http://evil.example',
    '"https"',
  ]) {
    t.match(await told(`X-Forwarded-Proto: ${value}`), /^127\.0\.0\.1 https? inner$|^400$/, value)
  }
  t.equal(await told('X-Forwarded-Host: api.example'), '127.0.0.1 http api.example')
  for (const value of [
    'evil.example/x',
    'a@evil.example',
    'a b',
    'evil.example"',
    'evil.example#x',
    'x;y',
    '\\evil',
    'a:b:c',
  ]) {
    t.match(await told(`X-Forwarded-Host: ${value}`), /^127\.0\.0\.1 http inner$|^400$/, value)
  }
})
