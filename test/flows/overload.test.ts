import t from 'tap'
import type { Test } from 'tap'
import { call, isRefused, logIn, soon, startGateway, startUpstream } from '../support/gateway-process.js'

const upstream = await startUpstream(t)
const settings = {
  routes: [{ path: '/', upstream: upstream.url, auth: 'none' }],
  cors: { origins: ['https://app.example'] },
  admin: { host: '127.0.0.1', port: 0 },
}
const { url, adminUrl } = await startGateway(t, { ...settings, limits: { eventLoopDelay: '250ms' } })

/** Keeps the event loop of this process, and so of the gateway, busy for half a second at a time, until told to stop. */
function blockTheLoop(t: Test): () => void {
  let isBlocking = true
  const block = () => {
    const until = performance.now() + 500
    while (performance.now() < until);
    if (isBlocking) setTimeout(block)
  }
  setTimeout(block)
  const stop = () => void (isBlocking = false)
  t.teardown(stop)
  return stop
}

const answered = (path: string, base = url) => call(base, 'GET', path)
const isOverloaded = async () => (await answered('/x')).status === 503

t.test('while the event loop lags, requests are 503 before any work', async (t) => {
  // On a busy machine, the event loop may lag at first.
  const logInWhenUnloaded = (name: 'ada' | 'bob') =>
    soon(`${name} logs in`, () => logIn(url, name).catch(() => undefined))
  const { access_token: token } = await logInWhenUnloaded('ada')
  const other = await logInWhenUnloaded('bob')
  await soon('a request passes', async () => (await answered('/x')).status === 200)
  const stop = blockTheLoop(t)
  await soon('requests are refused', isOverloaded)
  const before = upstream.seen.length

  await t.test('whatever their path', async (t) => {
    isRefused(t, await answered('/x'), 503, 'overloaded')
    isRefused(t, await call(url, 'POST', '/x', { body: 'x'.repeat(100_000) }), 503, 'overloaded', 'a body')
    isRefused(t, await call(url, 'GET', '/auth/me', { token }), 503, 'overloaded', 'a guarded route')
    isRefused(t, await call(url, 'GET', '/auth/sessions', { token }), 503, 'overloaded', 'the list')
    isRefused(t, await answered('/a\\b'), 503, 'overloaded', 'a target that is refused otherwise')
    const json = { username: 'ada', password: 'wrong' }
    isRefused(t, await call(url, 'POST', '/auth/login', { json }), 503, 'overloaded', 'a login')
    t.equal(upstream.seen.length, before, 'nothing has reached the upstream')
  })

  await t.test('health and readiness still respond', async (t) => {
    t.equal((await answered('/healthz')).status, 200)
    t.equal((await answered('/readyz?verbose')).status, 200)
  })

  await t.test('requests that end sessions are still served', async (t) => {
    const preflight = { origin: 'https://app.example', 'access-control-request-method': 'POST' }
    t.equal((await call(url, 'OPTIONS', '/auth/logout', { headers: preflight })).status, 204)
    t.equal((await call(url, 'POST', '/auth/logout', { token })).status, 204)
    const { access_token, session_id: sid } = other
    t.equal((await call(url, 'DELETE', `/auth/sessions/${sid}`, { token: access_token })).status, 204)
    t.ok(await isOverloaded(), 'and it still lagged')
  })

  stop()
  await soon('requests pass again, by themselves', async () => (await answered('/x')).status === 200)
  t.equal(upstream.seen.length, before + 1)
  isRefused(t, await call(url, 'GET', '/auth/me', { token }), 401, 'session_ended')
  const { text } = await answered('/metrics', adminUrl)
  t.ok(
    Number(/portcullis_refusals_total\{code="overloaded"\} (\d+)/.exec(text)?.[1]) >= 7,
    'they are counted',
  )
})

t.test('limits.eventLoopDelay 0s: nothing is shed, whatever the delay', async (t) => {
  const patient = await startGateway(t, { ...settings, limits: { eventLoopDelay: '0s' } })
  const stop = blockTheLoop(t)
  await soon('the other gateway, in the same process, refuses', isOverloaded)
  t.equal((await answered('/x', patient.url)).status, 200)
  t.ok(await isOverloaded())
  stop()
})
