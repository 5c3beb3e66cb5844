/** Uses a Redis with exactly the rights that docs/redis.md grants. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fastify from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import portcullis from '../src/index.js'
import { soon } from './support/gateway-process.js'
import { connect, startRedis } from './support/redis.js'

/** The arguments of `redis-cli ACL SETUSER` in docs/redis.md. */
function documentedUser(): string[] {
  const page = readFileSync(join(process.cwd(), 'docs/redis.md'), 'utf8')
  const [, command = ''] = /^redis-cli ACL (SETUSER portcullis .*?)^```$/ms.exec(page) ?? []
  return command
    .replaceAll('\\\n', ' ')
    .trim()
    .split(/\s+/)
    .map((word) => word.replaceAll("'", ''))
}

/** The rights of the list that stands alone, without quotes. */
function documentedList(): string[] {
  const page = readFileSync(join(process.cwd(), 'docs/redis.md'), 'utf8')
  return (/^```\n(\+eval .*?)^```$/ms.exec(page)?.[1] ?? '').trim().split(/\s+/)
}

for (const check of ['replica', 'presence'] as const) {
  t.test(`check: ${check}: the documented ACL suffices`, (t) => useDocumentedAcl(t, check))
}

/** Logins, refreshes, codes, logouts and revokes. */
async function useDocumentedAcl(t: Test, check: 'replica' | 'presence'): Promise<void> {
  const redis = await startRedis(t)
  const admin = connect(t, redis.url)
  const user = documentedUser()
  t.strictSame(
    user.filter((word) => word.startsWith('+')),
    documentedList(),
    'the list and the command agree',
  )
  t.equal(await admin.call('ACL', ...user), 'OK')

  const app = fastify()
  await app.register(portcullis, {
    store: redis.url.replace('redis://', 'redis://portcullis:a-long-password@'),
    issuer: 'https://api.example.com',
    audience: 'https://api.example.com',
    keys: { dir: t.testdir() },
    login: ({ username }) => (username === 'ada' ? { sub: 'ada' } : null),
    sessions: { perSubject: 2 },
    revocation: { check },
    codes: {},
  })
  t.teardown(() => app.close())
  const post = (url: string, payload: object, headers = {}) =>
    app.inject({ method: 'POST', url, payload, headers })
  await soon('there is a lease', () => app.portcullis.isReady())

  t.equal((await post('/auth/login', { username: 'eve', password: '?' })).statusCode, 401)
  let tokens = { access_token: '', refresh_token: '' }
  // One more than the limit, so that a session is evicted.
  for (let i = 0; i < 3; i++) {
    const response = await post('/auth/login', { username: 'ada', password: '!' })
    t.equal(response.statusCode, 200)
    tokens = response.json()
  }
  const refreshed = await post('/auth/refresh', { refresh_token: tokens.refresh_token })
  t.equal(refreshed.statusCode, 200)
  const headers = { authorization: `Bearer ${refreshed.json<typeof tokens>().access_token}` }
  const sessions = await app.inject({ url: '/auth/sessions', headers })
  t.equal(sessions.json<{ sessions: object[] }>().sessions.length, 2)
  const { code } = (await post('/auth/codes', {}, headers)).json<{ code: string }>()
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  const parameters = new URLSearchParams({ grant_type: 'authorization_code', code }).toString()
  const exchange = () =>
    app.inject({ method: 'POST', url: '/auth/token', headers: form, payload: parameters })
  t.equal((await exchange()).statusCode, 200)
  t.equal((await exchange()).statusCode, 400)
  await app.portcullis.revoke({ jti: 'another', reason: 'test' })
  await app.portcullis.revoke({ sub: 'another', reason: 'test' })
  t.equal((await post('/auth/logout', {}, headers)).statusCode, 204)
  t.match((await app.inject({ url: '/auth/me', headers })).json(), { code: 'session_ended' })

  t.strictSame(await admin.call('ACL', 'LOG'), [], 'Redis has denied no command')
}
