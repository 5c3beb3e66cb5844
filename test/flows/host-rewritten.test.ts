/** A proxy in front rewrites `Host`, and reports the host of the client in `X-Forwarded-Host`. */
import fastify from 'fastify'
import t from 'tap'
import { portcullis } from '../../src/index.js'
import { USERS, call, home, sharedSettings, startGateway } from '../support/gateway-process.js'

const PROXIED = { host: 'inner.svc:3000', 'x-forwarded-host': 'api.example', 'x-forwarded-proto': 'https' }
const fields = { username: 'ada', password: USERS.ada, cookies: true }
const listen = { host: '127.0.0.1', port: 0, trustProxy: ['127.0.0.1'] }

/** Sends a login by cookie with these headers. */
const logInFrom = (url: string, headers: Record<string, string>) =>
  call(url, 'POST', '/auth/login', { json: fields, headers })

t.test('requests by cookie are admitted from the host that a listed proxy reports', async (t) => {
  const { url } = await startGateway(t, { listen })
  const headers = { ...PROXIED, origin: 'https://api.example' }
  const login = await logInFrom(url, headers)
  t.equal(login.status, 200)
  const cookie = login.setCookie.map((line) => line.split(';', 1)[0]).join('; ')
  t.equal((await call(url, 'POST', '/auth/refresh', { headers: { ...headers, cookie } })).status, 200)
  t.equal((await call(url, 'POST', '/auth/logout', { headers: { ...headers, cookie } })).status, 204)

  const kept = {
    host: 'api.example:8443',
    'x-forwarded-host': 'api.example',
    origin: 'https://api.example:8443',
  }
  t.equal((await logInFrom(url, kept)).status, 200, 'a proxy that keeps Host and reports no port')
  const standard = { ...PROXIED, forwarded: 'for=203.0.113.9;host=other.example;proto=https' }
  t.equal((await logInFrom(url, { ...standard, origin: 'https://other.example' })).status, 403)
  const other = await startGateway(t, { listen: { ...listen, trustHeaders: 'forwarded' } })
  t.equal((await logInFrom(other.url, { ...standard, origin: 'https://other.example' })).status, 200)
})

t.test('the host that any other peer reports has no effect', async (t) => {
  const { url } = await startGateway(t)
  t.equal((await logInFrom(url, { ...PROXIED, origin: 'https://api.example' })).status, 403)
})

t.test('in an application, Fastify’s trustProxy decides', async (t) => {
  for (const [trustProxy, status] of [
    ['127.0.0.1', 200],
    [false, 403],
  ] as const) {
    const app = fastify({ trustProxy })
    t.teardown(() => app.close())
    await app.register(portcullis, {
      ...sharedSettings(await home(t)),
      login: ({ username }: { username: string }) => ({ sub: username }),
    })
    const url = await app.listen({ host: '127.0.0.1', port: 0 })
    t.equal((await logInFrom(url, { ...PROXIED, origin: 'https://api.example' })).status, status)
  }
})

t.test('the error names the hosts that were compared, and cors.origins', async (t) => {
  const { url } = await startGateway(t, { listen })
  const { status, body } = await logInFrom(url, { ...PROXIED, origin: 'https://app.example' })
  t.equal(status, 403)
  for (const part of ['https://app.example', 'inner.svc:3000', 'api.example', 'cors.origins'])
    t.match(body.detail, part)
  const direct = await logInFrom(url, { host: 'inner.svc:3000', origin: 'https://api.example' })
  for (const part of ['https://api.example', 'inner.svc:3000', 'listen.trustProxy'])
    t.match(direct.body.detail, part)
  const long = await logInFrom(url, { origin: `https://${'a'.repeat(5000)}.example` })
  t.ok(long.body.detail.length < 600, 'a long origin is shortened')
})
