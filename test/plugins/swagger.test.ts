/** A host that documents its routes with @fastify/swagger. */
import swagger from '@fastify/swagger'
import fastify from 'fastify'
import t from 'tap'
import portcullis from '../../src/index.js'
import { home, sharedSettings } from '../support/gateway-process.js'

t.test('a host’s documentation has the routes that exist, and not those that are 405', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(swagger, { openapi: {} })
  await app.register(portcullis, { ...sharedSettings(await home(t)), login: () => null })
  app.get('/orders', async () => [])
  await app.ready()
  const { paths = {} } = (app as unknown as { swagger(): { paths?: object } }).swagger()
  const listed = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods as object).map((method) => `${method} ${path}`),
  )
  t.strictSame(listed.toSorted(), [
    'delete /auth/sessions/{sid}',
    'get /.well-known/jwks.json',
    'get /auth/me',
    'get /auth/session/events',
    'get /auth/sessions',
    'get /orders',
    'post /auth/login',
    'post /auth/logout',
    'post /auth/refresh',
  ])
  t.equal((await app.inject({ method: 'PUT', url: '/auth/login' })).statusCode, 405)
})
