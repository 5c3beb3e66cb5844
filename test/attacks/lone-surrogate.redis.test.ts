/** A lone surrogate has no UTF-8 form. Redis stores U+FFFD in its place, and so the id of another subject or session. */
import fastify from 'fastify'
import t from 'tap'
import portcullis from '../../plugins/portcullis.js'
import { startRedis } from '../support/redis-server.js'
import { call, home, isRefused, sharedSettings, soon, startGateway } from '../support/gateway-process.js'

const OTHER = '\ufffd'
const TOKEN = 'an-admin-token-of-thirty-two-characters'

t.test('it denies no other subject, and ends no session of another subject', async (t) => {
  const store = (await startRedis(t)).url
  const directory = await home(t)
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(portcullis, { ...sharedSettings(directory), store })
  const { portcullis: api } = app
  await soon('it is ready', () => api.isReady())
  const { access_token: token } = await api.issue({ sub: OTHER })

  const { url, adminUrl } = await startGateway(
    t,
    { store, admin: { host: '127.0.0.1', port: 0, token: TOKEN } },
    directory,
  )
  await soon('it is ready', async () => (await call(url, 'GET', '/readyz')).status === 200)
  for (const lone of ['\ud800', '\udfff', '\udc00\ud800']) {
    for (const kind of ['sub', 'sid', 'jti', 'kid']) {
      // JSON.stringify writes the escape, which is valid JSON.
      const answer = await call(adminUrl!, 'POST', '/api/revocations', {
        json: { [kind]: lone },
        token: TOKEN,
      })
      isRefused(t, answer, 400, 'invalid_request', `${kind} ${JSON.stringify(lone)}`)
      await t.rejects(api.revoke({ [kind]: lone } as unknown as { sub: string }), TypeError)
    }
    await t.rejects(api.sessions.endAll(lone), TypeError)
    await t.rejects(api.sessions.list(lone), TypeError)
    await t.rejects(api.issue({ sub: lone }), TypeError)
  }
  t.equal((await api.verifyToken(token!)).sub, OTHER, 'still admitted')
  t.equal((await api.sessions.list(OTHER)).length, 1)
  t.equal((await call(url, 'GET', '/auth/me', { token: token! })).status, 200, 'on the other instance, too')

  const pair = '\ud83d\ude00'
  const { access_token: happy } = await api.issue({ sub: pair })
  await api.revoke({ sub: pair })
  await t.rejects(api.verifyToken(happy!), { code: 'token_revoked' }, 'a pair of surrogates is a character')
})
