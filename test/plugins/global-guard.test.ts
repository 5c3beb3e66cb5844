/** A guard as a hook of the whole application guards the host's routes and lets Portcullis' own pass. */
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import portcullis, { authenticate, authorize } from '../../src/index.js'
import type { Scope } from '../support/scope.js'
import { USERS, home, sharedSettings } from '../support/gateway-process.js'

const HOOKS: [name: string, add: (app: FastifyInstance) => void][] = [
  ['app.authenticate', (app) => app.addHook('onRequest', app.authenticate)],
  ['app.authenticate as preHandler', (app) => app.addHook('preHandler', app.authenticate)],
  ['app.portcullis.authenticate', (app) => app.addHook('onRequest', app.portcullis.authenticate)],
  ['the imported authenticate', (app) => app.addHook('onRequest', authenticate)],
  ['authorize', (app) => app.addHook('onRequest', app.authorize({ scope: 'staff' }))],
  ['the imported authorize', (app) => app.addHook('onRequest', authorize({ scope: 'staff' }))],
  [
    'an awaited guard',
    (app) => app.addHook('onRequest', async (request, reply) => app.authenticate(request, reply)),
  ],
]

async function host(t: Scope, add: (app: FastifyInstance) => void) {
  const directory = await home(t)
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(portcullis, {
    ...sharedSettings(directory),
    login: { users: `${directory}/users.htpasswd` },
  })
  add(app)
  app.get('/orders', async ({ auth }) => ({ sub: auth!.sub }))
  const send = async (
    method: 'GET' | 'POST' | 'DELETE' | 'PUT',
    url: string,
    payload?: object,
    token = '',
  ) => {
    const headers = token === '' ? {} : { authorization: `Bearer ${token}` }
    const { statusCode, body } = await app.inject({ method, url, headers, ...(payload && { payload }) })
    return { statusCode, body: body === '' ? undefined : JSON.parse(body) }
  }
  return { app, send }
}

for (const [name, add] of HOOKS) {
  t.test(`${name} for the whole application lets login, refresh and logout pass`, async (t) => {
    const { app, send } = await host(t, add)
    const login = await send('POST', '/auth/login', { username: 'ada', password: USERS.ada })
    t.equal(login.statusCode, 200)
    const refresh = await send('POST', '/auth/refresh', { refresh_token: login.body.refresh_token })
    t.equal(refresh.statusCode, 200)
    t.equal((await send('GET', '/.well-known/jwks.json')).statusCode, 200)
    t.equal((await send('PUT', '/auth/login')).statusCode, 405)

    t.match(await send('GET', '/orders'), { statusCode: 401, body: { code: 'credentials_missing' } })
    const staff = await app.portcullis.issue({ sub: 'u1', scope: 'staff' })
    t.match(await send('GET', '/orders', undefined, staff.access_token), {
      statusCode: 200,
      body: { sub: 'u1' },
    })
    t.equal((await send('POST', '/auth/logout', undefined, refresh.body.access_token)).statusCode, 204)
  })

  t.test(`${name} for the whole application doesn’t open the own routes that need a token`, async (t) => {
    const { app, send } = await host(t, add)
    for (const url of ['/auth/me', '/auth/sessions', '/auth/verify']) {
      t.match(await send('GET', url), { statusCode: 401, body: { code: 'credentials_missing' } }, url)
      t.equal((await send('GET', url, undefined, 'a.b.c')).statusCode, 401, url)
    }
    t.equal((await send('DELETE', '/auth/sessions/x')).statusCode, 401)
    const { access_token } = await app.portcullis.issue({ sub: 'u1' })
    t.match(await send('GET', '/auth/me', undefined, access_token), { statusCode: 200, body: { sub: 'u1' } })
  })
}
