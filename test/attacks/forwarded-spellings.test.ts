/**
 * Listed proxies write the client's address in many ways (RFC 7239 §6). An address that isn't understood must neither
 * count for somebody else nor lock everybody out.
 */
import t from 'tap'
import { USERS, call, logIn, serveGateway, soon, startGateway } from '../support/gateway-process.js'
import { head, startRecorder, startWire, valuesOf } from '../support/wire.js'

const PROXIES = ['127.0.0.1/32', '10.0.0.0/8', 'fd00::/8']
const LIMIT = { login: { perAddress: { failures: 2 } } }

async function startBehindProxy(listen: Record<string, unknown> = {}) {
  const upstream = await startRecorder(t)
  const wire = await startWire(t, {
    listen: { host: '127.0.0.1', port: 0, trustProxy: PROXIES, ...listen },
    routes: [{ path: '/', upstream: upstream.url, auth: 'none' }],
  })
  /** Returns the client that the upstream receives: address, protocol, host. */
  return async (...lines: string[]) => {
    const before = upstream.requests.length
    await wire.send(head('GET / HTTP/1.1', 'Host: inner', ...lines, 'Connection: close'))
    const received = upstream.requests[before]!
    return ['X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Host']
      .map((name) => valuesOf(received, name).join(' | '))
      .join(' ')
  }
}

