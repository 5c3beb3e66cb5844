import t from 'tap'
import { ConfigError, loadGatewaySettings } from '../../src/config.js'

const load = (change: object) =>
  loadGatewaySettings({
    preset: {
      name: 'the test',
      values: {
        issuer: 'https://api.example.com',
        audience: 'https://api.example.com',
        login: { users: './users' },
        routes: [{ path: '/', upstream: 'http://127.0.0.1:8080' }],
        ...change,
      },
    },
  }).settings

t.test('pages are off, and an empty mapping turns them on', async (t) => {
  t.equal(load({}).pages, undefined)
  const settings = load({ pages: {} })
  t.strictSame(settings.pages, { login: '/login', account: '/account', title: 'Portcullis' })
  t.equal(settings.login.page, '/login', 'routes with onAnonymous redirect there')
  t.equal(load({ pages: {}, login: { users: './users', page: '/other' } }).login.page, '/other')
})

t.test('a page that collides with something is refused', async (t) => {
  const route = (path: string) => ({ path, upstream: 'http://127.0.0.1:8080' })
  const cases: [change: object, key: string, message: RegExp][] = [
    [{ pages: { login: 'login' } }, 'pages.login', /write one such as \/login/],
    [{ pages: { login: '/' } }, 'pages.login', /write one such as \/login/],
    [{ pages: { login: '/auth/page' } }, 'pages.login', /collides with \/auth/],
    [{ pages: { account: '/healthz' } }, 'pages.account', /collides with \/healthz/],
    [{ pages: { account: '/.well-known' } }, 'pages.account', /collides with \/\.well-known/],
    [{ pages: { account: '/login' } }, 'pages.account', /collides with pages\.login/],
    [{ pages: { account: '/login/account' } }, 'pages.account', /collides with pages\.login/],
    [{ pages: {}, cookies: { enabled: false } }, 'pages', /needs token cookies/],
    [{ pages: {}, accept: { from: ['header'] } }, 'pages', /needs token cookies/],
    [{ pages: {}, login: {} }, 'pages', /needs a login/],
    [{ pages: {}, routes: [route('/'), route('/login')] }, 'routes[1].path', /is the page of pages\.login/],
    [{ pages: {}, routes: [route('/account/end')] }, 'routes[0].path', /is the page of pages\.account/],
  ]
  for (const [change, key, message] of cases) {
    const error = t.throws(() => load(change), ConfigError) as unknown as ConfigError
    t.match(error.problems?.find((problem) => problem.key === key)?.message, message, JSON.stringify(change))
  }
  t.ok(load({ pages: {}, routes: [route('/'), route('/login/help'), route('/accounts')] }))
})
