import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import portcullis from '../../src/index.js'
import type { PluginOptions } from '../../src/index.js'
import { call, home, isRefused, sharedSettings } from '../support/gateway-process.js'
import type { CallOptions } from '../support/gateway-process.js'

type From = NonNullable<NonNullable<PluginOptions['accept']>['from']>

/** A host whose every route is guarded before the body is read (`/early`) or after (`/late`). */
async function host(t: Test, from: From) {
  const app: FastifyInstance = fastify()
  t.teardown(() => app.close())
  await app.register(portcullis, { ...sharedSettings(await home(t)), accept: { from } })
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, text, done) => {
      const form: Record<string, string | string[]> = {}
      for (const [name, value] of new URLSearchParams(text as string))
        form[name] = name in form ? [form[name]!, value].flat() : value
      done(null, form)
    },
  )
  const answer = async ({ auth }: { auth: { sub: string } | null }) => ({ sub: auth && auth.sub })
  app.all('/early', { onRequest: app.authenticate }, answer)
  app.all('/late', { preHandler: app.authenticate }, answer)
  app.all('/maybe', { preHandler: app.authenticate.optional }, answer)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const { access_token } = await app.portcullis.issue({ sub: 'u1' })
  return { url, token: access_token! }
}

/** The token, in each transport. */
const places = (token: string): Record<From[number], CallOptions & { path?: string }> => ({
  header: { token },
  cookie: { cookies: { '__Host-access': token } },
  'x-access-token': { headers: { 'x-access-token': token } },
  query: { path: `/late?access_token=${token}` },
  body: { json: { access_token: token } },
})
const ALL = ['header', 'cookie', 'x-access-token', 'query', 'body'] as const

t.test('each transport works alone where it is enabled, and is ignored where it isn’t', async (t) => {
  for (const enabled of ALL) {
    const { url, token } = await host(t, [enabled])
    for (const [place, { path = '/late', ...options }] of Object.entries(places(token))) {
      const origin = { ...options.headers, origin: url }
      const answer = await call(url, 'POST', path, { ...options, headers: origin })
      if (place === enabled) t.match(answer, { status: 200, body: { sub: 'u1' } }, place)
      else isRefused(t, answer, 401, 'credentials_missing', `${place}, where ${enabled} is enabled`)
    }
  }
})

t.test('a bad token is refused in each transport, and so are two tokens', async (t) => {
  const { url, token } = await host(t, ALL)
  for (const [place, { path = '/late', ...options }] of Object.entries(places('nonsense'))) {
    const bad = { ...options, headers: { ...options.headers, origin: url } }
    isRefused(t, await call(url, 'POST', path, bad), 401, 'token_malformed', place)
    isRefused(
      t,
      await call(url, 'POST', path.replace('/late', '/maybe'), bad),
      401,
      'token_malformed',
      `${place}, optional`,
    )
    if (place === 'header') continue
    const both = { ...bad, headers: { ...bad.headers, authorization: `Bearer ${token}` } }
    isRefused(t, await call(url, 'POST', path, both), 400, 'credentials_ambiguous', `header and ${place}`)
  }
})

t.test('a form field counts like a JSON one; two are ambiguous', async (t) => {
  const { url, token } = await host(t, ['body'])
  t.match(await call(url, 'POST', '/late', { form: { access_token: token, a: '1' } }), { status: 200 })
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const twice = { body: `access_token=${token}&access_token=${token}`, headers }
  isRefused(t, await call(url, 'POST', '/late', twice), 400, 'credentials_ambiguous')
})

t.test('a guard that runs before the body is read doesn’t see a token in it', async (t) => {
  const { url, token } = await host(t, ALL)
  const json = { access_token: token }
  isRefused(t, await call(url, 'POST', '/early', { json }), 401, 'credentials_missing')
  t.equal((await call(url, 'POST', '/early', { json, token })).status, 200)
})

t.test('a response to a token in the URL is not stored (RFC 6750 §2.3)', async (t) => {
  const { url, token } = await host(t, ALL)
  const inQuery = await call(url, 'GET', `/early?access_token=${token}`)
  t.match(inQuery, { status: 200, headers: { 'cache-control': 'private, no-store' } })
  const inHeader = await call(url, 'GET', '/early', { token })
  t.match(inHeader, { status: 200, headers: { 'cache-control': undefined } })
})

t.test('only a cookie needs the origin check, because no other site can send the rest', async (t) => {
  const { url, token } = await host(t, ALL)
  for (const [place, { path = '/late', ...options }] of Object.entries(places(token))) {
    const headers = { ...options.headers, origin: 'https://evil.example' }
    const answer = await call(url, 'POST', path, { ...options, headers })
    if (place === 'cookie') isRefused(t, answer, 403, 'cross_site_request')
    else t.equal(answer.status, 200, place)
  }
})

t.test('the routes under the prefix accept them, too, and a logout by each works', async (t) => {
  for (const place of ['x-access-token', 'query'] as const) {
    const { url, token } = await host(t, [place])
    const path = (route: string) => (place === 'query' ? `${route}?access_token=${token}` : route)
    const headers = place === 'query' ? {} : { 'x-access-token': token }
    t.match(await call(url, 'GET', path('/auth/me'), { headers }), { status: 200, body: { sub: 'u1' } })
    t.equal((await call(url, 'POST', path('/auth/logout'), { headers })).status, 204)
    isRefused(t, await call(url, 'GET', path('/auth/me'), { headers }), 401, 'session_ended')
  }
})
