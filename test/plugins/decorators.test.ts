/** The names that the plugin adds to a host, and hosts that use these names themselves. */
import jwt from '@fastify/jwt'
import fastify from 'fastify'
import type { FastifyReply, FastifyRequest } from 'fastify'
import t from 'tap'
import portcullis, { authenticate } from '../../src/index.js'
import { home, sharedSettings } from '../support/gateway-process.js'

/** An application with `authenticate` as in the readme of @fastify/jwt, and `request.auth` as in many others. */
async function hostWithNames() {
  const app = fastify()
  await app.register(jwt, { secret: 'a secret of the host’s own, long enough' })
  const own = async (request: FastifyRequest, reply: FastifyReply) => {
    await request.jwtVerify().catch((error: unknown) => reply.code(418).send(error))
  }
  Object.assign(app.decorate('authenticate', own as never))
  app.decorateRequest('auth', 'the host’s own' as never)
  return app
}

t.test('a host that has the names already gets an error that says what to do', async (t) => {
  for (const [decorators, key] of [
    [undefined, 'decorators.authenticate'],
    [{ authenticate: false }, 'decorators.auth'],
    [{ authenticate: 'guard', authorize: 'guard', auth: 'token' }, 'decorators.authorize'],
    [{ authenticate: 'register' }, 'decorators.authenticate'],
  ] as const) {
    const app = await hostWithNames()
    t.teardown(() => app.close())
    const options = { ...sharedSettings(await home(t)), ...(decorators && { decorators }) }
    await t.rejects(async () => app.register(portcullis, options), {
      name: 'ConfigError',
      message: new RegExp(`^${key}: .*already .*choose another name, or false`),
    })
  }
})

t.test('with other names, the host’s own authenticate and ours work side by side', async (t) => {
  const app = await hostWithNames()
  t.teardown(() => app.close())
  const decorators = { authenticate: 'verifyToken', authorize: 'needScope', auth: 'token' }
  await app.register(portcullis, { ...sharedSettings(await home(t)), decorators })
  const { verifyToken, needScope } = app as unknown as {
    verifyToken: typeof app.authenticate
    needScope: typeof app.authorize
  }
  const handler = async (request: FastifyRequest) => {
    const { auth, token } = request as unknown as { auth: string; token: { sub: string } | null }
    return { auth, sub: token?.sub ?? null }
  }
  app.get('/ours', { onRequest: verifyToken }, handler)
  app.get('/admin', { onRequest: needScope({ scope: 'admin' }) }, handler)
  app.get('/imported', { onRequest: authenticate }, handler)
  app.get('/theirs', { onRequest: app.authenticate }, handler)
  const { access_token } = await app.portcullis.issue({ sub: 'u1' })
  const headers = { authorization: `Bearer ${access_token}` }
  const expected = { auth: 'the host’s own', sub: 'u1' }
  t.strictSame((await app.inject({ url: '/ours', headers })).json(), expected)
  t.strictSame((await app.inject({ url: '/imported', headers })).json(), expected)
  t.equal((await app.inject({ url: '/admin', headers })).statusCode, 403)
  t.equal((await app.inject({ url: '/theirs', headers })).statusCode, 418)
  t.match((await app.inject({ url: '/auth/me', headers })).json(), { sub: 'u1' })
  t.match((await app.inject({ url: '/auth/sessions', headers })).json(), { sessions: [{ current: true }] })
})

t.test('with decorators set to false, only app.portcullis is added', async (t) => {
  const app = await hostWithNames()
  t.teardown(() => app.close())
  const before = new Set(Object.keys(app))
  const decorators = { authenticate: false, authorize: false, auth: false } as const
  await app.register(portcullis, { ...sharedSettings(await home(t)), decorators })
  t.strictSame(
    Object.keys(app).filter((name) => !before.has(name)),
    ['portcullis'],
  )
  app.get('/ours', { onRequest: app.portcullis.authenticate }, async ({ auth }) => ({ auth }))
  const { access_token } = await app.portcullis.issue({ sub: 'u1' })
  const headers = { authorization: `Bearer ${access_token}` }
  t.equal((await app.inject('/ours')).statusCode, 401)
  t.strictSame((await app.inject({ url: '/ours', headers })).json(), { auth: 'the host’s own' })
  t.match((await app.inject({ url: '/auth/me', headers })).json(), { sub: 'u1' })
})

t.test('names that aren’t names are refused', async (t) => {
  for (const name of ['', 'my-guard', '1st', true, 7]) {
    const options = { ...sharedSettings(await home(t)), decorators: { authenticate: name } }
    await t.rejects(async () => fastify().register(portcullis, options as never), {
      message: /^decorators\.authenticate: /,
    })
  }
})
