/** Guards that hide their route, or redirect browsers to a login page. */
import websocket from '@fastify/websocket'
import fastify from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import { PortcullisError, authenticate, authorize, portcullis } from '../../src/index.js'
import type { PluginOptions } from '../../src/index.js'
import { LOGIN, PAGE, addAdmin, createCallers, outcomeOf } from '../support/decision-tree.js'
import { call, cookiesOf, home, isRefused, sharedSettings } from '../support/gateway-process.js'
import { ASKS } from '../support/websocket-handshakes.js'
import { head, send } from '../support/wire.js'

const directory = await home(t)
await addAdmin(directory)

const USERS_FILE = { users: `${directory}/users.htpasswd` }
const respond = async ({ auth }: FastifyRequest) => ({ sub: auth!.sub })

async function host(
  t: Pick<Test, 'teardown'>,
  addRoutes: (app: FastifyInstance) => unknown,
  options: Partial<PluginOptions> = {},
) {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(portcullis, {
    ...sharedSettings(directory),
    login: { ...USERS_FILE, page: '/login' },
    ...options,
  })
  await addRoutes(app)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  return { app, url }
}

const hidden = { hidden: true }
const redirect = { onAnonymous: 'redirect' } as const
const scope = 'admin'
const GUARDS = {
  decorators: (app: FastifyInstance) => ({ authenticate: app.authenticate, authorize: app.authorize }),
  imports: () => ({ authenticate, authorize }),
}

for (const [from, guardsOf] of Object.entries(GUARDS)) {
  const { url } = await host(t, (app) => {
    const guards = guardsOf(app)
    const add = (path: string, onRequest: ReturnType<typeof guards.authorize>) =>
      app.route({ method: ['GET', 'POST'], url: path, onRequest, handler: respond })
    app.addContentTypeParser('application/x-www-form-urlencoded', (_request, _payload, done) => done(null))
    add('/plain', guards.authenticate)
    add('/scoped', guards.authorize({ scope }))
    add('/hidden', guards.authenticate.with(hidden))
    add('/hidden-scoped', guards.authorize({ scope, ...hidden }))
    add('/page', guards.authenticate.with(redirect))
    add('/page-scoped', guards.authorize({ anyScope: [scope], ...redirect }))
  })
  for (const caller of await createCallers(url, directory)) {
    const { name, method, options, plain, scoped = plain, opensPage, clears } = caller
    t.test(`${name}, guarded by ${from}: 200, 302, 401, 403 or 404`, async (t) => {
      const ask = (path: string) => call(url, method, path, options)
      t.equal(outcomeOf(await ask('/plain')), plain)
      t.equal(outcomeOf(await ask('/scoped')), scoped)
      for (const [path, shown] of [
        ['/hidden', plain],
        ['/hidden-scoped', scoped],
      ] as const) {
        const answer = await ask(path)
        t.equal(outcomeOf(answer), shown === '200' ? '200' : '404', path)
        t.equal(answer.headers['www-authenticate'], undefined)
        if (shown === '200' || method === 'HEAD') continue
        t.strictSame(answer.body, {
          message: `Route ${method}:${path} not found`,
          error: 'Not Found',
          statusCode: 404,
        })
      }
      for (const [path, shown] of [
        ['/page?a=b', plain],
        ['/page-scoped', scoped],
      ] as const) {
        const answer = await ask(path)
        t.equal(outcomeOf(answer), opensPage ? '302' : shown, path)
        if (!opensPage) continue
        t.equal(answer.headers['location'], LOGIN + encodeURIComponent(path))
        t.equal(answer.headers['cache-control'], 'no-store')
        t.strictSame(Object.values(cookiesOf(answer.setCookie)), clears ? ['', ''] : [])
      }
    })
  }
}

