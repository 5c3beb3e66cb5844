/** The attributes of the token cookies, as a browser behind proxies and in prefixed contexts needs them. */
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { portcullis } from '../../src/index.js'
import { USERS, call, cookiesOf, home, sharedSettings, startGateway } from '../support/gateway-process.js'
import type { Overrides } from '../support/gateway-process.js'
import { refuses } from '../support/refused-settings.js'

const fields = { username: 'ada', password: USERS.ada, cookies: true }

/** Logs in by cookies, and returns the two `Set-Cookie` lines. */
async function logIn(base: string, path = '/auth', json: object = fields) {
  const { status, setCookie } = await call(base, 'POST', `${path}/login`, { json, headers: { origin: base } })
  t.equal(status, 200)
  return setCookie
}

const gatewayWith = async (cookies: Overrides) => (await startGateway(t, { cookies })).url

async function startApp(register: (app: FastifyInstance, options: object) => Promise<unknown>) {
  const app = fastify()
  t.teardown(() => app.close())
  const login = ({ username }: { username: string }) => ({ sub: username })
  await register(app, { ...sharedSettings(await home(t)), login })
  return app.listen({ host: '127.0.0.1', port: 0 })
}

t.test('in a prefixed context, the refresh cookie is sent to the routes of that context', async (t) => {
  const url = await startApp(async (app, options) => {
    await app.register((v1) => v1.register(portcullis, options as never), { prefix: '/v1' })
  })
  const lines = await logIn(url, '/v1/auth')
  t.match(lines[1], /^__Secure-refresh=[^;]+;.* Path=\/v1\/auth;/)
  const logout = await call(url, 'POST', '/v1/auth/logout', {
    cookies: cookiesOf(lines),
    headers: { origin: url },
  })
  t.match(logout.setCookie[1], /^__Secure-refresh=; Max-Age=0; Path=\/v1\/auth;/)

  const nested = await startApp(async (app, options) => {
    await app.register(
      (api) =>
        api.register((v2) => v2.register(portcullis, { ...options, prefix: '/login' } as never), {
          prefix: '/v2',
        }),
      { prefix: '/api/' },
    )
  })
  t.match((await logIn(nested, '/api/v2/login'))[1], / Path=\/api\/v2\/login;/)
  const tenants = await startApp(async (app, options) => {
    await app.register((tenant) => tenant.register(portcullis, options as never), { prefix: '/t/:tenant' })
  })
  t.match((await logIn(tenants, '/t/acme/auth'))[1], / Path=\/t;/, 'up to the first parameter')
  t.match(
    (await logIn(await startApp(async (app, options) => app.register(portcullis, options as never))))[1],
    / Path=\/auth;/,
  )
})

t.test('cookies.path is for a proxy that strips a prefix', async (t) => {
  const lines = await logIn(await gatewayWith({ path: '/api/auth' }))
  t.match(lines, [/^__Host-access=.* Path=\/;/, /^__Secure-refresh=.* Path=\/api\/auth;/])
})

t.test('cookies.sameSite applies to both cookies', async (t) => {
  t.match(await logIn(await gatewayWith({ sameSite: 'strict' })), [/; SameSite=Strict/, /; SameSite=Strict/])
  t.match(await logIn(await gatewayWith({ sameSite: 'none' })), [
    /; SameSite=None; Secure$/,
    /; SameSite=None; Secure$/,
  ])
  t.match(await logIn(await gatewayWith({})), [/; SameSite=Lax/, /; SameSite=Lax/])
})

t.test(
  'cookies.domain shares the cookies with subdomains, so their names don’t begin with __Host-',
  async (t) => {
    const url = await gatewayWith({ domain: 'example.com' })
    const lines = await logIn(url)
    t.match(lines, [
      /^__Secure-access=.* Path=\/; Domain=example\.com; HttpOnly;/,
      /^__Secure-refresh=.* Path=\/auth; Domain=example\.com; HttpOnly;/,
    ])
    const cookies = cookiesOf(lines)
    t.equal((await call(url, 'GET', '/auth/me', { cookies })).status, 200)
    const refreshed = await call(url, 'POST', '/auth/refresh', { cookies, headers: { origin: url } })
    t.match(refreshed.setCookie, [/Domain=example\.com/, /Domain=example\.com/])
    const logout = await call(url, 'POST', '/auth/logout', { cookies, headers: { origin: url } })
    t.match(logout.setCookie, [
      /^__Secure-access=; Max-Age=0; Path=\/; Domain=example\.com/,
      /^__Secure-refresh=; Max-Age=0; Path=\/auth; Domain=example\.com/,
    ])
  },
)

t.test('with remember: false, the cookies end with the browser, after refreshes, too', async (t) => {
  const url = await gatewayWith({})
  for (const remember of [false, 'false']) {
    let lines = await logIn(url, '/auth', { ...fields, remember })
    for (let i = 0; i < 3; i++) {
      t.equal(lines.length, 2)
      for (const line of lines) t.notMatch(line, /Max-Age|Expires/i)
      const cookies = cookiesOf(lines)
      t.equal((await call(url, 'GET', '/auth/me', { cookies })).status, 200)
      lines = [...(await call(url, 'POST', '/auth/refresh', { cookies, headers: { origin: url } })).setCookie]
    }
    const cookies = { '__Secure-refresh': cookiesOf(lines)['__Secure-refresh']! }
    const logout = await call(url, 'POST', '/auth/logout', { cookies, headers: { origin: url } })
    t.equal(logout.status, 204, 'a logout by the refresh cookie alone')
  }
  for (const line of await logIn(url, '/auth', { ...fields, remember: true })) t.match(line, /Max-Age=\d+/)
})

refuses(t, [
  [
    'sameSite none without secure',
    { cookies: { sameSite: 'none', secure: false } },
    'cookies.sameSite',
    /needs cookies\.secure/,
  ],
  ['another sameSite', { cookies: { sameSite: 'off' } }, 'cookies.sameSite', /lax, strict/],
  ['a relative path', { cookies: { path: 'auth' } }, 'cookies.path', /begin with a slash/],
  ['a path with an attribute', { cookies: { path: '/; Domain=x' } }, 'cookies.path', /write a path/],
  [
    'a domain with a dot in front',
    { cookies: { domain: '.example.com' } },
    'cookies.domain',
    /write example\.com/,
  ],
  ['an address as domain', { cookies: { domain: '10.0.0.1' } }, 'cookies.domain', /address/],
  ['a domain with a port', { cookies: { domain: 'example.com:443' } }, 'cookies.domain', /domain/],
  ['a top-level domain', { cookies: { domain: 'com' } }, 'cookies.domain', /domain/],
  ['an origin as domain', { cookies: { domain: 'https://example.com' } }, 'cookies.domain', /domain/],
])
