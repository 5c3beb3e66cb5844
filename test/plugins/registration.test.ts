import fastify from 'fastify'
import t from 'tap'
import named, { portcullis, PortcullisError } from '../../src/index.js'
import { USERS, call, home, isRefused, sharedSettings } from '../support/gateway-process.js'

t.test(
  'the plugin decorates portcullis, authenticate, authorize and request.auth, and nothing else',
  async (t) => {
    const app = fastify()
    t.teardown(() => app.close())
    const request = await probe(app, '/before')
    const before = names(app)
    await app.register(portcullis, sharedSettings(await home(t)))
    const added = [...names(app)].filter((name) => !before.has(name))
    t.strictSame(added.toSorted(), ['authenticate', 'authorize', 'portcullis'])
    t.ok(app.hasRequestDecorator('auth'))
    for (const foreign of ['user', 'jwtVerify', 'cookies', 'rateLimit'])
      t.notOk(app.hasRequestDecorator(foreign), foreign)
    for (const foreign of ['jwtSign', 'setCookie', 'cookie']) t.notOk(app.hasReplyDecorator(foreign), foreign)
    await app.ready()
    t.equal(request.path, '/before')
  },
)

/** Own and inherited property names of an application, symbols' descriptions too. */
function names(app: object): Set<string> {
  const found = new Set<string>()
  for (
    let one: object | null = app;
    one && one !== Object.prototype;
    one = Object.getPrototypeOf(one) as object | null
  ) {
    for (const key of Object.getOwnPropertyNames(one)) found.add(key)
  }
  return found
}

async function probe(app: ReturnType<typeof fastify>, path: string) {
  app.get(path, async () => 'ok')
  return { path }
}

t.test('the plugin’s routes are under the prefix and /.well-known only', async (t) => {
  const paths: string[] = []
  const app = fastify()
  t.teardown(() => app.close())
  app.addHook('onRoute', ({ url }) => void paths.push(url))
  const users = `${await home(t)}/users.htpasswd`
  await app.register(portcullis, { ...sharedSettings(await home(t)), login: { users }, prefix: '/id' })
  t.strictSame([...new Set(paths)].toSorted(), [
    '/.well-known/jwks.json',
    '/id/login',
    '/id/logout',
    '/id/me',
    '/id/refresh',
    '/id/session/events',
    '/id/sessions',
    '/id/sessions/:sid',
    '/id/verify',
    '/id/verify/*',
  ])
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const json = { username: 'ada', password: USERS.ada, cookies: true }
  const { setCookie } = await call(url, 'POST', '/id/login', { json, headers: { origin: url } })
  t.match(setCookie[1], 'Path=/id;', 'the refresh cookie goes where our routes are')
})

t.test('a second registration in one application is a clear error', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  const options = sharedSettings(await home(t))
  await app.register(portcullis, options)
  await t.rejects(async () => app.register(named, options), { message: /portcullis.*already/ })
})

t.test('two applications in one process are independent', async (t) => {
  const [one, two] = [fastify(), fastify()]
  t.teardown(() => Promise.all([one.close(), two.close()]).then(() => undefined))
  await one.register(portcullis, sharedSettings(await home(t)))
  await two.register(portcullis, sharedSettings(await home(t)))
  const { access_token } = await one.portcullis.issue({ sub: 'u1' })
  t.equal((await one.portcullis.verifyToken(access_token!)).sub, 'u1')
  await t.rejects(two.portcullis.verifyToken(access_token!), { code: 'token_invalid' })
})

t.test('invalid options stop the start and are named', async (t) => {
  const good = sharedSettings(await home(t))
  const bad: [object, RegExp][] = [
    [{ ...good, issuer: undefined }, /issuer/],
    [{ ...good, tokens: { access: '15' } }, /tokens\.access/],
    [{ ...good, acess: {} }, /acess/],
    [{ ...good, store: 'http://x' }, /store/],
    [{ ...good, login: { users: '/nowhere/users' } }, /users file \/nowhere\/users/],
    [{ ...good, routes: [] }, /routes/],
  ]
  for (const [options, message] of bad) {
    const app = fastify()
    await t.rejects(
      async () => app.register(portcullis, options as typeof good),
      { message },
      String(message),
    )
    await app.close()
  }
})

t.test('the host’s own login function', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  const asked: unknown[] = []
  await app.register(portcullis, {
    ...sharedSettings(await home(t)),
    async login({ username, password }, request) {
      asked.push({ username, password, hasHeaders: 'headers' in (request as object) })
      if (username === 'thrower') throw new Error(`the directory is away, ${password}`)
      if (username === 'refuser') throw new PortcullisError('overloaded')
      if (username === 'nameless') return { sub: '' }
      return password === 'right' ? { sub: `id-${username}`, claims: { tenant: 7 }, scope: 'read' } : null
    },
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const login = (username: string, password: string) =>
    call(url, 'POST', '/auth/login', { json: { username, password } })

  const { body } = await login('eve', 'right')
  t.strictSame(asked, [{ username: 'eve', password: 'right', hasHeaders: true }])
  const me = (await call(url, 'GET', '/auth/me', { token: body.access_token })).body
  t.match(me, { sub: 'id-eve', tenant: 7, scope: 'read' })
  isRefused(t, await login('eve', 'wrong'), 401, 'invalid_credentials', 'null')
  const thrown = await login('thrower', 'my-secret')
  isRefused(t, thrown, 500, 'internal_error', 'throws')
  t.notMatch(thrown.text, /directory|my-secret/)
  isRefused(t, await login('refuser', 'x'), 503, 'overloaded', 'throws a PortcullisError')
  isRefused(t, await login('nameless', 'x'), 500, 'internal_error', 'a sub that is none')
})

t.test('without a login there is no login route, and the host issues tokens itself', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(portcullis, sharedSettings(await home(t)))
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  t.equal((await call(url, 'POST', '/auth/login', { json: {} })).status, 404)
  const [one, two] = [
    await app.portcullis.issue({ sub: 'u1', device: 'phone', ip: '203.0.113.7' }),
    await app.portcullis.issue({ sub: 'u1' }),
  ]
  const listed = new Map((await app.portcullis.sessions.list('u1')).map((session) => [session.sid, session]))
  t.equal(listed.size, 2)
  t.match(listed.get(one.session_id), { device: 'phone', ip: '203.0.113.7', current: false })
  t.match(listed.get(two.session_id), { device: null, ip: null, current: false })
  await app.portcullis.sessions.endAll('u1', { except: two.session_id })
  await t.rejects(app.portcullis.verifyToken(one.access_token!), { code: 'session_ended' })
  const { jti, expiresAt } = await app.portcullis.verifyToken(two.access_token!)
  await app.portcullis.revoke({ jti, expiresAt })
  isRefused(t, await call(url, 'GET', '/auth/me', { token: two.access_token }), 401, 'token_revoked')
  t.equal(await app.portcullis.isReady(), true)
  await t.rejects(app.portcullis.issue({ sub: '' }), { name: 'TypeError', message: /sub/ })
})
