/** Strangers at the admin listener: a web page by DNS rebinding, guesses of the token, and what the public can read. */
import t from 'tap'
import { call, isRefused, home, serveGateway, soon, startGateway } from '../support/gateway-process.js'

const TOKEN = 'an-admin-token-of-thirty-two-characters'
const admin = { host: '127.0.0.1', port: 0, token: TOKEN }

t.test('a web page whose name points here reads nothing', async (t) => {
  const { adminUrl } = await startGateway(t, { admin: { ...admin, hosts: ['Metrics.example.com'] } })
  const ask = (host: string, path: string) =>
    call(adminUrl!, 'GET', path, { token: TOKEN, headers: { host } })
  for (const host of [
    'evil.example',
    'evil.example:9400',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    'x.metrics.example.com',
  ])
    for (const path of ['/metrics', '/readyz', '/api/revocations', '/nothing'])
      isRefused(t, await ask(host, path), 400, 'invalid_request', `${host} ${path}`)
  for (const host of [
    '127.0.0.1',
    '127.0.0.1:9400',
    '[::1]:9400',
    'localhost:9400',
    'portcullis:9400',
    'METRICS.example.com:1',
    '10.1.2.3',
  ])
    t.equal((await ask(host, '/metrics')).status, 200, host)
})

t.test('wrong tokens are limited by address and logged, and the right one still passes', async (t) => {
  const gateway = await serveGateway(t, { admin }, await home(t))
  const ask = (token: string) => call(gateway.adminUrl!, 'GET', '/api/revocations', { token })
  const statuses: number[] = []
  for (let i = 0; i < 15; i += 1) statuses.push((await ask(`${TOKEN}${i}`)).status)
  t.strictSame([statuses[0], statuses.at(-1)], [401, 429])
  const limited = await ask('wrong')
  isRefused(t, limited, 429, 'rate_limited')
  t.match(limited.headers['retry-after'], /^\d+$/)
  t.equal((await ask(TOKEN)).status, 200, 'nobody can keep the operator out')
  const record = await soon('it is logged', () =>
    gateway.records().find(({ event }) => event === 'admin_token_refused'),
  )
  t.match(record, { ip: '127.0.0.1' })
  t.notMatch(gateway.output(), TOKEN, 'no token in the log')
})

t.test('the public readiness has no details, the admin listener has them', async (t) => {
  const { url, adminUrl } = await startGateway(t, { admin: { ...admin, token: undefined } })
  t.strictSame((await call(url, 'GET', '/readyz')).body, { status: 'ready' })
  t.match((await call(adminUrl!, 'GET', '/readyz')).body, {
    status: 'ready',
    store: 'reachable',
    revocation: {},
  })
})
