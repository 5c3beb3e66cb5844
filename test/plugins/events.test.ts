/** `app.portcullis.events`, as a host listens. */
import fastify from 'fastify'
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import portcullis from '../../src/index.js'
import type { PluginOptions, SecurityEventOf } from '../../src/index.js'
import type { Scope } from '../support/scope.js'
import { home, sharedSettings } from '../support/gateway-process.js'

async function host(t: Scope, options: Partial<PluginOptions> = {}) {
  const lines: string[] = []
  const app = fastify({
    logger: { level: 'debug', stream: { write: (line: string) => void lines.push(line) } },
  })
  t.teardown(() => app.close())
  await app.register(portcullis, {
    ...sharedSettings(await home(t)),
    tokens: { reuseGrace: '0s' },
    login: ({ username, password }) => (password === 'secret-password' ? { sub: username } : null),
    ...options,
  })
  const post = async (path: string, payload: object, headers = {}) => {
    const response = await app.inject({ method: 'POST', url: `/auth${path}`, payload, headers })
    return { status: response.statusCode, body: response.body === '' ? {} : response.json() }
  }
  return { app, post, lines }
}

t.test('a session’s life is a sequence of events, with request ids and without secrets', async (t) => {
  const { app, post, lines } = await host(t)
  const events: SecurityEventOf<'*'>[] = []
  app.portcullis.events.on('*', (event) => events.push(event))
  const secrets = ['secret-password', 'wrong-password']
  await post('/login', { username: 'ada', password: 'wrong-password' })
  const logIn = async () => {
    const { body } = await post('/login', { username: 'ada', password: 'secret-password' })
    secrets.push(body.access_token, body.refresh_token)
    return body
  }
  const first = await logIn()
  const { body: next } = await post('/refresh', { refresh_token: first.refresh_token })
  secrets.push(next.access_token, next.refresh_token)
  await post('/refresh', { refresh_token: first.refresh_token })
  const second = await logIn()
  await post('/logout', {}, { authorization: `Bearer ${second.access_token}` })
  const third = await logIn()
  await app.portcullis.revoke({ sid: third.session_id })
  await app.portcullis.revoke({ sub: 'ada' })
  await turn()
  t.same(
    events.map(({ event }) => event),
    [
      'login_failed',
      'login',
      'refresh',
      'refresh_token_reused',
      'login',
      'logout',
      'login',
      'session_ended',
      'revoked',
    ],
  )
  t.equal(new Set(events.slice(0, 7).map(({ request_id }) => request_id)).size, 7)
  t.match(events[0], { request_id: /./ })
  t.equal(events.at(-1)!.request_id, undefined, 'no request of ours caused it')
  const logged = lines
    .map((line) => JSON.parse(line))
    .filter(({ event }) => events.some((one) => one.event === event))
  t.equal(logged.length, events.length)
  for (const [i, event] of events.entries()) t.match(logged[i], JSON.parse(JSON.stringify(event)))
  const text = JSON.stringify(events)
  for (const secret of secrets) t.notOk(text.includes(secret))
})

t.test('a listener that throws, rejects or never ends breaks and delays no request', async (t) => {
  const { app, post, lines } = await host(t)
  app.portcullis.events.on('login', () => {
    throw new Error('the listener is broken')
  })
  app.portcullis.events.on('login', () => Promise.reject(new Error('the listener is broken')))
  app.portcullis.events.on('login', () => new Promise(() => {}))
  const { status } = await post('/login', { username: 'ada', password: 'secret-password' })
  t.equal(status, 200)
  await turn()
  t.equal(lines.filter((line) => line.includes('"listener_failed"')).length, 1)
})
