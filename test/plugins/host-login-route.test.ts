/** `app.portcullis.login`: passwords that are verified in a route of the application's own. */
import fastify from 'fastify'
import t from 'tap'
import { join } from 'node:path'
import portcullis, { PortcullisError } from '../../src/index.js'
import type { PluginOptions } from '../../src/index.js'
import type { Scope } from '../support/scope.js'
import { USERS, home, sharedSettings } from '../support/gateway-process.js'

/** An application whose login has names and an envelope of its own. */
async function host(t: Scope, options: Partial<PluginOptions> = {}) {
  const directory = await home(t)
  const app = fastify()
  t.teardown(() => app.close())
  const login = { users: join(directory, 'users.htpasswd') }
  await app.register(portcullis, { ...sharedSettings(directory), store: 'memory', login, ...options })
  app.setErrorHandler((error, _request, reply) => {
    const code = error instanceof PortcullisError ? error.code : (error as Error).name
    return reply.code(200).send({ code })
  })
  app.post('/sign-in', async (request) => {
    const { name, secret, device } = request.body as Record<string, string>
    const credentials = { username: name!, password: secret!, device }
    return { code: 'good', data: await app.portcullis.login(credentials, request) }
  })
  const signIn = async (body: object, remoteAddress = '203.0.113.7') => {
    const headers = { 'user-agent': 'a phone' }
    return (
      await app.inject({ method: 'POST', url: '/sign-in', payload: body, headers, remoteAddress })
    ).json()
  }
  const byRoute = async (payload: object) => {
    const response = await app.inject({ method: 'POST', url: '/auth/login', payload })
    return response.statusCode < 300 ? 'good' : response.json<{ code: string }>().code
  }
  return { app, signIn, byRoute }
}

t.test('a route of the host’s own logs in with a users file, and with its own body', async (t) => {
  const { app, signIn } = await host(t)
  const { code, data } = await signIn({ name: 'ada', secret: USERS.ada, device: 'work' })
  t.equal(code, 'good')
  t.match(data, { token_type: 'Bearer', expires_in: 900 })
  t.match(await app.portcullis.verifyToken(data.access_token), { sub: 'ada' })
  t.match(await app.portcullis.sessions.list('ada'), [
    { ip: '203.0.113.7', userAgent: 'a phone', device: 'work', sid: data.session_id },
  ])
  t.match(await app.portcullis.refresh(data.refresh_token), { session_id: data.session_id })
})

t.test('login rejects with the error that POST /auth/login responds with', async (t) => {
  const { signIn, byRoute } = await host(t)
  for (const [username, password, device] of [
    ['ada', USERS.ada, undefined],
    ['ada', 'wrong', undefined],
    ['nobody', 'wrong', undefined],
    ['ada', '', undefined],
    ['', 'x', undefined],
    ['x'.repeat(257), 'x', undefined],
    ['ada', 'x'.repeat(1025), undefined],
    ['ada', USERS.ada, 'x'.repeat(65)],
    [undefined, 'x', undefined],
    ['ada', undefined, undefined],
    [{}, ['x'], undefined],
  ]) {
    const expected = await byRoute({ username, password, device })
    t.equal((await signIn({ name: username, secret: password, device })).code, expected, expected)
  }
})

t.test(
  'guesses in such a route count for the account, together with those at POST /auth/login',
  async (t) => {
    const { signIn, byRoute } = await host(t, { rateLimit: { login: { perAccount: { failures: 2 } } } })
    t.equal((await signIn({ name: 'ada', secret: 'wrong' })).code, 'invalid_credentials')
    t.equal(await byRoute({ username: 'ada', password: 'wrong' }), 'invalid_credentials')
    t.equal((await signIn({ name: 'ada', secret: USERS.ada })).code, 'rate_limited')
    t.equal((await signIn({ name: 'bob', secret: USERS.bob })).code, 'good')
  },
)

t.test('guesses in such a route count for the address of the request', async (t) => {
  const { signIn } = await host(t, { rateLimit: { login: { perAddress: { failures: 1 } } } })
  t.equal((await signIn({ name: 'ada', secret: 'wrong' })).code, 'invalid_credentials')
  t.equal((await signIn({ name: 'bob', secret: USERS.bob })).code, 'rate_limited')
  t.equal((await signIn({ name: 'bob', secret: USERS.bob }, '203.0.113.8')).code, 'good')
})

t.test(
  'a login function receives the request of the route, and its events have the request’s id',
  async (t) => {
    const seen: unknown[] = []
    const { app, signIn } = await host(t, {
      login: ({ username }, request) => {
        seen.push((request as { url: string }).url)
        return { sub: username }
      },
    })
    app.portcullis.events.on('login', ({ request_id }) => void seen.push(request_id))
    t.equal((await signIn({ name: 'eve', secret: 'x' })).code, 'good')
    await new Promise(setImmediate)
    t.match(seen, ['/sign-in', /^req-/])
  },
)

t.test('without the option login, the method says what to call instead', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(portcullis, { ...sharedSettings(await home(t)), store: 'memory' })
  app.post('/', async (request) => app.portcullis.login({ username: 'ada', password: 'x' }, request))
  const { statusCode, body } = await app.inject({ method: 'POST', url: '/' })
  t.equal(statusCode, 500)
  t.match(body, /call issue/)
})

t.test('without a request, the method says what is missing', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(portcullis, { ...sharedSettings(await home(t)), store: 'memory', login: () => null })
  // @ts-expect-error: only JavaScript can leave out the request.
  await t.rejects(app.portcullis.login({ username: 'ada', password: 'x' }), /pass the request of your route/)
})