t.test('a hidden route has the response of an unknown one, with any method and handler', async (t) => {
  const setups: [name: string, addRoutes: (app: FastifyInstance) => unknown][] = [
    ['as onRequest', (app) => app.get('/route', { onRequest: authenticate.with(hidden) }, respond)],
    ['as preHandler', (app) => app.get('/route', { preHandler: authenticate.with(hidden) }, respond)],
    [
      'awaited',
      (app) =>
        app.get(
          '/route',
          {
            onRequest: async (request: FastifyRequest, reply: FastifyReply) => {
              await authenticate.with(hidden)(request, reply)
              t.fail('the hook has ended')
            },
          },
          respond,
        ),
    ],
    [
      'as a hook of a context',
      (app) =>
        app.register(async (context) => {
          context.addHook('onRequest', authenticate.with(hidden))
          context.get('/route', respond)
        }),
    ],
    [
      'as a hook of the application',
      (app) => {
        app.addHook('onRequest', authenticate.with(hidden))
        app.get('/route', respond)
      },
    ],
    [
      'as an awaited hook of the application',
      (app) => {
        app.addHook('onRequest', async (request, reply) => authenticate.with(hidden)(request, reply))
        app.get('/route', respond)
      },
    ],
  ]
  const handlers: [
    name: string,
    handler: ((request: FastifyRequest, reply: FastifyReply) => unknown) | undefined,
  ][] = [
    ['Fastify’s 404', undefined],
    ['a handler that sends', (_request, reply) => void reply.code(404).type('text/html').send('<p>nothing')],
    [
      'a handler that waits',
      async (_request, reply) => {
        await new Promise((resolve) => setImmediate(resolve))
        return reply.code(404).header('x-own', '1').send({ own: true })
      },
    ],
    [
      'a handler that throws',
      async () => {
        throw Object.assign(new Error('none'), { statusCode: 404 })
      },
    ],
  ]
  for (const [guarded, addRoutes] of setups) {
    for (const [name, handler] of handlers) {
      const { url } = await host(t, async (app) => {
        if (handler) app.setNotFoundHandler(handler)
        await addRoutes(app)
      })
      for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS', 'PUT']) {
        for (const options of [{}, { token: 'x', headers: { origin: 'https://a.example' } }]) {
          const [shown, unknown] = await Promise.all(
            ['/route', '/etuor'].map(async (path) => {
              const { status, headers, text } = await call(url, method, path, options)
              return { status, headers: { ...headers, date: '' }, text: text.replace(path, '') }
            }),
          )
          t.strictSame(shown, unknown, `${guarded}, ${name}, ${method}`)
          t.equal(shown!.status, 404)
        }
      }
    }
  }
})

t.test('a WebSocket of a hidden route gets the bytes of an unknown one', async (t) => {
  const { url } = await host(t, async (app) => {
    await app.register(websocket)
    app.get('/route', { websocket: true, onRequest: authenticate.with(hidden) }, () =>
      t.fail('it was opened'),
    )
    app.get('/page', { websocket: true, onRequest: authenticate.with(redirect) }, () =>
      t.fail('it was opened'),
    )
  })
  const handshake = async (path: string) => {
    const lines = ['Host: x', 'Accept: text/html', 'Sec-WebSocket-Version: 13', ...ASKS]
    const { text } = await send(Number(new URL(url).port), head(`GET ${path} HTTP/1.1`, ...lines))
    return text.replace(path, '').replace(/^date: .*$/im, '')
  }
  const shown = await handshake('/route')
  t.match(shown, /^HTTP\/1\.1 404 /)
  t.equal(shown, await handshake('/etuor'))
  t.match(await handshake('/page'), /^HTTP\/1\.1 401 /, 'a WebSocket is never redirected')
})

t.test('an awaited hidden guard responds to app.inject', async (t) => {
  const { app } = await host(t, (it) => {
    it.setNotFoundHandler(async (_request, reply) => {
      await new Promise((resolve) => setImmediate(resolve))
      return reply.code(404).send('late')
    })
    it.get(
      '/route',
      { onRequest: async (request, reply) => authenticate.with(hidden)(request, reply) },
      respond,
    )
  })
  t.match(await app.inject('/route'), { statusCode: 404, body: 'late' })
})

