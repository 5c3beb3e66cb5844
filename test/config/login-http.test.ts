import t from 'tap'
import { parsePluginOptions } from '../../src/config/load.js'
import { loadGatewaySettings } from '../../src/config/load.js'
import { good, refuses } from '../support/refused-settings.js'

const http = { url: 'http://127.0.0.1:8080/login', subject: '/user/id' }
const withHttp = (change: object) => ({ login: { http: { ...http, ...change } } })

function loginOf(login: object) {
  return loadGatewaySettings({ preset: { name: 'test', values: { ...good, login } } }).settings.login
}

t.test('login.http needs only the URL and the pointer to the subject', async (t) => {
  const parsed = {
    ...http,
    body: 'json',
    username: 'username',
    password: 'password',
    claims: {},
    timeout: 5000,
  }
  t.strictSame(loginOf({ http }), { http: parsed, origins: [] })
  const required = { issuer: good.issuer, audience: good.audience }
  t.strictSame(
    parsePluginOptions({ ...required, login: { http } }).login,
    { http: parsed, origins: [] },
    'in the plugin, too',
  )
})

t.test('every setting of login.http', async (t) => {
  const all = {
    url: 'https://Legacy.example:443/login?v=2',
    body: 'form',
    username: 'user[name]',
    password: 'user[pass]',
    subject: '/data/0/a~1b/c~0d',
    claims: { role: '/role', scope: '/scope', 'https://example.com/tenant': '/tenant/' },
    refresh: 'http://legacy.example:8081/user?key=of-this-gateway',
    timeout: '1500ms',
  }
  t.strictSame(loginOf({ http: all }).http, {
    ...all,
    url: 'https://legacy.example/login?v=2',
    timeout: 1500,
  })
})

t.test('login.page is a path or a URL elsewhere', async (t) => {
  for (const page of ['/login', '/auth/login?x=1', 'https://login.example.com', 'https://sso.example/a?b=c'])
    t.equal(loginOf({ page }).page, page)
})

refuses(t, [
  ['an API without an address', { login: { http: { subject: '/id' } } }, 'login.http.url', /is missing/],
  ['an API without a subject', { login: { http: { url: http.url } } }, 'login.http.subject', /is missing/],
  [
    'another scheme for the refresh',
    withHttp({ refresh: 'ftp://h/user' }),
    'login.http.refresh',
    /not an http:\/\/ or https:\/\/ URL/,
  ],
  [
    'another scheme',
    withHttp({ url: 'ftp://h/login' }),
    'login.http.url',
    /not an http:\/\/ or https:\/\/ URL/,
  ],
  ['a path alone', withHttp({ url: '/login' }), 'login.http.url', /not an http/],
  [
    'credentials in the URL',
    withHttp({ url: 'http://a:b@h/login' }),
    'login.http.url',
    /contains credentials/,
  ],
  ['a fragment', withHttp({ url: 'http://h/login#x' }), 'login.http.url', /contains a fragment/],
  ['a space in the URL', withHttp({ url: 'http://h/log in' }), 'login.http.url', /not an http/],
  ['another body', withHttp({ body: 'xml' }), 'login.http.body', /one of json, form/],
  ['a pointer without a slash', withHttp({ subject: 'user.id' }), 'login.http.subject', /not a JSON pointer/],
  ['a pointer to the whole', withHttp({ subject: '' }), 'login.http.subject', /is empty/],
  [
    'a pointer with half an escape',
    withHttp({ subject: '/a~2b' }),
    'login.http.subject',
    /not a JSON pointer/,
  ],
  [
    'a claim by no pointer',
    withHttp({ claims: { role: 'role' } }),
    'login.http.claims',
    /"role": "role" is not a JSON pointer/,
  ],
  ['claims as a list', withHttp({ claims: ['/role'] }), 'login.http.claims', /is not a mapping/],
  ...['iss', 'aud', 'sub', 'client_id', 'sid', 'jti', 'iat', 'exp', 'nbf', 'auth_time'].map(
    (claim) =>
      [
        `the claim ${claim}`,
        withHttp({ claims: { [claim]: '/x' } }),
        'login.http.claims',
        /is a claim that the gateway sets itself/,
      ] as const,
  ),
  [
    'a claim named __proto__',
    withHttp({ claims: JSON.parse('{"__proto__":"/x"}') as object }),
    'login.http.claims',
    /is not the name of a claim/,
  ],
  [
    'one field for both',
    withHttp({ password: 'username' }),
    'login.http.password',
    /is the same field as login.http.username/,
  ],
  ['no timeout', withHttp({ timeout: '0s' }), 'login.http.timeout', /write at least 1ms/],
  ['a timeout of minutes', withHttp({ timeout: '2m' }), 'login.http.timeout', /write at most 1m/],
  ['an unknown key', withHttp({ method: 'PUT' }), 'login.http.method', /is not a setting/],
  ['users and an API', { login: { users: './u', http } }, 'login.users', /remove the other/],
  ['a page of another scheme', { login: { page: 'javascript:alert(1)' } }, 'login.page', /is not a page/],
  ['a page without a scheme', { login: { page: '//evil.example/' } }, 'login.page', /is not a page/],
  ['a page by a backslash', { login: { page: '/\\evil.example' } }, 'login.page', /is not a page/],
  ['a page as somebody', { login: { page: 'https://a@evil.example/' } }, 'login.page', /is not a page/],
  ['a page with a fragment', { login: { page: '/login#x' } }, 'login.page', /is not a page/],
  ['a page with a line break', { login: { page: '/login\r\nX: 1' } }, 'login.page', /is not a page/],
])
