/** Streams on one instance, with the embedded store. */
import t from 'tap'
import { call, claimsOf, logIn, startGateway } from '../support/gateway-process.js'
import { rawUpstream, until } from '../support/forwarding.js'
import { client, handshake, isHead } from '../support/websocket-handshakes.js'
import { areCut, goOn, isInTime, openAll, startTicker } from '../support/long-lived-streams.js'

const upstream = await startTicker(t)
const admin = { host: '127.0.0.1', port: 0, token: 'a-token-for-the-admin-listener-of-tests' }

t.test('a logout cuts the connections of its session, and no others', async (t) => {
  const { url } = await startGateway(t, { routes: [{ path: '/', upstream }] })
  const [ended, stays, ofBob] = await Promise.all([logIn(url), logIn(url), logIn(url, 'bob')])
  const streams = await openAll(t, url, ended.access_token)
  const others = [
    ...(await openAll(t, url, stays.access_token)),
    ...(await openAll(t, url, ofBob.access_token)),
  ]
  t.equal((await call(url, 'POST', '/auth/logout', { token: ended.access_token })).status, 204)
  const since = performance.now()
  isInTime(t, since, await areCut(t, streams, 'session_ended'), 'from the 204')
  await goOn(t, others)
})

t.test('a revoked token, subject, or everything', async (t) => {
  const { url, adminUrl } = await startGateway(t, { routes: [{ path: '/', upstream }], admin })
  const revoke = (json: object) =>
    call(adminUrl!, 'POST', '/api/revocations', { json, token: admin.token }).then(({ status }) => status)
  const ofBob = await openAll(t, url, (await logIn(url, 'bob')).access_token)
  for (const kind of ['jti', 'sub'] as const) {
    const { access_token } = await logIn(url)
    const streams = await openAll(t, url, access_token)
    t.equal(await revoke({ [kind]: claimsOf(access_token)[kind] }), 201)
    const since = performance.now()
    isInTime(t, since, await areCut(t, streams, 'token_revoked'), kind)
  }
  await goOn(t, ofBob)
  t.equal(await revoke({ all: true }), 201)
  await areCut(t, ofBob, 'token_revoked')
})

t.test(
  'connections end when their token expires, not before, and a refresh doesn’t extend them',
  async (t) => {
    const { url } = await startGateway(t, { routes: [{ path: '/', upstream }], tokens: { access: '3s' } })
    const { access_token, refresh_token } = await logIn(url)
    const streams = await openAll(t, url, access_token)
    const refreshed = await call(url, 'POST', '/auth/refresh', { json: { refresh_token } })
    t.equal(refreshed.status, 200)
    const ends = await areCut(t, streams, 'token_expired')
    const expiredAt = claimsOf(access_token).exp * 1000 - Date.now() + performance.now()
    t.ok(ends.every(({ at }) => at >= expiredAt - 5))
    isInTime(t, expiredAt, ends, 'from its exp')
  },
)

t.test('an anonymous connection stays open', async (t) => {
  const routes = [
    { path: '/open', upstream, rewritePrefix: '/', auth: 'none' },
    { path: '/optional', upstream, rewritePrefix: '/', auth: 'optional' },
  ]
  const { url, adminUrl } = await startGateway(t, { routes, admin, tokens: { access: '2s' } })
  const { access_token } = await logIn(url)
  const nobodys = await openAll(t, url, access_token, '/open')
  const somebodys = await openAll(t, url, access_token, '/optional')
  const json = { all: true }
  t.equal((await call(adminUrl!, 'POST', '/api/revocations', { json, token: admin.token })).status, 201)
  await areCut(t, somebodys, 'token_revoked')
  await new Promise((resolve) => setTimeout(resolve, claimsOf(access_token).exp * 1000 + 200 - Date.now()))
  await goOn(t, nobodys, 'no token was looked at')
})

t.test('a handshake that waits when its session ends is refused', async (t) => {
  const silent = await rawUpstream(t, () => {})
  const { url } = await startGateway(t, {
    routes: [{ path: '/', upstream: `http://127.0.0.1:${silent.port}` }],
  })
  const { access_token } = await logIn(url)
  const one = client(t, Number(new URL(url).port), handshake(`Authorization: Bearer ${access_token}`))
  await until('the upstream is asked', () => isHead(silent.seen[0] ?? ''))
  t.equal((await call(url, 'POST', '/auth/logout', { token: access_token })).status, 204)
  t.equal(await one.ended(), 'end')
  t.match(one.text, /^HTTP\/1\.1 401 [^]*"code":"session_ended"/)
  await until('the upstream is left', () => silent.sockets[0]!.destroyed)
})
