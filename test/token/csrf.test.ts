import t from 'tap'
import { changesState, isHandshake, rejectCrossSite } from '../../src/token/csrf.js'
import type { BrowserHeaders } from '../../src/token/csrf.js'

const LISTED = ['https://app.example', 'http://localhost:5173']
const host = 'api.example'

const allowed: [name: string, headers: BrowserHeaders][] = [
  ['the host’s own origin', { origin: 'https://api.example', host }],
  ['over http', { origin: 'http://api.example', host }],
  ['host in other case', { origin: 'https://api.example', host: 'API.Example' }],
  ['host with the port that https has anyway', { origin: 'https://api.example', host: 'api.example:443' }],
  ['host with the port that http has anyway', { origin: 'http://api.example', host: 'api.example:80' }],
  ['an origin with the port that https has anyway', { origin: 'https://api.example:443', host }],
  ['an origin with the port that http has anyway', { origin: 'http://api.example:80', host }],
  ['both with that port', { origin: 'http://api.example:80', host: 'api.example:80' }],
  ['an IPv6 address with that port', { origin: 'http://[::1]:80', host: '[::1]' }],
  ['a listed origin with that port', { origin: 'https://app.example:443', host }],
  ['a port of its own', { origin: 'https://api.example:8443', host: 'api.example:8443' }],
  ['TLS on the port that http has', { origin: 'https://api.example:80', host: 'api.example:80' }],
  ['an IPv6 address', { origin: 'http://[::1]:3000', host: '[::1]:3000' }],
  ['a listed origin', { origin: 'https://app.example', host }],
  ['a listed origin with port', { origin: 'http://localhost:5173', host }],
  ['a listed origin without Host', { origin: 'https://app.example' }],
  [
    'an own origin, whatever Sec-Fetch-Site says',
    { origin: 'https://api.example', host, 'sec-fetch-site': 'cross-site' },
  ],
  ['the host of HTTP/2', { origin: 'https://api.example', ':authority': 'api.example' }],
  ['no Origin, but same-origin', { host, 'sec-fetch-site': 'same-origin' }],
  ['a page with Referrer-Policy: no-referrer', { origin: 'null', host, 'sec-fetch-site': 'same-origin' }],
]
for (const [name, headers] of allowed) {
  t.test(`${name} passes`, async (t) => t.doesNotThrow(() => rejectCrossSite(headers, LISTED, false)))
}

