/** What a host changed on its application neither breaks our routes nor is broken by them. */
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import portcullis from '../../src/index.js'
import {
  USERS,
  call,
  home,
  isRefused,
  logIn,
  sharedSettings,
  TOKEN_FIELDS,
} from '../support/gateway-process.js'

type Change = (app: FastifyInstance) => void

async function host(t: Test, change: Change, order: 'before' | 'after'): Promise<string> {
  const directory = await home(t)
  const app = fastify()
  t.teardown(() => app.close())
  if (order === 'before') change(app)
  await app.register(portcullis, {
    ...sharedSettings(directory),
    login: { users: `${directory}/users.htpasswd` },
  })
  if (order === 'after') change(app)
  app.post<{ Body: unknown }>('/echo', { schema: { body: { type: 'object' } } }, async ({ body }) => ({
    body,
  }))
  app.get('/fails', async () => Promise.reject(Object.assign(new Error('of the host'), { statusCode: 418 })))
  return app.listen({ host: '127.0.0.1', port: 0 })
}

/** Everything of ours works as if the host had changed nothing. */
async function oursWork(t: Test, url: string): Promise<void> {
  const tokens = await logIn(url)
  t.strictSame(Object.keys(tokens).toSorted(), TOKEN_FIELDS)
  const json = { refresh_token: tokens.refresh_token }
  t.equal((await call(url, 'POST', '/auth/refresh', { json })).status, 200)
  t.equal(
    (await call(url, 'POST', '/auth/login', { form: { username: 'ada', password: USERS.ada } })).status,
    200,
  )
  t.equal((await call(url, 'GET', '/auth/me', { token: tokens.access_token })).body.sub, 'ada')
  t.equal((await call(url, 'GET', '/auth/sessions', { token: tokens.access_token })).body.sessions.length, 2)
  isRefused(t, await call(url, 'POST', '/auth/login', { json: { username: 'ada' } }), 400, 'invalid_request')
  isRefused(t, await call(url, 'GET', '/auth/me'), 401, 'credentials_missing')
  const headers = { 'content-type': 'application/json' }
  isRefused(t, await call(url, 'POST', '/auth/login', { body: '{', headers }), 400, 'invalid_request')
  const text = await call(url, 'POST', '/auth/login', {
    body: 'x',
    headers: { 'content-type': 'text/plain' },
  })
  isRefused(t, text, 415, 'unsupported_media_type')
  t.equal((await call(url, 'GET', '/.well-known/jwks.json')).body.keys.length, 1)
  t.equal((await call(url, 'POST', '/auth/logout', { token: tokens.access_token })).status, 204)
  isRefused(t, await call(url, 'GET', '/auth/me', { token: tokens.access_token }), 401, 'session_ended')
}

const changes: Record<string, { change: Change; hostWorks: (t: Test, url: string) => Promise<void> }> = {
  'a validator compiler that refuses everything': {
    change: (app) => app.setValidatorCompiler(() => () => ({ error: new Error('the host’s validator') })),
    async hostWorks(t, url) {
      const answer = await call(url, 'POST', '/echo', { json: {} })
      t.match(answer, { status: 400, text: /the host’s validator/ })
    },
  },
  'a serializer of its own': {
    change: (app) => {
      app.setReplySerializer((payload) => JSON.stringify({ host: payload }))
      app.setSerializerCompiler(() => () => '{"compiled":true}')
    },
    async hostWorks(t, url) {
      t.strictSame((await call(url, 'POST', '/echo', { json: { a: 1 } })).body, { host: { body: { a: 1 } } })
    },
  },
  'a JSON parser of its own, and parsers for all else': {
    change: (app) => {
      app.removeContentTypeParser('application/json')
      app.addContentTypeParser(
        'application/json',
        { parseAs: 'string' },
        async (_: unknown, body: string | Buffer) => ({
          wrapped: String(body),
        }),
      )
      app.addContentTypeParser('*', async () => ({ anything: true }))
    },
    async hostWorks(t, url) {
      t.strictSame((await call(url, 'POST', '/echo', { json: { a: 1 } })).body, {
        body: { wrapped: '{"a":1}' },
      })
      const other = await call(url, 'POST', '/echo', { body: 'x', headers: { 'content-type': 'text/x' } })
      t.strictSame(other.body, { body: { anything: true } })
    },
  },
  'an error handler and a handler of what is not found': {
    change: (app) => {
      app.setErrorHandler((error, _request, reply) =>
        reply.code(418).send({ host: (error as Error).message }),
      )
      app.setNotFoundHandler((_request, reply) => reply.code(404).send({ host: 'not found' }))
    },
    async hostWorks(t, url) {
      t.match(await call(url, 'GET', '/fails'), { status: 418, body: { host: 'of the host' } })
      t.match(await call(url, 'GET', '/nowhere'), { status: 404, body: { host: 'not found' } })
      t.match(await call(url, 'POST', '/echo', { json: [] }), { status: 418 })
    },
  },
  'hooks that watch every answer': {
    change: (app) => {
      app.addHook('onSend', async (_request, reply) => void reply.header('x-host', 'saw it'))
      app.addHook('preHandler', async () => {})
    },
    async hostWorks(t, url) {
      t.equal((await call(url, 'POST', '/echo', { json: {} })).headers['x-host'], 'saw it')
    },
  },
}

for (const [what, { change, hostWorks }] of Object.entries(changes)) {
  for (const order of ['before', 'after'] as const) {
    t.test(`${what}, set ${order} us`, async (t) => {
      const url = await host(t, change, order)
      await hostWorks(t, url)
      await oursWork(t, url)
      await hostWorks(t, url)
    })
  }
}
