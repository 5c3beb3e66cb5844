import t from 'tap'
import { headerRules } from '../../src/gateway/header-rules.js'
import type { RequestHeaderOptions } from '../../src/gateway/header-rules.js'

const rules = headerRules({
  identity: ['X-Forwarded-User', 'X-Auth-Request-Session'],
  cookies: ['__Host-access', '__Secure-refresh'],
})
const options: RequestHeaderOptions = {
  origin: { ip: '192.0.2.7', protocol: 'http', host: 'api.example.com' },
  host: 'keep',
  drop: undefined,
  identity: {},
}

/** `'Name: value'` lines as Node gives headers: name, value, name, value… */
function raw(...lines: string[]): string[] {
  return lines.flatMap((line) => {
    const end = line.indexOf(': ')
    return [line.slice(0, end), line.slice(end + 2)]
  })
}

/** All of some names, each with the same value. */
const each = (value: string, ...names: string[]) => names.flatMap((name) => [name, value])

const MADE = raw(
  'X-Forwarded-For: 192.0.2.7',
  'X-Forwarded-Proto: http',
  'X-Forwarded-Host: api.example.com',
  'X-Forwarded-Port: 80',
  'X-Real-IP: 192.0.2.7',
  'Forwarded: for=192.0.2.7;proto=http;host=api.example.com',
)

function sent(headers: string[], more: Partial<RequestHeaderOptions> = {}): string[] {
  const result = rules.request(headers, { ...options, ...more })
  if (!result.ok) throw new Error(result.reason)
  return result.headers
}

function hostSent(headers: string[], more: Partial<RequestHeaderOptions> = {}): string | undefined {
  const result = rules.request(headers, { ...options, ...more })
  if (!result.ok) throw new Error(result.reason)
  return result.host
}

/** What goes upstream of the client's own headers. */
function passed(headers: string[], more: Partial<RequestHeaderOptions> = {}): string[] {
  const all = sent(headers, more)
  return all.slice(0, all.length - MADE.length)
}

function refusal(headers: string[]): string {
  const result = rules.request(headers, options)
  return result.ok ? 'none' : result.reason
}

t.test('ordinary headers pass with their case, order and duplicates', async (t) => {
  const headers = raw('ACCEPT: */*', 'x-a: 1', 'X-A: 2', 'User-Agent: caf\xe9', 'X-Empty: ')
  t.strictSame(sent(headers), headers.concat(MADE))
})

t.test('hop-by-hop headers are removed, including those that Connection names', async (t) => {
  t.strictSame(
    passed(
      raw(
        'Connection: keep-alive, X-Hop , x-other',
        'Connection: x-third',
        'X-HOP: 1',
        'X-Other: 2',
        'x-third: 3',
        'Keep-Alive: timeout=5',
        'TE: trailers',
        'Trailer: x',
        'Upgrade: h2c',
        'HTTP2-Settings: AAMA',
        'Proxy-Authorization: Basic eDp5',
        'Proxy-Connection: x',
        'Proxy: evil:1',
        'Expect: 100-continue',
        'X-Kept: 4',
      ),
    ),
    raw('X-Kept: 4'),
  )
})

t.test('attack: identity headers from the client, in every alias', async (t) => {
  const user = [
    'X-Forwarded-User',
    'x-forwarded-user',
    'X_Forwarded_User',
    'X.Forwarded.User',
    'x-forwarded_USER',
  ]
  const session = ['X-Auth-Request-Session', 'X_AUTH_REQUEST_SESSION', 'x.auth-request_session']
  t.strictSame(passed(each('admin', ...user, ...session)), [])
})

t.test('attack: Connection names headers that the gateway sets', async (t) => {
  const named = 'Connection: X-Forwarded-User, x-forwarded-for, forwarded, x-real-ip, host, content-length'
  const headers = raw('Host: api.example.com', named, 'Content-Length: 3')
  t.strictSame(
    sent(headers, { identity: { 'X-Forwarded-User': 'alice' } }),
    MADE.concat(raw('X-Forwarded-User: alice')),
  )
  t.equal(hostSent(headers), 'api.example.com')
})

