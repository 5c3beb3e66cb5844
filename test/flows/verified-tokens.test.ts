/** The cache of verified tokens in a gateway: what it saves shows in the metrics, and it hides no denylist entry and no end. */
import t from 'tap'
import { call, isRefused, logIn, startGateway, startUpstream } from '../support/gateway-process.js'

const upstream = await startUpstream(t)
const routes = [{ path: '/', upstream: upstream.url }]

/** A counter or gauge of `/metrics`. */
async function metric(adminUrl: string, name: string): Promise<number> {
  const { text } = await call(adminUrl, 'GET', '/metrics')
  const line = text.split('\n').find((one) => one.startsWith(`${name} `))
  return Number(line?.slice(name.length))
}

const hits = 'portcullis_verified_tokens_total{result="hit"}'
const misses = 'portcullis_verified_tokens_total{result="miss"}'

t.test('a token is verified once, and still ends with its session at once', async (t) => {
  const { url, adminUrl } = await startGateway(t, { routes, admin: { port: 0 } })
  const { access_token: token } = await logIn(url)
  for (let n = 0; n < 5; n += 1) t.equal((await call(url, 'GET', '/x', { token })).status, 200)
  t.equal(await metric(adminUrl!, misses), 1)
  t.equal(await metric(adminUrl!, hits), 4)
  t.equal(await metric(adminUrl!, 'portcullis_verified_tokens'), 1)
  t.equal((await call(url, 'POST', '/auth/logout', { token })).status, 204)
  isRefused(t, await call(url, 'GET', '/x', { token }), 401, 'session_ended')
})

t.test('invalid tokens don’t displace cached ones', async (t) => {
  const { url, adminUrl } = await startGateway(t, {
    routes,
    admin: { port: 0 },
    tokens: { verifiedCache: 1 },
  })
  const { access_token: token } = await logIn(url)
  await call(url, 'GET', '/x', { token })
  const [head, payload, signature] = token.split('.') as [string, string, string]
  for (let n = 0; n < 20; n += 1) {
    const forged = `${head}.${payload}.${signature.slice(0, -8)}${String(n).padStart(6, 'A')}AA`
    isRefused(t, await call(url, 'GET', '/x', { token: forged }), 401, 'token_invalid')
  }
  const before = await metric(adminUrl!, hits)
  t.equal((await call(url, 'GET', '/x', { token })).status, 200)
  t.equal(await metric(adminUrl!, hits), before + 1)
})

t.test('tokens.verifiedCache: 0 verifies each time', async (t) => {
  const { url, adminUrl } = await startGateway(t, {
    routes,
    admin: { port: 0 },
    tokens: { verifiedCache: 0 },
  })
  const { access_token: token } = await logIn(url)
  for (let n = 0; n < 3; n += 1) t.equal((await call(url, 'GET', '/x', { token })).status, 200)
  t.equal(await metric(adminUrl!, hits), 0)
  t.equal(await metric(adminUrl!, misses), 3)
})
