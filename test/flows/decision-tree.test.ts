/** The response of each kind of route to each kind of caller: 200, 302 to the login page, 401, 403 or 404. */
import t from 'tap'
import { LOGIN, addAdmin, createCallers, outcomeOf } from '../support/decision-tree.js'
import {
  call,
  cookiesOf,
  home,
  isRefused,
  logIn,
  serveGateway,
  soon,
  startUpstream,
} from '../support/gateway-process.js'

const directory = await home(t)
await addAdmin(directory)
const upstream = await startUpstream(t)
const at = (path: string, more: object) => ({ path, upstream: upstream.url, ...more })
const hidden = { hidden: true }
const redirect = { onAnonymous: 'redirect' }
const admin = { scope: ['admin'] }
const gateway = await serveGateway(
  t,
  {
    listen: { host: '127.0.0.1', port: 0, trustProxy: ['127.0.0.1'] },
    login: { users: `${directory}/users.htpasswd`, page: '/login' },
    log: { level: 'info', requests: true },
    admin: { port: 0 },
    routes: [
      at('/plain', {}),
      at('/scoped', admin),
      at('/hidden', hidden),
      at('/hidden-scoped', { ...hidden, ...admin }),
      at('/page', redirect),
      at('/page-scoped', { ...redirect, ...admin }),
    ],
  },
  directory,
)
const { url } = gateway
const callers = await createCallers(url, directory)

for (const { name, method, options, plain, scoped = plain, opensPage, clears } of callers) {
  t.test(`${name}: 200, 302, 401, 403 or 404`, async (t) => {
    const ask = (path: string) => call(url, method, path, options)
    t.equal(outcomeOf(await ask('/plain')), plain)
    t.equal(outcomeOf(await ask('/scoped')), scoped)

    const notFound = method === 'HEAD' ? '404' : '404 not_found'
    for (const [path, shown] of [
      ['/hidden', plain],
      ['/hidden-scoped', scoped],
    ] as const) {
      const answer = await ask(path)
      t.equal(outcomeOf(answer), shown === '200' ? '200' : notFound, path)
      t.equal(answer.headers['www-authenticate'], undefined)
      t.strictSame(answer.setCookie, [])
    }

    for (const [path, shown] of [
      ['/page?a=b', plain],
      ['/page-scoped', scoped],
    ] as const) {
      const answer = await ask(path)
      if (!opensPage) {
        t.equal(outcomeOf(answer), shown, path)
        continue
      }
      t.equal(answer.status, 302, path)
      t.equal(answer.headers['location'], LOGIN + encodeURIComponent(path))
      t.equal(answer.headers['cache-control'], 'no-store')
      t.equal(answer.text, '')
      t.strictSame(
        cookiesOf(answer.setCookie),
        clears ? { '__Host-access': '', '__Secure-refresh': '' } : {},
        'cookies of an ended session are deleted',
      )
    }
  })

  t.test(`${name}, through forward-auth`, async (t) => {
    const ask = (path: string, query = '') =>
      call(url, 'GET', `/auth/verify${query}`, {
        token: options.token,
        ...(options.cookies && { cookies: options.cookies }),
        headers: { ...options.headers, 'x-forwarded-method': method, 'x-forwarded-uri': path },
      })
    // The check is a GET, so its response has a body.
    const refused = method === 'HEAD' ? '401 credentials_missing' : plain
    t.equal(outcomeOf(await ask('/plain')), refused)
    t.equal(outcomeOf(await ask('/hidden')), plain === '200' ? '200' : '404 not_found')
    t.equal(outcomeOf(await ask('/hidden', '?mode=redirect')), plain === '200' ? '200' : '404 not_found')
    t.equal(outcomeOf(await ask('/page')), refused, 'the mode of the check decides about redirects')
    const redirected = await ask('/page', '?mode=redirect')
    t.equal(outcomeOf(redirected), opensPage ? '302' : refused)
    t.strictSame(redirected.setCookie, [], 'forward-auth sets no cookies')
  })
}

t.test('a rate limit by address is hidden, and one by subject is not', async (t) => {
  const limited = await serveGateway(
    t,
    {
      routes: [
        at('/address', { ...hidden, rateLimit: { max: 1, by: 'address' } }),
        at('/subject', { ...hidden, rateLimit: { max: 1 } }),
      ],
    },
    directory,
  )
  const { access_token: token } = await logIn(limited.url)
  t.equal((await call(limited.url, 'GET', '/address', { token })).status, 200)
  isRefused(t, await call(limited.url, 'GET', '/address', { token }), 404, 'not_found')
  t.equal((await call(limited.url, 'GET', '/subject', { token })).status, 200)
  isRefused(t, await call(limited.url, 'GET', '/subject', { token }), 429, 'rate_limited')
  isRefused(t, await call(limited.url, 'GET', '/subject', { token: 'x' }), 404, 'not_found')
})

t.test('the log and the metrics have the true code', async (t) => {
  const path = '/hidden/for-the-log'
  await call(url, 'GET', path)
  await call(url, 'GET', '/page/for-the-log', { headers: { accept: 'text/html' } })
  const line = (what: string) => soon(what, () => gateway.records().find((record) => record['path'] === what))
  t.match(await line(path), { status: 404, code: 'credentials_missing', route: '/hidden' })
  t.match(await line('/page/for-the-log'), { status: 302, code: 'credentials_missing', route: '/page' })
  const metrics = await call(gateway.adminUrl!, 'GET', '/metrics')
  t.match(metrics.text, /portcullis_\w+\{[^}]*code="session_ended"[^}]*\} \d/)
  t.match(metrics.text, /portcullis_request_duration_seconds_count\{route="\/hidden",outcome="4xx"\} \d/)
})
