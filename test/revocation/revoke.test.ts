/** `app.portcullis.revoke`, as a host calls it. */
import fastify from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import { portcullis } from '../../src/index.js'
import { home, sharedSettings } from '../support/gateway-process.js'

async function open(t: Test) {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(portcullis, { ...sharedSettings(await home(t)), store: 'memory' })
  app.get('/me', { onRequest: app.authenticate }, async () => 'ok')
  const codeOf = async (token: string) => {
    const answer = await app.inject({ url: '/me', headers: { authorization: `Bearer ${token}` } })
    return answer.statusCode === 200 ? 'good' : answer.json<{ code: string }>().code
  }
  const issue = async (sub: string) => {
    const { access_token } = await app.portcullis.issue({ sub })
    return access_token ?? ''
  }
  return { app, codeOf, issue }
}

t.test('revoking a subject ends its tokens only, and a login works soon afterwards', async (t) => {
  const { app, codeOf, issue } = await open(t)
  for (const before of [undefined, Math.floor(Date.now() / 1000) + 86_400, Date.now()]) {
    const [alices, bobs] = [await issue('alice'), await issue('bob')]
    await app.portcullis.revoke({ sub: 'alice', before, reason: 'a new password' })
    t.equal(await codeOf(alices), 'token_revoked')
    t.equal(await codeOf(bobs), 'good')
    const begunAt = performance.now()
    t.equal(await codeOf(await issue('alice')), 'good', `before: ${before}`)
    t.ok(performance.now() - begunAt < 3_000)
  }
})

t.test('a revoke without a valid target throws instead of revoking nobody or everybody', async (t) => {
  const { app, codeOf, issue } = await open(t)
  const token = await issue('alice')
  const revoke = app.portcullis.revoke as (what: object) => Promise<void>
  for (const what of [
    {},
    { subject: 'bob' },
    { all: false },
    { all: 'bob' },
    { sub: undefined },
    { sub: '' },
    { sid: 5 },
    { sid: undefined, sub: 'bob' },
    { sub: 'bob', all: true },
  ]) {
    await t.rejects(
      Promise.resolve().then(() => revoke(what)),
      TypeError,
      JSON.stringify(what),
    )
  }
  t.equal(await codeOf(token), 'good')
  await app.portcullis.revoke({ all: true })
  t.equal(await codeOf(token), 'token_revoked')
})
