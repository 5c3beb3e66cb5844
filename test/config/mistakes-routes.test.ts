import t from 'tap'
import { loadSettings } from '../../src/config.js'
import { findRouteMistakes } from '../../src/config/check.js'
import { refuses, withRoute } from '../support/refused-settings.js'

const route = { path: '/', upstream: 'http://127.0.0.1:8080' }

refuses(t, [
  [
    'an unknown key of a route',
    withRoute({ upstrem: 'x' }),
    'routes[0].upstrem',
    /did you mean routes\[0\]\.upstream/,
  ],
  [
    'a strange word for an outage',
    withRoute({ onOutage: 'stale' }),
    'routes[0].onOutage',
    /write closed, open, or { stale: 30s }/,
  ],
  ['no route', { routes: [] }, 'routes', /never means “allow everything”/],
  ['a path without a slash', withRoute({ path: 'posts' }), 'routes[0].path', /does not begin with a slash/],
  ['a path with a trailing slash', withRoute({ path: '/posts/' }), 'routes[0].path', /ends with a slash/],
  ['a path with an empty segment', withRoute({ path: '/a//b' }), 'routes[0].path', /empty segment/],
  ['a path with dots', withRoute({ path: '/a/../b' }), 'routes[0].path', /dot segment/],
  ['a path with a pattern', withRoute({ path: '/a/*' }), 'routes[0].path', /contains \*/],
  ['a path with a query', withRoute({ path: '/a?b' }), 'routes[0].path', /contains a query/],
  [
    'a path with an escape',
    withRoute({ path: '/%2e%2e/a' }),
    'routes[0].path',
    /ambiguous segment; remove escapes/,
  ],
  ['a path with a backslash', withRoute({ path: '/a\\b' }), 'routes[0].path', /ambiguous segment/],
  ['a path with a matrix parameter', withRoute({ path: '/a;b' }), 'routes[0].path', /ambiguous segment/],
  [
    'a path under the prefix',
    withRoute({ path: '/auth/login' }),
    'routes[0].path',
    /would hide Portcullis’s own routes under \/auth/,
  ],
  ['the prefix as a path', withRoute({ path: '/auth' }), 'routes[0].path', /would hide/],
  [
    'the path of the keys',
    withRoute({ path: '/.well-known/jwks.json' }),
    'routes[0].path',
    /reserved for the gateway/,
  ],
  [
    'the path of the metadata',
    withRoute({ path: '/.well-known/oauth-authorization-server' }),
    'routes[0].path',
    /reserved for/,
  ],
  ['the path of health', withRoute({ path: '/healthz' }), 'routes[0].path', /reserved for/],
  ['the path of readiness', withRoute({ path: '/readyz' }), 'routes[0].path', /reserved for/],
  [
    'a pattern of hosts',
    withRoute({ hosts: ['*.example.com'] }),
    'routes[0].hosts[0]',
    /write each host exactly/,
  ],
  [
    'a host with a port',
    withRoute({ hosts: ['a.example:80'] }),
    'routes[0].hosts[0]',
    /has a port; leave it out/,
  ],
  ['no host', withRoute({ hosts: [] }), 'routes[0].hosts', /at least/],
  ['a host that is none', withRoute({ hosts: ['a b'] }), 'routes[0].hosts[0]', /is not a host/],
  [
    'an empty list of upstreams',
    withRoute({ upstream: [] }),
    'routes[0].upstream',
    /write at least one origin/,
  ],
  [
    'an upstream twice, in two spellings',
    withRoute({ upstream: ['http://a', 'http://b', 'http://A:80/'] }),
    'routes[0].upstream',
    /"http:\/\/a" is listed twice/,
  ],
  [
    'one bad upstream of several',
    withRoute({ upstream: ['http://a', 'http://b/api'] }),
    'routes[0].upstream',
    /"http:\/\/b\/api" is more than an origin/,
  ],
  [
    'a relative Unix socket',
    withRoute({ upstream: 'unix://api.sock' }),
    'routes[0].upstream',
    /absolute path/,
  ],
  [
    'a Unix socket without slashes',
    withRoute({ upstream: 'unix:/a' }),
    'routes[0].upstream',
    /absolute path/,
  ],
  ['a Unix socket of no name', withRoute({ upstream: 'unix:///' }), 'routes[0].upstream', /absolute path/],
  [
    'a Unix socket beyond what systems accept',
    withRoute({ upstream: `unix:///${'a'.repeat(103)}` }),
    'routes[0].upstream',
    /longer than 103 bytes/,
  ],
  ['a list within the list', withRoute({ upstream: [['http://a']] }), 'routes[0].upstream', /is not text/],
  [
    'a password of one upstream',
    withRoute({ upstream: ['http://user:pw@a'] }),
    'routes[0].upstream',
    /contains credentials/,
  ],
  [
    'an upstream with a path',
    withRoute({ upstream: 'http://h/api' }),
    'routes[0].upstream',
    /more than an origin; write only the origin/,
  ],
  [
    'an upstream with a query',
    withRoute({ upstream: 'http://h?x' }),
    'routes[0].upstream',
    /a query or a fragment/,
  ],
  [
    'an upstream of another scheme',
    withRoute({ upstream: 'ftp://h' }),
    'routes[0].upstream',
    /not an http:\/\/ or https:\/\/ origin/,
  ],
  [
    'an upstream on no port',
    withRoute({ upstream: 'http://h:99999' }),
    'routes[0].upstream',
    /"http:\/\/h:99999" has a port that is not from 1 to 65535/,
  ],
  ['an unknown auth', withRoute({ auth: 'no' }), 'routes[0].auth', /one of required, optional, none/],
  [
    'a scope on an open route',
    withRoute({ auth: 'none', scope: ['a'] }),
    'routes[0].scope',
    /needs a token, but auth is none/,
  ],
  [
    'a hidden route that needs no token',
    withRoute({ auth: 'optional', hidden: true }),
    'routes[0].hidden',
    /needs auth: required, but auth is optional, so everybody sees the route/,
  ],
  [
    'a redirect of a route that needs no token',
    { login: { page: '/login' }, ...withRoute({ auth: 'none', onAnonymous: 'redirect' }) },
    'routes[0].onAnonymous',
    /needs auth: required, but auth is none/,
  ],
  [
    'a hidden route that redirects',
    { login: { page: '/login' }, ...withRoute({ hidden: true, onAnonymous: 'redirect' }) },
    'routes[0].onAnonymous',
    /a redirect reveals a hidden route/,
  ],
  [
    'a hidden route whose upstream answers preflights',
    withRoute({ hidden: true, cors: 'upstream' }),
    'routes[0].cors',
    /preflights pass without a token and reveal a hidden route/,
  ],
  [
    'a redirect without a login page',
    withRoute({ onAnonymous: 'redirect' }),
    'routes[0].onAnonymous',
    /needs login\.page; set that to a path such as \/login/,
  ],
  [
    'an unknown word for onAnonymous',
    withRoute({ onAnonymous: 'login' }),
    'routes[0].onAnonymous',
    /one of refuse, redirect/,
  ],
  ['two scopes in one', withRoute({ scope: ['a b'] }), 'routes[0].scope[0]', /is not one scope/],
  [
    'a method in lower case',
    withRoute({ methods: ['get'] }),
    'routes[0].methods[0]',
    /must be in capitals; write GET/,
  ],
  ['no real method', withRoute({ methods: ['FETCH'] }), 'routes[0].methods[0]', /not an HTTP method/],
  ['TRACE', withRoute({ methods: ['TRACE'] }), 'routes[0].methods[0]', /is never forwarded/],
  ['CONNECT', withRoute({ methods: ['CONNECT'] }), 'routes[0].methods[0]', /is never forwarded/],
  ['a route for no method', withRoute({ methods: [] }), 'routes[0].methods', /is an empty list/],
  [
    'a route twice',
    { routes: [route, route] },
    'routes[1].path',
    /"\/" is also routes\[0\].path, for all methods/,
  ],
  [
    'a route twice for a method',
    {
      routes: [
        { ...route, methods: ['PUT', 'POST'] },
        { ...route, methods: ['POST'] },
      ],
    },
    'routes[1].path',
    /for POST/,
  ],
  [
    'a route twice for HEAD',
    {
      routes: [
        { ...route, methods: ['GET'] },
        { ...route, methods: ['HEAD'] },
      ],
    },
    'routes[1].path',
    /for HEAD/,
  ],
  [
    'a route’s size without a unit',
    withRoute({ limits: { body: 100 } }),
    'routes[0].limits.body',
    /"100" has no unit; write a size such as 16kb/,
  ],
  [
    'a route’s limit that is the gateway’s',
    withRoute({ limits: { headers: '1kb' } }),
    'routes[0].limits.headers',
    /not a setting/,
  ],
  [
    'a route that is none',
    { routes: ['/posts'] },
    'routes[0]',
    /text is not a mapping; write keys beneath it, such as path/,
  ],
])

