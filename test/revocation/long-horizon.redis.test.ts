/** Access tokens of seven days, the longest that `tokens.access` allows. */
import fastify from 'fastify'
import t from 'tap'
import portcullis from '../../src/index.js'
import { redisKeys } from '../../src/redis/keys.js'
import { claimsOf, home, sharedSettings } from '../support/gateway-process.js'
import { cleanUp, connect, redisUrl, uniquePrefix } from '../support/redis.js'

const WEEK = 7 * 86_400_000
/** The time that the test itself may take. */
const TEST_TIME = 60_000

for (const check of ['replica', 'redis'] as const) {
  t.test(`${check}: what is kept about a logout outlives an access token of seven days`, async (t) => {
    const keyPrefix = uniquePrefix()
    cleanUp(t, keyPrefix)
    const app = fastify()
    t.teardown(() => app.close())
    await app.register(portcullis, {
      ...sharedSettings(await home(t)),
      store: redisUrl(),
      keyPrefix,
      tokens: { access: '7d' },
      revocation: { check },
    })
    const { access_token = '', expires_in, session_id } = await app.portcullis.issue({ sub: 'ada' })
    t.equal(expires_in * 1000, WEEK)
    const { jti } = claimsOf(access_token)
    await app.portcullis.revoke({ sub: 'bob' })
    await app.portcullis.revoke({ jti })
    const authorization = `Bearer ${access_token}`
    const response = await app.inject({ method: 'POST', url: '/auth/logout', headers: { authorization } })
    t.equal(response.statusCode, 204)
    const keys = redisKeys(keyPrefix)
    const client = connect(t)
    for (const key of [
      keys.deny('sid', session_id),
      keys.deny('jti', jti),
      keys.deny('sub', 'bob'),
      keys.session(session_id),
      keys.log,
      keys.logState,
    ]) {
      const life = await client.pttl(key)
      t.ok(
        life > WEEK - TEST_TIME && life < WEEK + 2 * TEST_TIME,
        `${key.replace(keyPrefix, '')}: ${life} ms`,
      )
    }
    await t.rejects(app.portcullis.verifyToken(access_token), { code: 'session_ended' })
  })
}
