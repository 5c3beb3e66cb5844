/** Targets that two servers would read differently, as bytes on the wire. */
import t from 'tap'
import { bodyOf, raw } from '../support/forwarding.js'
import { logIn, startGateway, startUpstream } from '../support/gateway-process.js'

const upstream = await startUpstream(t)
const { url } = await startGateway(t, {
  routes: [
    { path: '/public', upstream: upstream.url, auth: 'none' },
    { path: '/', upstream: upstream.url },
  ],
})
const port = Number(new URL(url).port)

const TARGETS = [
  '/public/../secret',
  '/public/..',
  '/public/./x',
  '/public/%2e%2e/secret',
  '/public/.%2E/secret',
  '/public/%2E./secret',
  '/public\\..\\secret',
  '/public/%5c..%5csecret',
  '/public/%2fsecret',
  '/public//secret',
  '//public/x',
  '/public/;/secret',
  '/public/..;/secret',
  '/public;x=1/secret',
  '/public/%3b/x',
  '/public/%252e%252e/secret',
  '/public/%25',
  '/public/%00',
  '/public/%0d%0ax',
  '/public/%7f',
  '/public/%',
  '/public/%2',
  '/public/%zz',
  '/public/%c0%ae%c0%ae/secret',
  '/public/%e0%80%af',
  '/public/%ff',
  '/public/%ed%a0%80',
  '/public/%23x',
  '/public/%3fx',
  '/public#x',
  '/public?x#y',
  '/public/\u00e9',
  'http://evil.example/public/x',
  'https://127.0.0.1/public',
  'public/x',
  '*',
  '/auth/../public/x',
  '/%2e%2e/auth/me',
  '/auth//login',
  '/auth/login;x',
]

t.test('each is 400, and the upstream gets nothing', async (t) => {
  const { access_token: token } = await logIn(url)
  for (const target of TARGETS) {
    for (const authorization of ['', `Authorization: Bearer ${token}\r\n`]) {
      const { text } = await raw(
        port,
        `GET ${target} HTTP/1.1\r\nHost: x\r\n${authorization}Connection: close\r\n\r\n`,
      )
      t.match(text, /^HTTP\/1\.1 400 /, target)
      t.match(text, /content-type: application\/problem\+json/i)
      t.match(JSON.parse(bodyOf(text)), { status: 400, code: /^(target_refused|invalid_request)$/ })
    }
  }
  t.strictSame(upstream.seen, [])
})

t.test('with any method, and in the middle of a kept connection', async (t) => {
  for (const method of ['POST', 'OPTIONS', 'DELETE', 'HEAD']) {
    const { text } = await raw(
      port,
      `${method} /public/../x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`,
    )
    t.match(text, /^HTTP\/1\.1 400 /, `${method}, after which the connection is closed`)
  }
  const { text } = await raw(
    port,
    'GET /public/x HTTP/1.1\r\nHost: x\r\n\r\nGET /public/../x HTTP/1.1\r\nHost: x\r\n\r\nGET /public/y HTTP/1.1\r\nHost: x\r\n\r\n',
  )
  t.strictSame(text.match(/HTTP\/1\.1 \d+/g)?.slice(0, 2), ['HTTP/1.1 200', 'HTTP/1.1 400'])
  t.strictSame(
    upstream.seen.map(({ target }) => target),
    ['/public/x'],
    'nor does anything behind it go through',
  )
})

t.test('requests whose framing or head is ambiguous', async (t) => {
  const before = upstream.seen.length
  const heads = [
    'POST /public HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'POST /public HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!',
    'POST /public HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\nConnection: close\r\n\r\n0\r\n\r\n',
    'POST /public HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
    'POST /public HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello',
    'GET /public HTTP/1.1\r\nHost: x\r\nHost: y\r\nConnection: close\r\n\r\n',
    'GET /public HTTP/1.1\r\nHost: x/y\r\nConnection: close\r\n\r\n',
    'GET /public HTTP/1.1\r\nHost: a@b\r\nConnection: close\r\n\r\n',
    'GET /public HTTP/1.1\r\nConnection: close\r\n\r\n',
    'GET /public HTTP/1.1\r\nHost: x\r\nX-A : b\r\n\r\n',
    'GET /public HTTP/1.1\r\nHost: x\r\n X-Folded: b\r\n\r\n',
    'GET /public HTTP/1.1\nHost: x\n\n',
    'GET /public x HTTP/1.1\r\nHost: x\r\n\r\n',
    'nonsense\r\n\r\n',
  ]
  for (const head of heads) {
    const { text } = await raw(port, head)
    t.match(text, /^HTTP\/1\.1 400 /, JSON.stringify(head))
    t.match(text, /content-type: application\/problem\+json/i)
    t.notMatch(text, /HPE_|parse error/i)
  }
  t.equal(upstream.seen.length, before)
})
