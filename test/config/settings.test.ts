import t from 'tap'
import { loadGatewaySettings, loadSettings } from '../../src/config/load.js'

const required = { issuer: 'https://api.example.com', audience: 'https://api.example.com' }
const preset = (change: object = {}) => ({ preset: { name: 'test', values: { ...required, ...change } } })
const route = { path: '/', upstream: 'http://127.0.0.1:8080' }

t.test('every setting has its documented default, parsed', async (t) => {
  const { settings, warnings } = loadSettings(preset())
  t.same(warnings, [])
  t.strictSame(settings, {
    listen: { host: '0.0.0.0', port: 3000, trustProxy: [], trustHeaders: 'x-forwarded' },
    prefix: '/auth',
    store: 'redis://127.0.0.1:6379/0',
    keyPrefix: 'portcullis',
    ...required,
    keys: {},
    tokens: {
      scheme: 'dual',
      jitter: 0,
      access: 900_000,
      refresh: 30 * 86_400_000,
      absolute: 90 * 86_400_000,
      refreshLimit: 0,
      reuseGrace: 10_000,
      renewUnder: 0,
      leeway: 0,
      verifiedCache: 50_000,
    },
    sessions: { perSubject: 100, onLimit: 'evict-oldest', perDevice: 0 },
    revocation: {
      check: 'replica',
      lease: 1000,
      onOutage: 'closed',
      onLostHistory: 'heal',
      waitReplicas: 0,
    },
    accept: { from: ['header', 'cookie'] },
    cookies: { enabled: true, secure: true, sameSite: 'lax' },
    cors: { origins: [] },
    login: { origins: [] },
    rateLimit: {
      login: {
        perAccount: { failures: 10, successes: 300, per: 900_000 },
        perAddress: { failures: 50, successes: 5_000, per: 900_000 },
      },
      refresh: { perAddress: { max: 600, per: 60_000 } },
    },
    workers: 1,
    routes: [],
    limits: {
      headers: 16_384,
      headerCount: 200,
      target: 8192,
      body: 1_048_576,
      headersTimeout: 10_000,
      bodyTimeout: 10_000,
      minBodyRate: 240,
      idle: 60_000,
      connections: 0,
      upgrades: 10_000,
      upgradesPerAddress: 100,
      responseHeaders: 65_536,
      eventLoopDelay: 1000,
    },
    timeouts: { connect: 2000, headers: 30_000, body: 60_000, total: 0, drain: 0, shutdown: 6000 },
    admin: { host: '127.0.0.1', port: 9400, hosts: [] },
    identity: { headers: { 'X-Forwarded-User': 'sub', 'X-Auth-Request-Session': 'sid' } },
    upstreams: { connections: 1024 },
    log: { level: 'info', requests: false },
  })
})

t.test('a route inherits the gateway’s limits and timeouts unless it has its own', async (t) => {
  const { settings } = loadGatewaySettings(
    preset({
      limits: { body: '2mb' },
      timeouts: { total: '5m' },
      routes: [
        route,
        {
          ...route,
          path: '/a',
          methods: ['GET'],
          limits: { body: '5kb' },
          timeouts: { body: '0s', connect: '500ms' },
        },
      ],
    }),
  )
  t.strictSame(settings.routes[0], {
    path: '/',
    upstream: ['http://127.0.0.1:8080'],
    redirects: 'keep',
    caseSensitive: false,
    targetAllow: [],
    auth: 'required',
    scope: [],
    hidden: false,
    onAnonymous: 'refuse',
    host: 'keep',
    cors: 'gateway',
    forwardToken: false,
    limits: { body: 2 * 1024 ** 2, bodyTimeout: 10_000 },
    timeouts: { connect: 2000, headers: 30_000, body: 60_000, total: 300_000 },
  })
  t.strictSame(settings.routes[1]?.methods, ['GET'])
  t.strictSame(settings.routes[1]?.limits, { body: 5120, bodyTimeout: 10_000 })
  t.strictSame(settings.routes[1]?.timeouts, { connect: 500, headers: 30_000, body: 0, total: 300_000 })
})

t.test('a path may have one route per method', async (t) => {
  const routes = [
    { ...route, methods: ['GET'] },
    { ...route, methods: ['POST', 'PUT'] },
    { ...route, path: '/posts' },
  ]
  t.equal(loadGatewaySettings(preset({ routes })).settings.routes.length, 3)
})

t.test('a path may have routes that list methods beside one for all others', async (t) => {
  const routes = [{ ...route, methods: ['OPTIONS'], auth: 'none' }, route, { ...route, methods: ['GET'] }]
  t.equal(loadGatewaySettings(preset({ routes })).settings.routes.length, 3)
  t.equal(loadGatewaySettings(preset({ routes: routes.toReversed() })).settings.routes.length, 3)
})

t.test('a route above our own paths doesn’t shadow them', async (t) => {
  const routes = ['/', '/.well-known', '/authors', '/healthz/deep'].map((path) => ({ ...route, path }))
  t.equal(loadGatewaySettings(preset({ routes })).settings.routes.length, 4)
})

