/**
 * A guard that isn't there when a route is declared is `undefined`, and Fastify takes that for no hook: the route is
 * public. And a guard that resolves after refusing lets the code behind it run.
 */
import fastify from 'fastify'
import t from 'tap'
import portcullis, { authenticate, authorize } from '../../src/index.js'
import { home, sharedSettings } from '../support/gateway-process.js'

t.test('imported guards protect routes that are declared before the plugin is registered', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  app.get('/me', { onRequest: authenticate }, async ({ auth }) => ({ sub: auth!.sub }))
  app.get('/maybe', { onRequest: authenticate.optional }, async ({ auth }) => ({ sub: auth?.sub ?? null }))
  app.get('/admin', { preHandler: authorize({ scope: 'admin' }) }, async () => 'welcome')
  app.get('/any', { onRequest: authorize({ anyScope: ['read', 'admin'] }) }, async () => 'welcome')
  app.register(async (context) => {
    context.get('/nested', { onRequest: [authenticate] }, async ({ auth }) => ({ sub: auth!.sub }))
  })
  app.register(portcullis, sharedSettings(await home(t)))
  await app.ready()
  const { access_token } = await app.portcullis.issue({ sub: 'u1', scope: 'read write' })
  const get = async (url: string, token?: string) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const { statusCode, body } = await app.inject({ url, headers })
    return `${statusCode} ${statusCode === 200 ? body : JSON.parse(body).code}`
  }
  for (const url of ['/me', '/nested', '/admin', '/any'])
    t.equal(await get(url), '401 credentials_missing', url)
  t.equal(await get('/me', access_token), '200 {"sub":"u1"}')
  t.equal(await get('/nested', access_token), '200 {"sub":"u1"}')
  t.equal(await get('/maybe'), '200 {"sub":null}')
  t.equal(await get('/maybe', access_token), '200 {"sub":"u1"}')
  t.equal(await get('/admin', access_token), '403 insufficient_scope')
  t.equal(await get('/any', access_token), '200 welcome')
  t.equal(
    await get('/any', (await app.portcullis.issue({ sub: 'u2', scope: 'write' })).access_token),
    '403 insufficient_scope',
  )
})

t.test('imported guards refuse where the plugin isn’t registered', async (t) => {
  const lines: string[] = []
  const app = fastify({ logger: { stream: { write: (line: string) => void lines.push(line) } } })
  t.teardown(() => app.close())
  let ran = 0
  app.get('/me', { onRequest: authenticate }, async () => ++ran)
  app.get(
    '/awaited',
    {
      onRequest: async (request, reply) => {
        await authenticate(request, reply)
        ran += 1
      },
    },
    async () => ++ran,
  )
  for (const url of ['/me', '/awaited']) {
    const { statusCode, body } = await app.inject({ url, headers: { authorization: 'Bearer x.y.z' } })
    t.equal(statusCode, 500, url)
    t.equal(JSON.parse(body).code, 'internal_error')
  }
  t.equal(ran, 0)
  t.match(lines.join(''), /found no portcullis/)
})

t.test('code behind an awaited guard doesn’t run after a refusal', async (t) => {
  for (const refusals of ['answer', 'throw'] as const) {
    const app = fastify()
    t.teardown(() => app.close())
    await app.register(portcullis, { ...sharedSettings(await home(t)), refusals })
    let ran = 0
    for (const guard of [app.authenticate, authenticate]) {
      app.get(
        `/${ran}${guard === authenticate}`,
        {
          onRequest: async (request, reply) => {
            await guard(request, reply)
            ran += 1
          },
        },
        async () => 'open',
      )
    }
    for (const url of ['/0false', '/0true']) t.equal((await app.inject({ url })).statusCode, 401, url)
    t.equal(ran, 0, refusals)
  }
})

t.test('authorize throws at once if it demands no scope', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(portcullis, sharedSettings(await home(t)))
  const wrong = [
    undefined,
    {},
    { scopes: 'admin' },
    { scope: '' },
    { scope: [] },
    { scope: ['a b'] },
    { scope: [1] },
  ]
  for (const needs of wrong) {
    t.throws(() => app.authorize(needs as never), TypeError, JSON.stringify(needs))
    t.throws(() => authorize(needs as never), TypeError, JSON.stringify(needs))
  }
})
