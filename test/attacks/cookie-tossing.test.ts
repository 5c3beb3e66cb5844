/**
 * A neighbouring site sets cookies of the gateway's names for the browser, or wraps the gateway's own into one of its
 * own.
 */
import t from 'tap'
import { call, cookiesOf, logIn, logInByCookies } from '../support/gateway-process.js'
import { attack, head, startRecorder, startWire, valuesOf } from '../support/wire.js'

const wire = await startWire(t)
const cookies = await logInByCookies(wire.url)
const access = cookies['__Host-access']!
const refresh = cookies['__Secure-refresh']!
const own = [`Origin: ${wire.url}`, `Host: ${new URL(wire.url).host}`]
const post = (path: string, ...lines: string[]) =>
  head(`POST ${path} HTTP/1.1`, ...own, 'Content-Length: 0', ...lines, 'Connection: close')

t.test('beside the real one, in any order: refused, and the session is unchanged', async (t) => {
  const { refresh_token: foreign } = await logIn(wire.url, 'bob')
  for (const tossed of [foreign, 'x', '', refresh, `${refresh}x`]) {
    for (const line of [
      `Cookie: __Secure-refresh=${tossed}; __Secure-refresh=${refresh}`,
      `Cookie: __Secure-refresh=${refresh}; __Secure-refresh=${tossed}`,
      `Cookie: __Secure-refresh=${tossed}\r\nCookie: __Secure-refresh=${refresh}`,
    ]) {
      for (const path of ['/auth/refresh', '/auth/logout']) {
        const { statuses, text } = await wire.send(post(path, line))
        t.strictSame(statuses, [400], `${path} ${tossed.length}`)
        t.match(text, '"code":"credentials_ambiguous"')
        t.notMatch(text, /^set-cookie/im)
      }
    }
  }
  const { status, setCookie } = await call(wire.url, 'POST', '/auth/refresh', {
    cookies,
    headers: { origin: wire.url },
  })
  t.equal(status, 200, 'not used up')
  t.ok(cookiesOf(setCookie)['__Host-access'])
})

t.test(
  'names that only some parsers read as the gateway’s are ignored, and not passed on as such',
  async (t) => {
    const names = [
      '__host-access',
      '__HOST-ACCESS',
      '__Secure-access',
      '\xa0__Host-access',
      '__Host-access\xa0',
      '%5f_Host-access',
      '"__Host-access"',
      '__Host-access\x0b',
      '=__Host-access',
      '__Host_access',
      '__Host.access',
    ]
    const answers = await attack(
      t,
      wire,
      Object.fromEntries(
        names.map((name) => [
          name,
          head('GET /mine HTTP/1.1', 'Host: x', `Cookie: ${name}=${access}`, 'Connection: close'),
        ]),
      ),
    )
    for (const [name, { statuses }] of Object.entries(answers))
      t.match(statuses.join(), /^40[01]$/, JSON.stringify(name))
    await attack(t, wire, {
      all: head(
        'GET /open HTTP/1.1',
        'Host: x',
        `Cookie: a=1; __host-ACCESS=${access}; =__Host-access=${access}; __Secure-Access=${access}; __Host-refresh=y`,
        'Connection: close',
      ),
    })
    t.strictSame(valuesOf(wire.upstream.requests.at(-1)!, 'cookie'), ['a=1'])
  },
)

t.test('quotes around the real cookie (cookie sandwich) neither hide it nor leak it upstream', async (t) => {
  for (const line of [
    `Cookie: $Version=1; a="; __Host-access=${access}; b="`,
    `Cookie: a="x; __Secure-refresh=${refresh}; __Host-access=${access}; b=y"`,
    `Cookie: $Version="1"; a="1\\"; __Host-access=${access}; \\"b"; $Path="/"`,
  ]) {
    const answers = await attack(t, wire, {
      line: head('GET /mine HTTP/1.1', 'Host: x', line, 'Connection: close'),
    })
    t.strictSame(answers['line']?.statuses, [200])
    const received = wire.upstream.requests.at(-1)!
    t.notOk(received.bytes.includes(access), 'the access token stays here')
    t.notOk(received.bytes.includes(refresh), 'the refresh token, too')
    t.strictSame(valuesOf(received, 'X-Forwarded-User'), ['ada'])
  }
})

t.test('a jar full of other cookies doesn’t make the wrong one valid', async (t) => {
  const many = Array.from({ length: 150 }, (_, n) => `c${n}=${n}`).join('; ')
  const answers = await attack(t, wire, {
    full: head(
      'GET /mine HTTP/1.1',
      'Host: x',
      `Cookie: ${many}; __Host-access=${access}`,
      'Connection: close',
    ),
    over: head(
      'GET /mine HTTP/1.1',
      'Host: x',
      `Cookie: ${'c=1; '.repeat(3000)}__Host-access=${access}`,
      'Connection: close',
    ),
  })
  t.strictSame(answers['full']?.statuses, [200])
  t.strictSame(valuesOf(wire.upstream.requests.at(-1)!, 'cookie'), [many])
  t.strictSame(answers['over']?.statuses, [431])
})

t.test('with plain names (cookies.secure: false), the same', async (t) => {
  const upstream = await startRecorder(t)
  const plain = {
    ...(await startWire(t, { cookies: { secure: false }, routes: [{ path: '/', upstream: upstream.url }] })),
    upstream,
  }
  const { access: mine } = await logInByCookies(plain.url)
  const get = (cookie: string) =>
    head('GET /mine HTTP/1.1', 'Host: x', `Cookie: ${cookie}`, 'Connection: close')
  const answers = await attack(t, plain, {
    two: get(`access=x; access=${mine}`),
    prefixed: get(`__Host-access=${mine}`),
    case: get(`Access=${mine}`),
    one: get(`a=1; access=${mine}; ACCESS=x; __Secure-access=y`),
  })
  t.strictSame(answers['two']?.statuses, [400])
  t.strictSame(answers['prefixed']?.statuses, [401])
  t.strictSame(answers['case']?.statuses, [401])
  t.strictSame(answers['one']?.statuses, [200])
  t.strictSame(valuesOf(upstream.requests.at(-1)!, 'cookie'), ['a=1'])
})
