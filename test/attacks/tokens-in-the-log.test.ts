/** Clients that put tokens into request targets, where the log would keep them for everyone who may read it. */
import t from 'tap'
import { loggablePath } from '../../plugins/loggable-path.js'
import { withSecondsLeft } from '../support/aged-token.js'
import {
  call,
  cookiesOf,
  home,
  logIn,
  serveGateway,
  soon,
  startUpstream,
} from '../support/gateway-process.js'
import { head, send } from '../support/wire.js'

const targets = (access: string, refresh: string) => [
  `/auth/refresh?refresh_token=${refresh}`,
  `/need/?refresh_token=${refresh}`,
  `/need/${refresh}`,
  `/need/${refresh}/x`,
  `/need;refresh_token=${refresh}/x`,
  `/need?access_token=${access}`,
  `/need?Access_Token=${access}`,
  `/need?access_token%5B%5D=${access}`,
  `/need?a=b;access_token=${access}`,
  `/need?token=${access}`,
  `/need?access_token=${access}%`,
  `/need;access_token=${access}`,
  `/open;access_token=${access}/x`,
  `/need/${access}`,
  `/need/access_token=${access}.html`,
  `/need/${access.replaceAll('.', '%2e')}`,
  `/need/${access.replaceAll('.', '%252E')}`,
  `/need%3faccess_token=${access}`,
  `/need%3baccess_token=${access}`,
  `/need/%zz${access}`,
  `/dead/${access}`,
  `/a/../${access}`,
  `//x/${access}`,
  `http://x/need/${access}`,
  `http://${access}@x/need`,
]

t.test('no token in a request target appears in the log, not even at level trace', async (t) => {
  const upstream = await startUpstream(t)
  const gateway = await serveGateway(t, {
    log: { level: 'trace', requests: true },
    accept: { from: ['header', 'query'] },
    routes: [
      { path: '/need', upstream: upstream.url },
      { path: '/dead', upstream: 'http://127.0.0.1:9', auth: 'none' },
      { path: '/open', upstream: upstream.url, auth: 'none', targetAllow: ['semicolon'] },
    ],
  })
  const port = Number(new URL(gateway.url).port)
  const { access_token: access, refresh_token: refresh } = await logIn(gateway.url)
  const all = targets(access, refresh)
  for (const target of all) await send(port, head(`GET ${target} HTTP/1.1`, 'Host: x', 'Connection: close'))
  const lines = () => gateway.records().filter(({ event }) => event === 'request')
  await soon('each request is logged, and the login', () => lines().length === all.length + 1)
  const secrets = [access.split('.')[2]!, refresh.split('.')[2]!]
  const leaks = gateway
    .output()
    .split('\n')
    .filter((line) => secrets.some((secret) => line.includes(secret)))
  t.strictSame(leaks, [])
})

t.test('a token that a response brings doesn’t appear in the log, not even at level trace', async (t) => {
  const upstream = await startUpstream(t)
  const directory = await home(t)
  const log = { level: 'trace', requests: true }
  const routes = [{ path: '/', upstream: upstream.url }]
  const gateway = await serveGateway(t, { log, routes, tokens: { renewUnder: '1m' } }, directory)
  const { access_token: access } = await logIn(gateway.url)
  const due = await withSecondsLeft(directory, access, 30)
  const { headers } = await call(gateway.url, 'GET', '/', { token: due })
  const { setCookie } = await call(gateway.url, 'GET', '/', { cookies: { '__Host-access': due } })
  const renewed = [String(headers['x-renewed-access-token']), cookiesOf(setCookie)['__Host-access']!]
  await soon('the renewal is logged', () => gateway.records().find(({ event }) => event === 'token_renewed'))
  for (const token of [due, ...renewed]) t.notOk(gateway.output().includes(token.split('.')[2]!))
})

t.test('the rest of a path is logged as received', async (t) => {
  const token = `${'a'.repeat(22)}.${'b'.repeat(22)}.${'c'.repeat(43)}`
  for (const [target, path] of [
    [`/a/${token}/b?c`, '/a/…/b'],
    ['/a;v=1/b;w', '/a;…/b;…'],
    ['/a%2Fb/c.d.e', '/a%2Fb/c.d.e'],
    ['/assets/application-8f3a9c1d2e4b5f60.min.js', '/assets/application-8f3a9c1d2e4b5f60.min.js'],
  ] as const)
    t.equal(loggablePath(target), path)
})