t.test('refusals: throw throws a 404 whose cause is the true error, and redirects by itself', async (t) => {
  const thrown: unknown[] = []
  const { url } = await host(
    t,
    (app) => {
      app.setErrorHandler((error, _request, reply) => {
        thrown.push(error)
        return reply.code((error as PortcullisError).statusCode).send('own')
      })
      app.get('/hidden', { onRequest: authenticate.with(hidden) }, respond)
      app.get('/page', { onRequest: authenticate.with(redirect) }, respond)
      app.get(
        '/awaited',
        { onRequest: async (request, reply) => authenticate.with(redirect)(request, reply) },
        respond,
      )
    },
    { refusals: 'throw' },
  )
  t.match(await call(url, 'GET', '/hidden'), { status: 404, text: 'own' })
  t.ok(thrown[0] instanceof PortcullisError)
  t.match(thrown, [{ code: 'not_found', headers: {}, cause: { code: 'credentials_missing' } }])
  for (const path of ['/page', '/awaited']) {
    t.equal((await call(url, 'GET', path, { headers: PAGE })).status, 302, path)
    t.equal((await call(url, 'GET', path)).status, 401, path)
  }
})

t.test('the login page is that of the guard, or of the plugin', async (t) => {
  const loginPage = 'https://id.example/in?x=y'
  const { url } = await host(t, (app) => {
    app.get('/own', { onRequest: authenticate.with({ ...redirect, loginPage }) }, respond)
    app.get('/shared', { onRequest: authorize({ scope, ...redirect }) }, respond)
    app.get('/login', { onRequest: authenticate.with(redirect) }, respond)
  })
  const locationOf = async (path: string) =>
    (await call(url, 'GET', path, { headers: PAGE })).headers['location']
  t.equal(await locationOf('/own'), `${loginPage}&next=%2Fown`)
  t.equal(await locationOf('/shared'), '/login?next=%2Fshared')
  t.equal(await locationOf('/login'), undefined, 'never to itself')
})

t.test('a redirect without a login page is an error at once, or 500 for an imported guard', async (t) => {
  const login = () => null
  const { url } = await host(
    t,
    (app) => {
      t.throws(() => app.authenticate.with(redirect), { name: 'TypeError', message: /needs a login page/ })
      t.throws(() => app.authorize({ scope, ...redirect }), TypeError)
      app.get('/page', { onRequest: authenticate.with(redirect) }, respond)
      app.get('/with', { onRequest: authenticate.with({ ...redirect, loginPage: '/in' }) }, respond)
    },
    { login },
  )
  isRefused(t, await call(url, 'GET', '/page', { headers: PAGE }), 500, 'internal_error')
  t.equal((await call(url, 'GET', '/with', { headers: PAGE })).status, 302)
})

t.test('wrong options are a TypeError at once', async (t) => {
  const { app } = await host(t, () => undefined)
  const wrong: [options: object | null | string, words: RegExp][] = [
    [null, /pass options/],
    ['hidden', /pass options/],
    [[], /pass options/],
    [{ hiden: true }, /unknown field hiden; use hidden, onAnonymous, loginPage/],
    [{ scope: 'admin' }, /unknown field scope/],
    [{ hidden: 'yes' }, /hidden must be true or false/],
    [{ hidden: 1 }, /hidden must be/],
    [{ onAnonymous: 'login' }, /onAnonymous must be 'refuse' or 'redirect'/],
    [{ ...hidden, ...redirect }, /a redirect reveals a hidden route/],
    [{ loginPage: '/login' }, /only with onAnonymous: 'redirect'/],
    ...['//evil.example', '/\\evil.example', 'login', 'javascript:alert(1)', '/a\r\nb: c', 7].map(
      (loginPage): [object, RegExp] => [{ ...redirect, loginPage }, /loginPage: /],
    ),
  ]
  for (const [options, message] of wrong) {
    for (const guards of [app, { authenticate, authorize }]) {
      t.throws(() => guards.authenticate.with(options as never), { name: 'TypeError', message })
      if (options === null || typeof options !== 'object' || Array.isArray(options) || 'scope' in options)
        continue
      t.throws(() => guards.authorize({ scope, ...options } as never), { name: 'TypeError' })
    }
  }
  t.throws(() => authorize({ hidden: true }), { message: /no scope given/ })
})
