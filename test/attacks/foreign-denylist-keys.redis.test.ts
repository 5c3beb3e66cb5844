/** Keys that a home-made denylist, a script or a person writes to Redis, next to those of Portcullis. */
import { createHmac, randomBytes } from 'node:crypto'
import fastify from 'fastify'
import t from 'tap'
import portcullis, { PortcullisError } from '../../src/index.js'
import { redisKeys } from '../../src/redis/keys.js'
import type { Scope } from '../support/scope.js'
import { home, sharedSettings, soon } from '../support/gateway-process.js'
import { cleanUp, connect, redisUrl, uniquePrefix } from '../support/redis.js'

async function open(t: Scope, check: 'replica' | 'redis') {
  const keyPrefix = uniquePrefix()
  cleanUp(t, keyPrefix)
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(portcullis, {
    ...sharedSettings(await home(t)),
    store: redisUrl(),
    keyPrefix,
    revocation: { check },
  })
  const api = app.portcullis
  await soon('there is a lease', () => api.isReady())
  const codeOf = async (token: string) => {
    try {
      await api.verifyToken(token)
      return 'good'
    } catch (error) {
      return error instanceof PortcullisError ? error.code : String(error)
    }
  }
  return { api, codeOf, client: connect(t), keys: redisKeys(keyPrefix), keyPrefix }
}

for (const check of ['replica', 'redis'] as const) {
  t.test(`${check}: a key of a home-made denylist revokes nothing`, async (t) => {
    const { api, codeOf, client, keyPrefix } = await open(t, check)
    const { access_token = '' } = await api.issue({ sub: 'ada' })
    for (const name of [`blacklist:${access_token}`, `${keyPrefix}:blacklist:${access_token}`])
      await client.set(name, '1', 'EX', 60)
    t.equal(await codeOf(access_token), 'good')
    await client.del(`blacklist:${access_token}`)
  })

  t.test(`${check}: a revoke succeeds although something else has written its key`, async (t) => {
    const { api, codeOf, client, keys } = await open(t, check)
    for (const value of ['1', '', 'revoked', '1 1', '99999999999999999999 x']) {
      const { access_token = '', session_id } = await api.issue({ sub: 'ada' })
      await client.set(keys.deny('sid', session_id), value)
      await api.logout({ accessToken: access_token })
      t.equal(await codeOf(access_token), 'session_ended', JSON.stringify(value))
      t.match(await client.get(keys.deny('sid', session_id)), /^\d+ \d{13} logout$/)
      t.ok((await client.pttl(keys.deny('sid', session_id))) > 0)
    }
  })

  t.test(`${check}: a revoke succeeds although its key has another type`, async (t) => {
    const { api, codeOf, client, keys } = await open(t, check)
    const { access_token = '', session_id } = await api.issue({ sub: 'ada' })
    await client.lpush(keys.deny('sid', session_id), 'one', 'two')
    await api.logout({ accessToken: access_token })
    t.equal(await codeOf(access_token), 'session_ended')
    t.match(await client.get(keys.deny('sid', session_id)), /^0 \d{13} logout$/)
  })
}

t.test('replica: a foreign SET or DEL of a denylist key changes no decision', async (t) => {
  const { api, codeOf, client, keys } = await open(t, 'replica')
  const { access_token = '', session_id } = await api.issue({ sub: 'ada' })
  await client.set(keys.deny('sid', session_id), '0 9999999999999 by hand')
  t.equal(await codeOf(access_token), 'good')
  await api.revoke({ sid: session_id })
  t.equal(await client.del(keys.deny('sid', session_id)), 1)
  t.equal(await codeOf(access_token), 'session_ended')
})

t.test('redis: a foreign SET of a denylist key revokes, and a DEL ends that', async (t) => {
  const { api, codeOf, client, keys } = await open(t, 'redis')
  const { access_token = '', session_id } = await api.issue({ sub: 'ada' })
  await client.set(keys.deny('sid', session_id), '1')
  t.equal(await codeOf(access_token), 'session_ended')
  await client.del(keys.deny('sid', session_id))
  t.equal(await codeOf(access_token), 'good')
})

t.test('a token of jsonwebtoken is refused, even with the same secret', async (t) => {
  const secret = randomBytes(48).toString('base64')
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(portcullis, {
    ...sharedSettings(await home(t)),
    keys: {
      algorithm: 'HS256',
      signing: JSON.stringify({ kty: 'oct', k: Buffer.from(secret).toString('base64url') }),
    },
  })
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ sub: 'ada', iat: now, exp: now + 600 })}`
  const old = `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
  await t.rejects(app.portcullis.verifyToken(old), { code: 'token_invalid' })
})
