/** The host reads the user again at each refresh (`onRefresh`). */
import fastify from 'fastify'
import type { FastifyRequest } from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import portcullis from '../../src/index.js'
import type { PluginOptions, TokenResponse } from '../../src/index.js'
import { claimsOf, home, sharedSettings } from '../support/gateway-process.js'

async function host(t: Test, options: Partial<PluginOptions<FastifyRequest>>) {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(portcullis, { ...sharedSettings(await home(t)), ...options })
  app.get('/me', { onRequest: app.authenticate }, async ({ auth }) => ({ sub: auth!.sub }))
  await app.ready()
  const refresh = async ({ refresh_token }: TokenResponse) => {
    const response = await app.inject({ method: 'POST', url: '/auth/refresh', payload: { refresh_token } })
    return { status: response.statusCode, headers: response.headers, body: response.json() }
  }
  const me = async ({ access_token }: TokenResponse) =>
    (await app.inject({ url: '/me', headers: { authorization: `Bearer ${access_token}` } })).statusCode
  return { app, refresh, me }
}

t.test('onRefresh changes scope and claims, and what it leaves out stays', async (t) => {
  const seen: unknown[] = []
  let update: object = {}
  const { app, refresh } = await host(t, {
    onRefresh: async (session, request) => {
      seen.push({ ...session, url: request?.url })
      return update
    },
  })
  const identity = { sub: 7, scope: 'read', claims: { tenant: 'one' } }
  const tokens = await app.portcullis.issue(identity)
  t.strictSame(seen, [], 'a login doesn’t call it')
  const first = await refresh(tokens)
  const sid = tokens.session_id
  t.strictSame(seen, [{ sub: '7', sid, scope: 'read', claims: { tenant: 'one' }, url: '/auth/refresh' }])
  t.match(claimsOf(first.body.access_token), { scope: 'read', tenant: 'one' })
  update = { scope: 'read write' }
  const second = await refresh(first.body)
  t.match(claimsOf(second.body.access_token), { scope: 'read write', tenant: 'one' })
  update = { claims: { role: 'clerk' } }
  const third = claimsOf((await refresh(second.body)).body.access_token) as unknown as Record<string, unknown>
  t.match(third, { scope: 'read write', role: 'clerk' })
  t.notOk('tenant' in third, 'claims are replaced as a whole')
})

t.test('null ends the session, and its access token', async (t) => {
  const { app, refresh, me } = await host(t, { onRefresh: () => null })
  const tokens = await app.portcullis.issue({ sub: 'ada' })
  t.equal(await me(tokens), 200)
  t.match(await refresh(tokens), { status: 401, body: { code: 'session_ended' } })
  t.equal(await me(tokens), 401)
})

t.test('an error and an invalid result are 503, and the same token works afterwards', async (t) => {
  let behave = (): unknown => ({})
  const { app, refresh, me } = await host(t, { onRefresh: () => behave() as null })
  const tokens = await app.portcullis.issue({ sub: 'ada' })
  const failures = [
    () => {
      throw Object.assign(new Error('not found'), { statusCode: 404 })
    },
    () => Promise.reject(new Error('the database is down')),
    () => undefined,
    () => ({ scope: ['read'] }),
  ]
  for (const failure of failures) {
    behave = failure
    t.match(await refresh(tokens), {
      status: 503,
      headers: { 'retry-after': '1' },
      body: { code: 'store_unavailable' },
    })
    t.equal(await me(tokens), 200)
  }
  behave = () => ({})
  t.equal((await refresh(tokens)).status, 200)
})

t.test('with a users file, both checks apply', async (t) => {
  const directory = await home(t)
  const scopes: (string | undefined)[] = []
  const { app, refresh } = await host(t, {
    ...sharedSettings(directory),
    login: { users: `${directory}/users.htpasswd` },
    onRefresh: ({ scope }) => {
      scopes.push(scope)
      return { claims: { checked: true } }
    },
  })
  const payload = { username: 'ada', password: 'gate-keeper-1843' }
  const login = await app.inject({ method: 'POST', url: '/auth/login', payload })
  const { status, body } = await refresh(login.json())
  t.equal(status, 200)
  t.match(claimsOf(body.access_token), { sub: 'ada', checked: true })
  t.strictSame(scopes, [undefined], 'onRefresh gets the scope as the users file has it')
})