t.test('attack: forwarded headers, rewrites and method overrides from the client', async (t) => {
  const forwarded = [
    'X-Forwarded-For',
    'X-Forwarded-Host',
    'X_Forwarded_Proto',
    'X-Forwarded-Any',
    'X-Forwarded',
  ]
  const address = ['Forwarded', 'X-Real-IP', 'X_Real.IP']
  const target = ['X-Original-URL', 'X-Original-Method', 'X_Original_Uri', 'X-Rewrite-URL', 'X-Rewrite-Path']
  const method = ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override', 'HTTP-Method-Override']
  const aliases = ['x_http_method_override', 'X.Method.Override', 'x-http-method']
  t.strictSame(passed(each('evil', ...forwarded, ...address, ...target, ...method, ...aliases)), [])
})

t.test('headers with a similar beginning pass', async (t) => {
  const headers = raw('X-Forward: 1', 'X-Originals: 2', 'Hosting: 3', 'X-HTTP-Methods: 4', 'Proxying: 5')
  t.strictSame(passed(headers), headers)
})

t.test('IPv6, mapped IPv4, ports and https are written as in RFC 7239', async (t) => {
  t.strictSame(
    sent([], { origin: { ip: '2001:db8::1', protocol: 'https', host: 'example.com:8443' } }),
    raw(
      'X-Forwarded-For: 2001:db8::1',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: example.com:8443',
      'X-Forwarded-Port: 8443',
      'X-Real-IP: 2001:db8::1',
      'Forwarded: for="[2001:db8::1]";proto=https;host="example.com:8443"',
    ),
  )
  t.strictSame(
    sent([], { origin: { ip: '::ffff:192.0.2.1', protocol: 'https', host: '[::1]' } }),
    raw(
      'X-Forwarded-For: 192.0.2.1',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: [::1]',
      'X-Forwarded-Port: 443',
      'X-Real-IP: 192.0.2.1',
      'Forwarded: for=192.0.2.1;proto=https;host="[::1]"',
    ),
  )
  t.strictSame(
    sent([], { origin: { ip: '192.0.2.1', protocol: 'http', host: undefined } }),
    raw(
      'X-Forwarded-For: 192.0.2.1',
      'X-Forwarded-Proto: http',
      'X-Real-IP: 192.0.2.1',
      'Forwarded: for=192.0.2.1;proto=http',
    ),
  )
})

t.test('the gateway’s cookies are removed, and others kept byte for byte', async (t) => {
  for (const [cookie, kept] of [
    ['a=1;  b="x y";c', 'a=1;  b="x y";c'],
    ['a=1; __Host-access=t; b=2', 'a=1; b=2'],
    ['__Host-access=t; a=1;b=2', 'a=1;b=2'],
    ['a=1; __Secure-refresh=t', 'a=1'],
    ['__Host-access=t; __Secure-refresh=u', undefined],
    ['__host-ACCESS=t', undefined],
    [' __Host-access =t', undefined],
    ['=__Host-access=t;a=1', 'a=1'],
    ['x__Host-access=t; access=1', 'x__Host-access=t; access=1'],
  ] as const) {
    t.strictSame(passed(['Cookie', cookie]), kept === undefined ? [] : ['Cookie', kept], cookie)
  }
  t.strictSame(
    passed(raw('Cookie: a=1', 'cookie: __Host-access=t', 'COOKIE: b=2')),
    raw('Cookie: a=1', 'COOKIE: b=2'),
  )
})

t.test('Authorization is passed on only where its token was accepted', async (t) => {
  const headers = raw('Authorization: Bearer t', 'authorization: Basic x')
  t.strictSame(passed(headers), headers)
  t.strictSame(passed(headers, { drop: 'authorization' }), [])
})

t.test('Host is the client’s, or the upstream’s own', async (t) => {
  const headers = raw('host: api.example.com', 'X-A: 1')
  t.strictSame(passed(headers), raw('X-A: 1'))
  t.equal(hostSent(headers), 'api.example.com')
  t.equal(hostSent(headers, { host: 'upstream' }), undefined)
})

t.test('framing is validated and written again', async (t) => {
  for (const [headers, framing] of [
    [[], { kind: 'none' }],
    [raw('Content-Length: 0'), { kind: 'sized', bytes: 0 }],
    [raw('Content-Length: 12'), { kind: 'sized', bytes: 12 }],
    [raw('Transfer-Encoding: Chunked'), { kind: 'chunked' }],
  ] as const) {
    const result = rules.request(headers, options)
    t.strictSame(result.ok && result.framing, framing)
  }
  t.strictSame(
    passed(raw('Content_Length: 5', 'Transfer_Encoding: chunked', 'Content.Length: 5')),
    [],
    'aliases',
  )
})