const refused: [name: string, headers: BrowserHeaders][] = [
  ['nothing that a browser says', { host }],
  ['another site', { origin: 'https://evil.example', host }],
  [
    'another site that claims same-origin',
    { origin: 'https://evil.example', host, 'sec-fetch-site': 'same-origin' },
  ],
  ['a sibling', { origin: 'https://www.example', host }],
  ['a subdomain', { origin: 'https://x.api.example', host }],
  ['a longer name', { origin: 'https://api.example.evil.example', host }],
  ['a name that ends alike', { origin: 'https://evilapi.example', host }],
  ['another port', { origin: 'https://api.example:8443', host }],
  ['another port of the host', { origin: 'https://api.example', host: 'api.example:8443' }],
  ['http’s port over https', { origin: 'https://api.example:80', host }],
  ['https’s port in an origin over http', { origin: 'http://api.example:443', host }],
  ['the usual port twice', { origin: 'https://api.example:443:443', host }],
  ['a path that ends with the usual port', { origin: 'https://api.example/:443', host }],
  ['a user with the usual port', { origin: 'https://api.example:443@evil.example', host }],
  ['an extension with a port', { origin: 'chrome-extension://api.example:80', host }],
  ['https’s port over http', { origin: 'http://api.example', host: 'api.example:443' }],
  ['a sandboxed frame', { origin: 'null', host }],
  ['a sandboxed frame of a host named null', { origin: 'null', host: 'null' }],
  ['a sandboxed frame of another site', { origin: 'null', host, 'sec-fetch-site': 'cross-site' }],
  ['a page of a sibling without referrer', { origin: 'null', host, 'sec-fetch-site': 'same-site' }],
  ['a null Origin, typed by the user', { origin: 'null', host, 'sec-fetch-site': 'none' }],
  ['a null Origin, two values', { origin: 'null', host, 'sec-fetch-site': 'same-origin, cross-site' }],
  ['an Origin that contains null', { origin: 'null, null', host, 'sec-fetch-site': 'same-origin' }],
  ['an empty Origin', { origin: '', host }],
  ['an empty Origin that claims same-origin', { origin: '', host, 'sec-fetch-site': 'same-origin' }],
  ['two origins', { origin: 'https://api.example, https://evil.example', host }],
  ['an Origin with a path', { origin: 'https://api.example/', host }],
  ['an Origin with a user', { origin: 'https://api.example@evil.example', host }],
  ['an Origin with our host as user', { origin: 'https://evil.example@api.example', host }],
  ['an Origin with a fragment', { origin: 'https://api.example#', host }],
  ['an Origin with a backslash', { origin: 'https:\\\\api.example', host }],
  ['a space in the Origin', { origin: ' https://api.example', host }],
  ['no scheme', { origin: 'api.example', host }],
  ['an extension', { origin: 'chrome-extension://api.example', host }],
  ['a file', { origin: 'file://', host: '' }],
  ['a blob', { origin: 'blob:https://api.example', host }],
  ['another host than that of HTTP/2', { origin: 'https://evil.example', ':authority': 'api.example' }],
  ['no Host', { origin: 'https://api.example' }],
  ['an empty Host', { origin: 'https://api.example', host: '' }],
  ['a listed origin in a longer one', { origin: 'https://app.example.evil.example', host }],
  ['a listed origin with another port', { origin: 'http://localhost:5174', host }],
  ['no Origin, same-site', { host, 'sec-fetch-site': 'same-site' }],
  ['no Origin, cross-site', { host, 'sec-fetch-site': 'cross-site' }],
  ['no Origin, typed by the user', { host, 'sec-fetch-site': 'none' }],
  ['no Origin, two headers', { host, 'sec-fetch-site': ['same-origin', 'same-origin'] }],
  ['no Origin, two values', { host, 'sec-fetch-site': 'same-origin, cross-site' }],
  ['no Origin, other case', { host, 'sec-fetch-site': 'Same-Origin' }],
]
for (const [name, headers] of refused) {
  t.test(`${name} is refused`, async (t) => {
    t.throws(() => rejectCrossSite(headers, LISTED, false), { code: 'cross_site_request', statusCode: 403 })
  })
}

t.test('safe methods are listed, and all others may change state', async (t) => {
  for (const method of ['GET', 'HEAD', 'OPTIONS']) t.notOk(changesState(method), method)
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND', 'TRACE', 'get', ''])
    t.ok(changesState(method), method)
})

t.test('a page that was loaded over http is another site for a client that uses https', async (t) => {
  const check = (origin: string, own: string) => () => rejectCrossSite({ origin, host: own }, LISTED, true)
  for (const [origin, own] of [
    ['http://api.example', 'api.example'],
    ['http://api.example', 'api.example:80'],
    ['http://api.example:8443', 'api.example:8443'],
    ['HTTP://api.example', 'api.example'],
    ['ws://api.example', 'api.example'],
  ] as const)
    t.throws(check(origin, own), { code: 'cross_site_request' }, `${origin} ${own}`)
  for (const [origin, own] of [
    ['https://api.example', 'api.example:443'],
    ['https://api.example:8443', 'api.example:8443'],
    ['http://localhost:5173', 'api.example'],
  ] as const)
    t.doesNotThrow(check(origin, own), `${origin} ${own}`)
})

t.test('a handshake is recognised by its meaning', async (t) => {
  for (const upgrade of ['websocket', 'WebSocket', 'foo, websocket', 'h2c,WEBSOCKET'])
    t.ok(isHandshake({ upgrade }), upgrade)
  t.ok(isHandshake({ 'sec-websocket-key': 'x' }), 'a proxy has removed Upgrade')
  for (const headers of [{}, { upgrade: 'h2c' }]) t.notOk(isHandshake(headers))
})
