/** `app.portcullis.refresh` and `.logout`, for hosts with routes and bodies of their own. */
import fastify from 'fastify'
import t from 'tap'
import portcullis, { PortcullisError } from '../../src/index.js'
import type { LogoutRequest, PluginOptions } from '../../src/index.js'
import type { Scope } from '../support/scope.js'
import { home, sharedSettings } from '../support/gateway-process.js'

async function host(t: Scope, options: Partial<PluginOptions> = {}) {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(portcullis, { ...sharedSettings(await home(t)), store: 'memory', ...options })
  const post = async (path: string, payload: object, headers = {}) => {
    const response = await app.inject({ method: 'POST', url: `/auth${path}`, payload, headers })
    return response.statusCode < 300 ? 'good' : response.json<{ code: string }>().code
  }
  return { app, api: app.portcullis, post }
}

/** `good`, or the code of the error. Any other error is thrown. */
async function outcome(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'good'
  } catch (error) {
    if (error instanceof PortcullisError) return error.code
    throw error
  }
}

t.test('a route of the host’s own refreshes with its own body', async (t) => {
  const { app, api } = await host(t)
  app.get('/refresh', async (request) => {
    const { refresh_token } = request.query as { refresh_token?: string }
    return { code: 0, message: 'ok', data: await api.refresh(refresh_token, { ip: request.ip }) }
  })
  const login = await api.issue({ sub: 'ada' })
  const response = await app.inject(`/refresh?refresh_token=${login.refresh_token}`)
  const { data } = response.json()
  t.match(data, { token_type: 'Bearer', session_id: login.session_id, expires_in: 900 })
  t.match(await api.verifyToken(data.access_token), { sub: 'ada' })
  t.not(data.refresh_token, login.refresh_token)
  const missing = await app.inject('/refresh')
  t.equal(missing.statusCode, 400)
  t.notMatch(missing.body, /auth|body/, 'no hint about the body of another route')
})

t.test('refresh rejects with the error that POST /auth/refresh responds with', async (t) => {
  const options = { tokens: { reuseGrace: '0s' } }
  const { api, post } = await host(t, options)
  const cases: Record<string, () => Promise<string | undefined>> = {
    'no token': async () => undefined,
    'an empty token': async () => '',
    'a token that is too long': async () => 'x'.repeat(513),
    'a token of another type': async () => ['x'] as unknown as string,
    'a token of another form': async () => 'nonsense',
    'a used token': async () => {
      const { refresh_token } = await api.issue({ sub: 'ada' })
      await api.refresh(refresh_token)
      return refresh_token
    },
    'a token of an ended session': async () => {
      const { refresh_token, session_id } = await api.issue({ sub: 'ada' })
      await api.revoke({ sid: session_id })
      return refresh_token
    },
    'a good token': async () => (await api.issue({ sub: 'ada' })).refresh_token,
  }
  for (const [name, present] of Object.entries(cases)) {
    const byRoute = await post('/refresh', { refresh_token: await present() })
    t.equal(await outcome(api.refresh(await present())), byRoute, `${name}: ${byRoute}`)
  }
})

t.test('refreshes count for the address of the client, if the host passes it', async (t) => {
  const { api } = await host(t, { rateLimit: { refresh: { perAddress: { max: 2 } } } })
  let { refresh_token } = await api.issue({ sub: 'ada' })
  const refresh = async (client?: { ip: string }) => {
    const answer = await api.refresh(refresh_token, client)
    refresh_token = answer.refresh_token
  }
  for (let i = 0; i < 5; i += 1) await refresh()
  for (let i = 0; i < 2; i += 1) await refresh({ ip: '203.0.113.7' })
  t.equal(await outcome(refresh({ ip: '203.0.113.7' })), 'rate_limited')
  t.equal(await outcome(refresh({ ip: '203.0.113.8' })), 'good')
  for (let i = 0; i < 4; i += 1) t.equal(await outcome(refresh({ ip: 'unknown' })), 'good')
})

t.test('logout by either token ends the session, and by both', async (t) => {
  const { api } = await host(t)
  for (const form of ['access', 'refresh', 'both']) {
    const { access_token, refresh_token } = await api.issue({ sub: 'ada' })
    await api.logout({
      ...(form !== 'refresh' && { accessToken: access_token }),
      ...(form !== 'access' && { refreshToken: refresh_token }),
    })
    t.equal(await outcome(api.verifyToken(access_token!)), 'session_ended', form)
    t.equal(await outcome(api.refresh(refresh_token)), 'session_ended', form)
  }
})

t.test('logout of all sessions, or of all but the current one', async (t) => {
  const { api } = await host(t)
  const logins = [await api.issue({ sub: 'ada' }), await api.issue({ sub: 'ada' })]
  const others = await api.issue({ sub: 'bob' })
  const state = async () =>
    Promise.all([...logins, others].map(({ access_token }) => outcome(api.verifyToken(access_token!))))
  const [here] = logins
  await api.logout({ accessToken: here!.access_token, all: true, keepCurrent: true })
  t.same(await state(), ['good', 'session_ended', 'good'])
  await api.logout({ accessToken: here!.access_token, all: true })
  t.same(await state(), ['session_ended', 'session_ended', 'good'])
})

t.test('logout rejects with the error that POST /auth/logout responds with', async (t) => {
  const { api, post } = await host(t)
  const { access_token: good, refresh_token } = await api.issue({ sub: 'ada' })
  const ended = await api.issue({ sub: 'ada' })
  await api.logout({ accessToken: ended.access_token })
  const invented = `${refresh_token!.split('.')[0]}.${'A'.repeat(22)}.${'B'.repeat(43)}`
  for (const request of [
    { accessToken: 'nonsense' },
    { accessToken: `${good}x` },
    { refreshToken: '' },
    { refreshToken: 'x'.repeat(513) },
    { refreshToken: ['x'] },
    { refreshToken: 'nonsense' },
    { refreshToken: invented },
    { accessToken: undefined, refreshToken: undefined },
    { accessToken: 'nonsense', refreshToken: 'nonsense' },
    { accessToken: good, keepCurrent: true },
    { refreshToken: refresh_token, all: true },
    { accessToken: ended.access_token, all: true },
    { accessToken: ended.access_token },
  ] as unknown as LogoutRequest[]) {
    const { accessToken, refreshToken, all, keepCurrent } = request
    const headers = accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` }
    const byRoute = await post('/logout', { refresh_token: refreshToken, all, keepCurrent }, headers)
    t.equal(await outcome(api.logout(request)), byRoute, byRoute)
  }
  t.equal(await outcome(api.verifyToken(good!)), 'good')
})

t.test('a logout that names no token, or with values of wrong types, is a TypeError', async (t) => {
  const { api } = await host(t)
  const { access_token } = await api.issue({ sub: 'ada' })
  const logout = api.logout as (request?: unknown) => Promise<void>
  for (const request of [
    undefined,
    null,
    {},
    { all: true },
    { access_token },
    { accessToken: 7 },
    { accessToken: access_token, all: 'true' },
    { accessToken: access_token, all: true, keepCurrent: 1 },
  ]) {
    await t.rejects(logout(request), TypeError, JSON.stringify(request))
  }
  t.equal(await outcome(api.verifyToken(access_token!)), 'good')
})
