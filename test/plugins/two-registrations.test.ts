/** The plugin more than once in one process. */
import fastify from 'fastify'
import t from 'tap'
import portcullis, { authenticate } from '../../src/index.js'
import { home, sharedSettings } from '../support/gateway-process.js'

t.test('a second registration on an application, or on a child of it, says what to do', async (t) => {
  const options = sharedSettings(await home(t))
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(portcullis, options)
  const message = /^portcullis is already registered.*Register it once.*context of its own/
  await t.rejects(async () => app.register(portcullis, options), { message })
  const parent = fastify()
  t.teardown(() => parent.close())
  await parent.register(portcullis, options)
  await t.rejects(
    async () =>
      parent.register(
        async (context) => void (await context.register(portcullis, { ...options, prefix: '/b' })),
      ),
    { message },
  )
})

t.test('two contexts without prefixes can’t both publish their keys, and the error says so', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  const [a, b] = [sharedSettings(await home(t)), sharedSettings(await home(t))]
  await app.register(async (context) => void (await context.register(portcullis, { ...a, prefix: '/a' })))
  await t.rejects(
    async () =>
      app.register(async (context) => void (await context.register(portcullis, { ...b, prefix: '/b' }))),
    { message: /already has a route \/\.well-known\/jwks\.json.*context with a prefix of its own/ },
  )
})

t.test('two contexts with prefixes have sessions, keys and guards of their own', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  for (const name of ['a', 'b']) {
    const options = {
      ...sharedSettings(await home(t)),
      keyPrefix: name,
      login: async () => ({ sub: `of-${name}` }),
    }
    await app.register(
      async (context) => {
        await context.register(portcullis, options)
        context.addHook('onRequest', authenticate)
        context.get('/me', async ({ auth }) => auth!.sub)
      },
      { prefix: `/${name}` },
    )
  }
  const logIn = async (name: string) => {
    const payload = { username: 'x', password: 'y' }
    return (await app.inject({ method: 'POST', url: `/${name}/auth/login`, payload })).json()
      .access_token as string
  }
  const [a, b] = [await logIn('a'), await logIn('b')]
  const get = async (url: string, token: string) => {
    const { statusCode, body } = await app.inject({ url, headers: { authorization: `Bearer ${token}` } })
    return `${statusCode} ${statusCode === 200 ? body : ''}`
  }
  t.equal(await get('/a/me', a), '200 of-a')
  t.equal(await get('/b/me', b), '200 of-b')
  t.equal(await get('/a/me', b), '401 ')
  t.equal(await get('/b/auth/me', a), '401 ')
  const keys = async (name: string) => (await app.inject(`/${name}/.well-known/jwks.json`)).json().keys[0].kid
  t.not(await keys('a'), await keys('b'))
})
