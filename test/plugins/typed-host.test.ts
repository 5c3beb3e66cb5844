/** A host as TypeScript sees it: that it compiles is half of the test. */
import fastify from 'fastify'
import type { RedisOptions } from 'ioredis'
import t from 'tap'
import portcullis from '../../src/index.js'
import type { Auth, Guard, PluginOptions, SessionView, TokenResponse } from '../../src/index.js'
import { call, home, sharedSettings } from '../support/gateway-process.js'

/** A host may have these at hand. */
const ofRedis: RedisOptions = { host: '127.0.0.1', port: 1 }
export const onOptions: Pick<PluginOptions, 'store'> = { store: ofRedis }

t.test('a typed host compiles without a cast, and runs', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  const options: PluginOptions = {
    ...sharedSettings(await home(t)),
    tokens: { access: '5m', reuseGrace: '5s' },
    rateLimit: { login: { perAccount: { failures: 5, per: '10m' } } },
    login: async ({ username, password }) => (password === username ? { sub: username } : null),
  }
  await app.register(portcullis, options)

  const guard: Guard = app.authorize({ scope: ['read'] })
  app.get('/me', { onRequest: app.authenticate }, async (request) => {
    const auth: Auth | null = request.auth
    return { sub: auth?.sub, until: auth?.expiresAt.toFixed() }
  })
  app.get(
    '/maybe',
    { preHandler: app.authenticate.optional },
    async (request) => request.auth?.scope.length ?? 0,
  )
  app.get<{ Params: { id: string } }>(
    '/read/:id',
    { preHandler: [guard] },
    async (request) => request.params.id,
  )
  app.post<{ Body: { sub: string } }>('/own-login', async ({ body, ip }): Promise<TokenResponse> =>
    app.portcullis.issue({ sub: body.sub, scope: 'read', ip }),
  )
  const url = await app.listen({ host: '127.0.0.1', port: 0 })

  const { body } = await call(url, 'POST', '/own-login', { json: { sub: 'u1' } })
  const token = (body as TokenResponse).access_token
  t.match((await call(url, 'GET', '/me', { token })).body, { sub: 'u1', until: /^\d+$/ })
  t.equal((await call(url, 'GET', '/read/7', { token })).text, '7')
  t.equal((await call(url, 'GET', '/maybe', { token })).text, '1')
  t.equal((await call(url, 'GET', '/maybe')).text, '0')
  const sessions: SessionView[] = await app.portcullis.sessions.list('u1')
  t.equal(sessions.length, 1)
  await app.portcullis.revoke({ sid: body.session_id })
  t.equal((await call(url, 'GET', '/me', { token })).status, 401)
})