const routesOf = (routes: readonly object[]) =>
  loadSettings({
    preset: { name: 'the test', values: { issuer: 'https://a.test', audience: 'https://a.test', routes } },
  }).settings.routes

t.test('routes are compared only with those of the same path, however many there are', async (t) => {
  let reads = 0
  const many = routesOf(Array.from({ length: 5_000 }, (_, i) => ({ ...route, path: `/${i}` })))
  const counted = many.map(
    (one) =>
      new Proxy(one, {
        get(target, key) {
          reads += 1
          return Reflect.get(target, key) as unknown
        },
      }),
  )
  t.strictSame(findRouteMistakes(counted, '/auth'), [])
  t.ok(reads > 5_000, 'they were read')
  t.ok(reads < 50 * 5_000, `${reads} properties read of 5,000 routes`)
})

t.test('an error names the first route that handles a method, also among many of one path', async (t) => {
  const [get, put, get2, all, head] = routesOf([
    { ...route, path: '/x', methods: ['GET'] },
    { ...route, path: '/y', methods: ['PUT'] },
    { ...route, path: '/z', methods: ['GET', 'POST'] },
    { ...route, path: '/u' },
    { ...route, path: '/v', methods: ['HEAD'] },
  ]).map((one) => ({ ...one, path: '/x' }))
  const mistakes = findRouteMistakes([put!, get!, get2!, head!, all!, put!], '/auth')
  t.strictSame(
    mistakes.map(([key, message]) => `${key} ${/routes.*;/.exec(message)?.[0]}`),
    [
      'routes[2].path routes[1].path, for GET, HEAD;',
      'routes[3].path routes[1].path, for HEAD;',
      'routes[5].path routes[0].path, for PUT;',
    ],
  )
})
