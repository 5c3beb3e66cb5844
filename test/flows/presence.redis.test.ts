/** `revocation.check: presence` in a host's application: a session is admitted only while its record is in Redis. */
import fastify from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import { portcullis } from '../../src/index.js'
import { redisKeys } from '../../src/redis/keys.js'
import { home, sharedSettings, soon } from '../support/gateway-process.js'
import { connect, startCluster, startRedis } from '../support/redis.js'

t.setTimeout(120_000)

interface Login {
  readonly access_token: string
  readonly refresh_token: string
  readonly session_id: string
}

/** A host that issues tokens to anybody who is named. */
async function startApp(t: Test, store: string) {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(portcullis, {
    ...sharedSettings(await home(t)),
    store,
    revocation: { check: 'presence' },
  })
  app.post('/in/:name', async (request) => {
    const { name } = request.params as { name: string }
    return app.portcullis.issue({ sub: name })
  })
  await app.ready()
  const ask = async (method: 'GET' | 'POST', url: string, token?: string, payload?: object) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const response = await app.inject({ method, url, headers, ...(payload && { payload }) })
    return { status: response.statusCode, body: response.body === '' ? undefined : response.json() }
  }
  return {
    app,
    ask,
    logIn: async (name: string) => (await ask('POST', `/in/${name}`)).body as Login,
    me: (token: string) => ask('GET', '/auth/me', token),
    refresh: (refresh_token: string) => ask('POST', '/auth/refresh', undefined, { refresh_token }),
  }
}

t.test('a session whose key is deleted by hand is logged out with the next request', async (t) => {
  const redis = await startRedis(t)
  const server = connect(t, redis.url)
  const keys = redisKeys('portcullis')
  const { app, ask, logIn, me, refresh } = await startApp(t, redis.url)
  const [one, other] = [await logIn('ada'), await logIn('ada')]
  t.equal((await me(one.access_token)).status, 200)
  const ends: string[] = []
  app.portcullis.onTokenEnd(
    await app.portcullis.verifyToken(one.access_token),
    (code) => void ends.push(code),
  )

  t.equal(await server.del(keys.session(one.session_id)), 1)
  t.match(await me(one.access_token), { status: 401, body: { code: 'session_ended' } })
  t.match(await refresh(one.refresh_token), { status: 401, body: { code: 'session_ended' } })
  await soon('its connections are cut', () => ends.length > 0)
  t.strictSame(ends, ['session_ended'])
  const { sessions } = (await ask('GET', '/auth/sessions', other.access_token)).body
  t.strictSame(
    sessions.map(({ sid }: { sid: string }) => sid),
    [other.session_id],
    'the list doesn’t have it',
  )

  await server.flushall()
  t.match(await me(other.access_token), { status: 401, body: { code: 'session_ended' } })
  const again = await logIn('ada')
  t.equal((await me(again.access_token)).status, 200)
})

t.test('login, refresh and logout work as with the other checks', async (t) => {
  const redis = await startRedis(t)
  const { ask, logIn, me, refresh } = await startApp(t, redis.url)
  const first = await logIn('ada')
  const { status, body: next } = await refresh(first.refresh_token)
  t.equal(status, 200)
  for (const token of [first.access_token, next.access_token]) t.equal((await me(token)).status, 200)
  t.equal((await ask('POST', '/auth/logout', next.access_token)).status, 204)
  t.match(await me(first.access_token), { status: 401, body: { code: 'session_ended' } })
  t.equal((await ask('POST', '/auth/logout', next.access_token)).status, 204, 'a logout may be repeated')
  t.match(await refresh(next.refresh_token), { status: 401, body: { code: 'session_ended' } })

  // The tombstone of a session is no record of it, even if its denylist entry is deleted by hand.
  const server = connect(t, redis.url)
  t.equal(await server.del(redisKeys('portcullis').deny('sid', first.session_id)), 1)
  t.equal(await server.exists(redisKeys('portcullis').session(first.session_id)), 1)
  t.match(await me(first.access_token), { status: 401, body: { code: 'session_ended' } })
})

t.test('without Redis a request is 503', async (t) => {
  const redis = await startRedis(t)
  const { logIn, me } = await startApp(t, redis.url)
  const { access_token } = await logIn('ada')
  t.equal((await me(access_token)).status, 200)
  await redis.kill()
  t.match(await me(access_token), { status: 503, body: { code: 'store_unavailable' } })
})

t.test('in a Cluster, records and denylist keys may be in different slots', async (t) => {
  const cluster = await startCluster(t)
  const { ask, logIn, me } = await startApp(t, cluster.url)
  const logins = await Promise.all(Array.from({ length: 12 }, (_, i) => logIn(`user ${i}`)))
  for (const { access_token } of logins) t.equal((await me(access_token)).status, 200)
  const [ended, deleted, kept] = logins
  t.equal((await ask('POST', '/auth/logout', ended!.access_token)).status, 204)
  const key = redisKeys('portcullis').session(deleted!.session_id)
  const removed = await Promise.all(
    cluster.urls.map((url) =>
      connect(t, url)
        .del(key)
        .catch(() => 0),
    ),
  )
  t.equal(
    removed.reduce((sum, one) => sum + one, 0),
    1,
  )
  for (const { access_token } of [ended!, deleted!])
    t.match(await me(access_token), { status: 401, body: { code: 'session_ended' } })
  t.equal((await me(kept!.access_token)).status, 200)
})

t.test('with store: memory the setting has no effect', async (t) => {
  const { ask, logIn, me } = await startApp(t, 'memory')
  const { access_token } = await logIn('ada')
  t.equal((await me(access_token)).status, 200)
  t.equal((await ask('POST', '/auth/logout', access_token)).status, 204)
  t.match(await me(access_token), { status: 401, body: { code: 'session_ended' } })
})