t.test('attack: framing that two parsers may read differently', async (t) => {
  t.equal(refusal(raw('Content-Length: 5', 'Transfer-Encoding: chunked')), 'transfer_encoding')
  t.equal(refusal(raw('Transfer-Encoding: chunked', 'Content-Length: 5')), 'content_length')
  t.equal(refusal(raw('Transfer-Encoding: gzip, chunked')), 'transfer_encoding')
  t.equal(refusal(raw('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')), 'transfer_encoding')
  t.equal(refusal(raw('Content-Length: 5', 'Content-Length: 5')), 'content_length')
  for (const value of ['+5', '-1', '5,5', '0x5', '', ' 5', '1e3', '9'.repeat(16)]) {
    t.equal(refusal(['Content-Length', value]), 'content_length', JSON.stringify(value))
  }
})

t.test('attack: a Host that can’t be quoted safely, or two of them', async (t) => {
  const bad = [
    'a b',
    'a"b',
    'user@a',
    'a/b',
    'a,b',
    'a;b',
    'a:b',
    'a:123456',
    '[::1',
    'a\\b',
    'a#b',
    'caf\xe9',
    '',
    'a..',
    '.',
  ]
  for (const host of bad) t.equal(refusal(['Host', host]), 'host', host)
  for (const host of ['a', 'a.example:8080', '127.0.0.1', '[::1]:80', 'xn--caf-dma.example', 'a_b', 'a.']) {
    t.equal(refusal(['Host', host]), 'none', host)
  }
  t.equal(refusal(raw('Host: a', 'HOST: a')), 'duplicate_host')
})

t.test('identity headers come last, in UTF-8, unchanged or not at all', async (t) => {
  const headers = sent([], { identity: { 'X-Forwarded-User': 'Zoë 李' } })
  t.equal(headers.at(-2), 'X-Forwarded-User')
  t.equal(Buffer.from(headers.at(-1)!, 'latin1').toString('utf8'), 'Zoë 李')
  t.strictSame(sent([], { identity: { 'X-Forwarded-User': undefined } }), MADE)
  for (const value of ['bob\n', 'bob\r\nX: y', ' bob', 'bob ', 'a\0b', 'a\x7f', '\ud800']) {
    const result = rules.request([], { ...options, identity: { 'X-Forwarded-User': value } })
    t.strictSame(result, { ok: false, reason: 'identity_value' }, JSON.stringify(value))
  }
})

t.test('responses: order, case and duplicates stay, hop-by-hop headers are removed', async (t) => {
  const kept = raw(
    'Server: old',
    'set-cookie: a=1',
    'Set-Cookie: b=2; Path=/',
    'X-A: caf\xe9',
    'Content-Length: 3',
  )
  const dropped = raw(
    'Connection: close, X-Gone',
    'x-gone: 1',
    'Keep-Alive: timeout=5',
    'Transfer-Encoding: chunked',
    'Trailer: x',
    'Upgrade: h2',
    'Proxy-Authenticate: Basic',
  )
  const all = kept.concat(dropped, raw('ETAG: "x"'))
  t.strictSame(rules.response(all), kept.concat(raw('ETAG: "x"')))
})

t.test('attack: an upstream sets the gateway’s cookies', async (t) => {
  for (const value of [
    '__Host-access=evil; Path=/; Secure',
    '__HOST-ACCESS=evil',
    ' __Host-access = evil',
    '__Secure-access=x',
    '=__Host-access=evil',
    '__Host-access',
    '__secure-refresh=',
    '__Host-refresh=x; Domain=evil.example',
  ]) {
    t.strictSame(rules.response(['Set-Cookie', value]), [], value)
  }
  for (const value of ['access=1', 'refresh=2', 'x=__Host-access=1', 'my__Host-access=1']) {
    t.strictSame(rules.response(['Set-Cookie', value]), ['Set-Cookie', value], value)
  }
  const plain = headerRules({ identity: [], cookies: ['access'] })
  t.strictSame(
    plain.response(raw('Set-Cookie: access=1', 'set-cookie: Access=1', 'Set-Cookie: __Host-access=1')),
    [],
  )
})

t.test('trailers carry no fields that affect a message', async (t) => {
  const trailers = raw(
    'X-Sum: abc',
    'Content-Length: 3',
    'Set-Cookie: a=1',
    'Transfer-Encoding: x',
    'Host: x',
  )
  t.strictSame(rules.trailers(trailers), [['X-Sum', 'abc']])
})
