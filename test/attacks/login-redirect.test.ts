/** A link to a guarded page that, through the redirect to the login, ends on another site. */
import fastify from 'fastify'
import t from 'tap'
import { portcullis } from '../../src/index.js'
import {
  call,
  home,
  isRefused,
  logIn,
  sharedSettings,
  soon,
  startGateway,
  startUpstream,
} from '../support/gateway-process.js'
import { TARGETS } from '../support/redirect-targets.js'
import { ASKS } from '../support/websocket-handshakes.js'
import { head, send } from '../support/wire.js'

const directory = await home(t)
const upstream = await startUpstream(t)
const OURS = 'https://app.example'
const LAX = ['double-slash', 'encoded-slash', 'semicolon', 'encoded-backslash'] as const

async function gatewayWith(page: string, route: object = {}, more: object = {}): Promise<string> {
  const { url } = await startGateway(
    t,
    {
      login: { users: `${directory}/users.htpasswd`, page },
      accept: { from: ['header', 'cookie', 'query'] },
      routes: [{ path: '/', upstream: upstream.url, onAnonymous: 'redirect', ...route }],
      ...more,
    },
    directory,
  )
  return url
}

const LIES = [
  'X-Forwarded-Host: evil.example',
  'X-Forwarded-Proto: javascript',
  'X-Forwarded-Uri: //evil.example',
  'X-Original-URL: //evil.example',
  'X-Auth-Request-Redirect: https://evil.example/',
  'Referer: https://evil.example/',
]

/** Sends a browser's request for a page. Returns the status, the locations, and all bytes of the response. */
async function navigate(url: string, target: string, ...more: readonly string[]) {
  const lines = ['Host: evil.example', 'Connection: close', 'Accept: text/html', ...LIES, ...more]
  const { text, statuses } = await send(Number(new URL(url).port), head(`GET ${target} HTTP/1.1`, ...lines))
  const locations = [...text.matchAll(/^location: (.*)$/gim)].map(([, value]) => value!)
  return { status: statuses[0], locations, text }
}

t.test('`next` is a path of this origin, or absent', async (t) => {
  for (const [page, url] of [
    ['/login', await gatewayWith('/login')],
    ['/login', await gatewayWith('/login', { targetAllow: LAX })],
    ['https://id.example/in?a=b', await gatewayWith('https://id.example/in?a=b')],
  ] as const) {
    let redirects = 0
    for (const target of TARGETS) {
      const { status, locations, text } = await navigate(url, target)
      t.notMatch(text, /^set-cookie/im, target)
      t.equal(text.match(/^HTTP\/1\.1 /gm)?.length, 1, 'one response')
      if (status === 400) {
        t.strictSame(locations, [], target)
        continue
      }
      redirects += 1
      t.equal(status, 302, target)
      t.match(text, /^cache-control: no-store\r$/im)
      const [location = ''] = locations
      t.ok(location.startsWith(page), location)
      const next = new URL(location, OURS).searchParams.get('next')
      if (next === null) continue
      t.equal(new URL(next, OURS).origin, OURS, target)
      t.match(next, /^\/(?![/\\])/, 'not an origin')
      t.equal(next, target, 'nothing but the request target')
    }
    t.ok(redirects >= 8, `${redirects} were redirected`)
  }
})

t.test('a route that allows // redirects without `next`', async (t) => {
  const url = await gatewayWith('/login', { targetAllow: LAX })
  for (const target of ['/a//evil.example', '/a/%2fevil.example', '/a;b//evil.example'])
    t.match(await navigate(url, target), { status: 302, locations: ['/login'] }, target)
})

t.test('`next` contains no access token of the query', async (t) => {
  const url = await gatewayWith('/login')
  const { access_token: token } = await logIn(url)
  await call(url, 'POST', '/auth/logout', { token })
  for (const name of ['access_token', 'access%5ftoken', '%61ccess_token']) {
    const { status, text, locations } = await navigate(url, `/a?b=c&${name}=${token}&d`)
    t.strictSame([status, locations], [302, ['/login?next=%2Fa%3Fb%3Dc%26d']])
    t.notMatch(text, token.slice(-20))
  }
})

t.test('the login page is never redirected to itself', async (t) => {
  const url = await gatewayWith('/login?a=b')
  for (const target of ['/login', '/login?next=%2Fx', '/%6cogin'])
    t.equal((await navigate(url, target)).status, 401, target)
  t.equal((await navigate(url, '/login/more')).status, 302)
})

t.test('only a browser that opens a page is redirected', async (t) => {
  const url = await gatewayWith('/login')
  const html = { accept: 'text/html' }
  for (const [method, headers] of [
    ['GET', {}],
    ['GET', { accept: 'application/json, */*' }],
    ['GET', { accept: 'text/html-template' }],
    ['GET', { accept: 'x-text/html' }],
    ['GET', { ...html, 'sec-fetch-mode': 'cors' }],
    ['GET', { ...html, 'sec-fetch-mode': 'no-cors' }],
    ['GET', { ...html, 'sec-fetch-mode': 'websocket' }],
    ['POST', html],
    ['PUT', { ...html, 'sec-fetch-mode': 'navigate' }],
    ['OPTIONS', html],
    ['GET', { ...html, 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' }],
  ] as const) {
    const answer = await call(url, method, '/x', { headers })
    isRefused(t, answer, 401, 'credentials_missing', `${method} ${JSON.stringify(headers)}`)
  }
  const handshake = head(
    'GET /x HTTP/1.1',
    'Host: x',
    'Accept: text/html',
    'Sec-WebSocket-Version: 13',
    ...ASKS,
  )
  t.strictSame((await send(Number(new URL(url).port), handshake)).statuses, [401])
  for (const accept of [
    'text/html',
    'TEXT/HTML;q=0.8',
    'application/xml,text/html',
    '*/*, text/html;level=1',
  ])
    t.equal((await call(url, 'GET', '/x', { headers: { accept } })).status, 302, accept)
})

t.test('a token with a claim that no header can carry is refused, not redirected for ever', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(portcullis, sharedSettings(directory))
  const url = await gatewayWith('/login', {}, { identity: { headers: { 'X-Name': 'name' } } })
  // A gateway with the memory store admits no token of another process from before its start.
  const answer = await soon(
    'a new token is not redirected',
    async () => {
      const { access_token: token } = await app.portcullis.issue({ sub: 'eve', claims: { name: 'a\n' } })
      const one = await call(url, 'GET', '/x', { token: token!, headers: { accept: 'text/html' } })
      return one.status === 302 ? undefined : one
    },
    10_000,
  )
  isRefused(t, answer, 401, 'token_invalid')
})
