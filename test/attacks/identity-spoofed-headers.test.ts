/** A client says who it is by the headers that the upstream believes. */
import { get } from 'node:http'
import type { IncomingMessage } from 'node:http'
import t from 'tap'
import { call, logIn, startGateway, startUpstream } from '../support/gateway-process.js'

const upstream = await startUpstream(t)
const { url } = await startGateway(t, {
  identity: { headers: { 'X-Forwarded-User': 'sub', 'X-Auth-Request-Session': 'sid', 'X-Tenant': 'tenant' } },
  routes: [
    { path: '/open', upstream: upstream.url, auth: 'none' },
    { path: '/optional', upstream: upstream.url, auth: 'optional' },
    { path: '/', upstream: upstream.url },
  ],
})

const SPOOFED = [
  'X-Forwarded-User',
  'x-forwarded-user',
  'X_Forwarded_User',
  'X.Forwarded.User',
  'x-forwarded_user',
  'X-Auth-Request-Session',
  'X_AUTH_REQUEST_SESSION',
  'X-Tenant',
  'x_tenant',
]
const OTHERS = [
  'Forwarded',
  'X-Real-IP',
  'X-Forwarded-For',
  'X-Forwarded-Host',
  'X_Forwarded_For',
  'X-Original-URL',
  'X-Rewrite-URL',
  'X-Original-Method',
  'X-HTTP-Method-Override',
  'X-HTTP-Method',
  'X-Method-Override',
  'X_HTTP_Method_Override',
]

t.test('removed on every route in every spelling, and set only by the gateway', async (t) => {
  const { access_token: token, session_id } = await logIn(url)
  const headers = Object.fromEntries([...SPOOFED, ...OTHERS].map((name) => [name, 'mallory']))
  for (const path of ['/open', '/optional', '/guarded']) {
    t.equal((await call(url, 'GET', path, { headers, token })).status, 200)
    const { rawHeaders } = upstream.seen.at(-1)!
    t.notMatch(rawHeaders.join('\n'), 'mallory', path)
    const names = rawHeaders
      .filter((_, at) => at % 2 === 0)
      .map((name) => name.toLowerCase().replaceAll(/[_.]/g, '-'))
    const count = (name: string) => names.filter((one) => one === name).length
    const expected = path === '/open' ? 0 : 1
    t.equal(count('x-forwarded-user'), expected)
    t.equal(count('x-auth-request-session'), expected)
    t.equal(count('x-tenant'), 0, 'the token has no such claim')
  }
  t.match(upstream.seen.at(-1)!.headers, { 'x-forwarded-user': 'ada', 'x-auth-request-session': session_id })
})

t.test('Connection can’t remove them', async (t) => {
  const { access_token: token } = await logIn(url)
  const { status } = await rawGet(url, token, 'X-Forwarded-User, X-Auth-Request-Session, X-Forwarded-For')
  t.equal(status, 200)
  t.match(upstream.seen.at(-1)!.headers, { 'x-forwarded-user': 'ada', 'x-forwarded-for': '127.0.0.1' })
})

/** undici sets `Connection` itself, so this one goes by node:http. */
function rawGet(base: string, token: string, connection: string): Promise<{ status: number | undefined }> {
  const headers = { authorization: `Bearer ${token}`, connection }
  return new Promise((resolve, reject) => {
    const answered = (response: IncomingMessage) => {
      response.resume().once('end', () => resolve({ status: response.statusCode }))
    }
    get(`${base}/guarded`, { headers }, answered).on('error', reject)
  })
}