t.test('onOutage of a route is a word or a mapping, and undefined by default', async (t) => {
  const { settings } = loadGatewaySettings(
    preset({
      revocation: { onOutage: { stale: '30s' }, horizon: '1h' },
      routes: [
        route,
        { ...route, path: '/a', onOutage: 'open' },
        { ...route, path: '/b', onOutage: { stale: '500ms' } },
        { ...route, path: '/c', onOutage: 'closed' },
        { ...route, path: '/d', onOutage: '{"stale":"2m"}' },
      ],
    }),
  )
  t.strictSame(settings.revocation.onOutage, { stale: 30_000 })
  t.equal(settings.revocation.horizon, 3_600_000)
  t.strictSame(
    settings.routes.map(({ onOutage }) => onOutage),
    [undefined, 'open', { stale: 500 }, 'closed', { stale: 120_000 }],
  )
})

t.test('one-time codes are off unless a setting of theirs is written', async (t) => {
  const codesOf = (change: object) => loadSettings(preset(change)).settings.codes
  const defaults = { life: 600_000, access: 7_200_000, refresh: 30 * 86_400_000 }
  t.equal(codesOf({}), undefined)
  t.strictSame(codesOf({ codes: {} }), defaults)
  t.strictSame(codesOf({ codes: { access: '1h' } }), { ...defaults, access: 3_600_000 })
  const { settings } = loadSettings({ ...preset(), env: { PORTCULLIS_CODES_LIFE: '1m' } })
  t.strictSame(settings.codes, { ...defaults, life: 60_000 })
})

t.test('a horizon may be as short as the life of a token, which is its default', async (t) => {
  const horizonOf = (change: object) => loadSettings(preset(change)).settings.revocation.horizon
  t.equal(horizonOf({ revocation: { horizon: '15m' } }), 900_000)
  t.equal(horizonOf({ tokens: { access: '1h' } }), undefined)
})

t.test('durations and sizes in each of their units', async (t) => {
  const { tokens, timeouts, limits } = loadSettings(
    preset({
      tokens: { access: '1h', refresh: '2d' },
      timeouts: { connect: '500ms', headers: '2s', total: '0s' },
      limits: { headers: '1gb', target: '512b', body: '3mb' },
    }),
  ).settings
  t.strictSame([tokens.access, tokens.refresh], [3_600_000, 172_800_000])
  t.strictSame([timeouts.connect, timeouts.headers, timeouts.total], [500, 2000, 0])
  t.strictSame([limits.headers, limits.target, limits.body], [1024 ** 3, 512, 3 * 1024 ** 2])
})

t.test('every valid form of stores, hosts, networks and origins', async (t) => {
  for (const store of [
    'memory',
    'redis://h',
    'redis://user:p%40ss@h:6380/15',
    'redis://[::1]:6379/0',
    'rediss://:secret@redis.example.com',
    'redis+sentinel://h1,h2/master',
    'redis+sentinel://:pw@h1:26379,[::1]:26380/my-master/2',
    'redis+cluster://h1,h2:7001',
  ]) {
    t.equal(loadSettings(preset({ store })).settings.store, store)
  }
  for (const host of ['::', '127.0.0.1', 'localhost', 'gw.example.com']) {
    t.equal(loadSettings(preset({ listen: { host } })).settings.listen.host, host)
  }
  const trustProxy = ['10.0.0.0/8', '::1', 'fd00::/8', '0.0.0.0/1']
  t.same(loadSettings(preset({ listen: { trustProxy } })).settings.listen.trustProxy, trustProxy)
  const origins = ['https://App.example.com:443', 'http://localhost:5173', 'capacitor://localhost']
  t.same(loadSettings(preset({ cors: { origins } })).settings.cors.origins, [
    'https://app.example.com',
    'http://localhost:5173',
    'capacitor://localhost',
  ])
})

t.test('one upstream or several, with or without a slash, become a list of origins', async (t) => {
  const upstreamOf = (upstream: unknown) =>
    loadGatewaySettings(preset({ routes: [{ ...route, upstream }] })).settings.routes[0].upstream
  t.strictSame(upstreamOf('http://Blog:80/'), ['http://blog'])
  t.strictSame(upstreamOf(['http://a:1', 'https://B:443/']), ['http://a:1', 'https://b'])
  const { settings } = loadGatewaySettings(preset({ routes: [{ path: '/' }] }))
  t.equal(settings.routes[0].upstream, undefined, 'for forward-auth alone')
})

const signing = (value: unknown) => loadSettings(preset({ keys: { signing: value } })).settings.keys.signing

t.test('a signing key and a path are told apart by their beginning', async (t) => {
  t.strictSame(signing('./key.pem'), { from: 'file', path: './key.pem' })
  t.strictSame(signing('-----BEGIN PRIVATE KEY-----\nx\n'), {
    from: 'text',
    text: '-----BEGIN PRIVATE KEY-----\nx',
  })
  t.strictSame(signing('{"kty":"oct"}'), { from: 'text', text: '{"kty":"oct"}' })
  t.strictSame(signing({ kty: 'oct' }), { from: 'text', text: '{"kty":"oct"}' })
})

t.test('both ports may be 0, and the admin port may equal another host’s port', async (t) => {
  const { settings } = loadSettings(preset({ listen: { port: 0 }, admin: { port: 0 } }))
  t.same([settings.listen.port, settings.admin && settings.admin.port], [0, 0])
  t.equal(loadSettings(preset({ listen: { port: 9400 }, admin: false })).settings.admin, false)
})

t.test('settings are deeply frozen', async (t) => {
  const { settings } = loadGatewaySettings(preset({ routes: [route] }))
  const frozen = (value: unknown): boolean =>
    typeof value !== 'object' ||
    value === null ||
    (Object.isFrozen(value) && Object.values(value).every(frozen))
  t.ok(frozen(settings))
})
