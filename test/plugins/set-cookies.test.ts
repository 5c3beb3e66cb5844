/** Cookies of a session that the host has started itself. */
import cookie from '@fastify/cookie'
import fastify from 'fastify'
import t from 'tap'
import portcullis, { authenticate } from '../../src/index.js'
import type { PluginOptions } from '../../src/index.js'
import type { Scope } from '../support/scope.js'
import { cookiesOf, home, sharedSettings } from '../support/gateway-process.js'

async function host(t: Scope, options: Partial<PluginOptions> = {}) {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(cookie)
  await app.register(portcullis, {
    ...sharedSettings(await home(t)),
    login: ({ username }) => ({ sub: username }),
    ...options,
  })
  app.get('/callback', async (_request, reply) => {
    reply.setCookie('host', 'own')
    return app.portcullis.setCookies(reply, await app.portcullis.issue({ sub: 'u1' }))
  })
  app.get('/me', { onRequest: authenticate }, async ({ auth }) => auth!.sub)
  return app
}

for (const options of [{}, { cookies: { secure: false } }, { prefix: '/id' }] as const) {
  t.test(`the cookies of issue are those of a login, with ${JSON.stringify(options)}`, async (t) => {
    const app = await host(t, options)
    const prefix = 'prefix' in options ? options.prefix : '/auth'
    const callback = await app.inject('/callback')
    const lines = [callback.headers['set-cookie'] ?? []].flat().filter((line) => !line.startsWith('host='))
    const login = await app.inject({
      method: 'POST',
      url: `${prefix}/login`,
      headers: { origin: 'http://localhost', host: 'localhost' },
      payload: { username: 'u1', password: 'x', cookies: true },
    })
    t.equal(login.statusCode, 200)
    const shape = (line: string) => line.replace(/=[^;]*/, '=…')
    t.strictSame(lines.map(shape), [login.headers['set-cookie'] ?? []].flat().map(shape))
    t.equal(lines.length, 2)
    t.strictSame(Object.keys(callback.json()).toSorted(), Object.keys(login.json()).toSorted())
    t.equal(callback.headers['cache-control'], 'no-store')
    t.ok(
      [callback.headers['set-cookie']].flat().some((line) => line?.startsWith('host=own')),
      'the host’s own stays',
    )

    const cookies = cookiesOf(lines)
    t.equal((await app.inject({ url: '/me', cookies })).body, 'u1')
    const headers = { 'sec-fetch-site': 'same-origin' }
    const refresh = await app.inject({ method: 'POST', url: `${prefix}/refresh`, cookies, headers })
    t.equal(refresh.statusCode, 200)
  })
}

t.test('cookies that are disabled, or tokens that are missing, are an error at once', async (t) => {
  const app = await host(t, { cookies: { enabled: false } })
  const { statusCode, body } = await app.inject('/callback')
  t.match({ statusCode, body }, { statusCode: 500, body: /cookies\.enabled is false/ })
  const enabled = await host(t)
  const tokens = await enabled.portcullis.issue({ sub: 'u1' })
  const { access_token: _, ...rest } = tokens
  enabled.get('/half', async (_request, reply) => enabled.portcullis.setCookies(reply, rest))
  t.match((await enabled.inject('/half')).body, /pass the whole result of issue/)
})