t.test('ports, brackets and quotes in X-Forwarded-For are removed, for clients and proxies', async (t) => {
  const seenBy = await startBehindProxy()
  for (const [value, ip] of [
    ['203.0.113.9:5555', '203.0.113.9'],
    ['"203.0.113.9:5555"', '203.0.113.9'],
    ['203.0.113.9:_hidden', '203.0.113.9'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['"[2001:db8::1]:443"', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['2001:db8::1', '2001:db8::1'],
    ['"203.0.113.9"', '203.0.113.9'],
    ['[203.0.113.9]', '127.0.0.1'],
    ['203.0.113.9:999999', '127.0.0.1'],
    ['[::ffff:203.0.113.9]:80', '203.0.113.9'],
    ['203.0.113.9:5555, 10.1.2.3:443', '203.0.113.9'],
    ['6.6.6.6:1, 203.0.113.9, [fd00::7]:80, ::ffff:10.1.2.3', '203.0.113.9'],
    ['203.0.113.9, , 10.1.2.3', '203.0.113.9'],
    ['10.9.9.9:80, 10.1.2.3:443', '10.9.9.9'],
  ] as const)
    t.equal(await seenBy(`X-Forwarded-For: ${value}`), `${ip} http inner`, value)
})

t.test('the protocol is https for wss, in capitals, and where the first hop was encrypted', async (t) => {
  const seenBy = await startBehindProxy()
  const address = 'X-Forwarded-For: 203.0.113.9'
  for (const value of ['https', 'HTTPS', 'wss', 'WSS', '"https"', 'https, http', 'http, https'])
    t.equal(await seenBy(address, `X-Forwarded-Proto: ${value}`), '203.0.113.9 https inner', value)
  for (const value of ['http', 'ws', 'HTTP', 'ftp', ''])
    t.equal(await seenBy(address, `X-Forwarded-Proto: ${value}`), '203.0.113.9 http inner', value)

  const chain = 'X-Forwarded-For: 203.0.113.9, 10.1.2.3'
  t.equal(
    await seenBy(chain, 'X-Forwarded-Proto: https, http', 'X-Forwarded-Host: api.example, inner.example'),
    '203.0.113.9 https api.example',
    'one entry per hop',
  )
  const forged = 'X-Forwarded-For: 6.6.6.6, 203.0.113.9'
  t.equal(
    await seenBy(forged, 'X-Forwarded-Proto: https, http', 'X-Forwarded-Host: evil.example, api.example'),
    '203.0.113.9 http api.example',
    'entries that the client wrote have no effect',
  )
})

t.test('with listen.trustHeaders: forwarded, only Forwarded counts (RFC 7239)', async (t) => {
  const seenBy = await startBehindProxy({ trustHeaders: 'forwarded' })
  const spoofed = ['X-Forwarded-For: 6.6.6.6', 'X-Forwarded-Proto: https', 'X-Forwarded-Host: evil.example']
  t.equal(await seenBy(...spoofed), '127.0.0.1 http inner')
  for (const [value, client] of [
    ['for=203.0.113.9', '203.0.113.9 http inner'],
    ['For="[2001:db8::1]:443";Proto=HTTPS;host=api.example', '2001:db8::1 https api.example'],
    ['for="203.0.113.9:80" ; by=10.0.0.1;host="api.example:8443"', '203.0.113.9 http api.example:8443'],
    ['for=203.0.113.9;proto=https;host=a.example, for=10.1.2.3;proto=http', '203.0.113.9 https a.example'],
    ['for=6.6.6.6;host="a,b;for=7.7.7.7", for=203.0.113.9;proto=https', '203.0.113.9 https inner'],
    ['for=203.0.113.9;ext="a\\"b"', '203.0.113.9 http inner'],
    // Nothing of a header that isn't well-formed, or whose client is hidden, counts.
    ['for=203.0.113.9;host="evil.example', '127.0.0.1 http inner'],
    ['for=203.0.113.9;for=6.6.6.6', '127.0.0.1 http inner'],
    ['203.0.113.9', '127.0.0.1 http inner'],
    ['for=203.0.113.9, for=10.1.2.3;', '127.0.0.1 http inner'],
    ['for=unknown;proto=https', '127.0.0.1 https inner'],
  ] as const)
    t.equal(await seenBy(`Forwarded: ${value}`, ...spoofed), client, value)
})

t.test('a malformed Forwarded of a client does not hide what listed proxies append to it', async (t) => {
  const seenBy = await startBehindProxy({ trustHeaders: 'forwarded' })
  for (const lie of [
    'for="',
    '@',
    'for=1.1.1.1;for=2.2.2.2',
    'for="\\',
    'x="a, for=6.6.6.6;y="',
    '"',
    'for=6.6.6.6;',
  ]) {
    t.equal(await seenBy(`Forwarded: ${lie}, for=203.0.113.9`), '203.0.113.9 http inner', lie)
    t.equal(
      await seenBy(`Forwarded: ${lie}`, 'Forwarded: for="[2001:db8::1]:80";proto=https, for=10.1.2.3'),
      '2001:db8::1 https inner',
      `${lie} before two proxies`,
    )
    t.equal(
      await seenBy(`Forwarded: ${lie}, for=10.1.2.3`),
      '127.0.0.1 http inner',
      `${lie} of a listed proxy`,
    )
  }

  const listen = { host: '127.0.0.1', port: 0, trustProxy: PROXIES, trustHeaders: 'forwarded' }
  const { url } = await startGateway(t, { listen, rateLimit: LIMIT })
  const statuses = []
  for (let i = 0; i < 3; i++) {
    const json = { username: `nobody ${i}`, password: 'wrong' }
    const headers = { forwarded: 'for=", for=203.0.113.9' }
    statuses.push((await call(url, 'POST', '/auth/login', { json, headers })).status)
  }
  t.strictSame(statuses, [401, 401, 429], 'the client counts by its address')
})

t.test('a client with a failed login behind a port locks out nobody else', async (t) => {
  const listen = { host: '127.0.0.1', port: 0, trustProxy: PROXIES }
  const { url } = await startGateway(t, { listen, rateLimit: LIMIT })
  const fail = (client: string, i: number) =>
    call(url, 'POST', '/auth/login', {
      json: { username: `nobody ${i}`, password: 'wrong' },
      headers: { 'x-forwarded-for': client },
    })
  const statuses = []
  for (let i = 0; i < 3; i++) statuses.push((await fail(`203.0.113.9:${5000 + i}`, i)).status)
  t.strictSame(statuses, [401, 401, 429], 'the client counts by its address, whatever its port')
  t.equal((await fail('203.0.113.10:5000', 4)).status, 401, 'another client')
  t.ok(await logIn(url), 'the proxy itself')
})

t.test('a listed proxy that hides the client locks out nobody, and is logged', async (t) => {
  const listen = { host: '127.0.0.1', port: 0, trustProxy: PROXIES }
  const gateway = await serveGateway(t, {
    listen,
    rateLimit: { ...LIMIT, refresh: { perAddress: { max: 2 } } },
  })
  const { url } = gateway
  const headers = { 'x-forwarded-for': 'unknown' }
  for (let i = 0; i < 4; i++) {
    const json = { username: `nobody ${i}`, password: 'wrong' }
    t.equal((await call(url, 'POST', '/auth/login', { json, headers })).status, 401)
  }
  const json = { username: 'ada', password: USERS.ada }
  const login = await call(url, 'POST', '/auth/login', { json, headers })
  t.equal(login.status, 200)
  let refreshToken = login.body.refresh_token as string
  for (let i = 0; i < 4; i++) {
    const refreshed = await call(url, 'POST', '/auth/refresh', {
      json: { refresh_token: refreshToken },
      headers,
    })
    t.equal(refreshed.status, 200)
    refreshToken = refreshed.body.refresh_token as string
  }
  const wrong = { username: 'ada', password: 'wrong' }
  for (let i = 0; i < 11; i++) await call(url, 'POST', '/auth/login', { json: wrong, headers })
  const guess = await call(url, 'POST', '/auth/login', { json: wrong, headers })
  t.equal(guess.status, 429, 'the limit per account still applies')
  const logged = () => gateway.records().filter(({ event }) => event === 'client_address_unknown')
  await soon('the unknown address is logged', () => logged().length > 0)
  t.match(logged()[0], { level: 40, peer: '127.0.0.1', received: 'unknown' })
})
