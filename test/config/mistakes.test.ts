import t from 'tap'
import { loadGatewaySettings } from '../../src/config/load.js'
import { good, problemsOf, refuses } from '../support/refused-settings.js'

refuses(t, [
  ['an unknown key', { storre: 'memory' }, 'storre', /not a setting; did you mean store\?/],
  ['an unknown key in another spelling', { key_prefix: 'x' }, 'key_prefix', /did you mean keyPrefix\?/],
  ['an unknown key deep down', { tokens: { acess: '1m' } }, 'tokens.acess', /did you mean tokens\.access\?/],
  ['a key in the wrong place', { trustProxy: [] }, 'trustProxy', /did you mean listen\.trustProxy\?/],
  ['a mapping in the wrong place', { tls: {} }, 'tls', /did you mean listen\.tls\?/],
  [
    'a key like nothing',
    { sessions: { zzzzzz: 1 } },
    'sessions.zzzzzz',
    /the settings here are: perSubject, onLimit, perDevice/,
  ],
  ['no issuer', { issuer: undefined }, 'issuer', /is missing \(iss claim of access tokens/],
  ['an empty issuer', { issuer: '' }, 'issuer', /is empty/],
  ['a key without a value', { cookies: null }, 'cookies', /is empty; write a value/],
  ['a number where text belongs', { audience: 7 }, 'audience', /"7" is a number; write text \(in quotes\)/],
  ['a mapping where text belongs', { audience: {} }, 'audience', /a mapping is not text/],
  ['a newline in text', { issuer: 'a\nb' }, 'issuer', /"a\\nb" contains control characters/],
  ['a spaced text', { issuer: ' a' }, 'issuer', /begins or ends with a space/],
  [
    'text where a mapping belongs',
    { tokens: '15m' },
    'tokens',
    /text is not a mapping; write keys beneath it, such as scheme/,
  ],
  [
    'text where a list belongs',
    { accept: { from: 'header' } },
    'accept.from',
    /text is not a list; write it in brackets/,
  ],
  ['a prefix without a slash', { prefix: 'auth' }, 'prefix', /write one such as \/auth/],
  ['a prefix of nothing', { prefix: '/' }, 'prefix', /is not a prefix/],
  ['a prefix with a trailing slash', { prefix: '/auth/' }, 'prefix', /ends with a slash; remove it/],
  ['a prefix with an escape', { prefix: '/%61uth' }, 'prefix', /segment with other characters/],
  ['a prefix with dots', { prefix: '/a/../b' }, 'prefix', /segment with other characters/],
  ['a prefix on a path of our own', { prefix: '/healthz' }, 'prefix', /collides with \/healthz/],
  [
    'a prefix around a path of our own',
    { prefix: '/.well-known' },
    'prefix',
    /collides with \/\.well-known\/jwks\.json/,
  ],
  ['a strange store', { store: 'mysql://h' }, 'store', /is not a store; write memory, redis:/],
  ['a store with options', { store: 'redis://h/0?enableOfflineQueue=true' }, 'store', /nothing after a \?/],
  ['a sentinel store without the name', { store: 'redis+sentinel://h1,h2' }, 'store', /NAME-OF-THE-PRIMARY/],
  ['a cluster store with a database', { store: 'redis+cluster://h1,h2/3' }, 'store', /redis\+cluster:\/\//],
  ['two hosts in a plain store', { store: 'redis://h1,h2/0' }, 'store', /is not a complete URL/],
  ['a stray % in a password', { store: 'redis://:50%off@h' }, 'store', /write %25/],
  ['a store on port 0', { store: 'redis://h:0' }, 'store', /has a port that is not from 1 to 65535/],
  ['a store on a high port', { store: 'redis://u:p@h:65536/1' }, 'store', /has a port that is not from 1/],
  ['a password without a host', { store: 'redis://u:123456' }, 'store', /^(?!.*123456)has a port/],
  ['a sentinel on a high port', { store: 'redis+sentinel://h1,h2:99999/p' }, 'store', /has a port that is/],
  ['an origin with a high port', { cors: { origins: ['https://h:70000'] } }, 'cors.origins[0]', /has a port/],
  ['a brace in the key prefix', { keyPrefix: 'a{b}' }, 'keyPrefix', /a brace/],
  ['a long key prefix', { keyPrefix: 'a'.repeat(65) }, 'keyPrefix', /at most 64/],
  [
    'alg none',
    { keys: { algorithm: 'none' } },
    'keys.algorithm',
    /"none" is not a valid value; write one of ES256, /,
  ],
  ['an algorithm in lower case', { keys: { algorithm: 'es256' } }, 'keys.algorithm', /one of ES256/],
  [
    'a key where its file belongs',
    { keys: { dir: '-----BEGIN PRIVATE KEY-----' } },
    'keys.dir',
    /write the path of the file/,
  ],
  ['a signing key in pieces', { keys: { signing: 'abc\ndef' } }, 'keys.signing', /-----BEGIN/],
  [
    'a bare number as a duration',
    { tokens: { access: 15 } },
    'tokens.access',
    /^"15" has no unit; write a duration such as 15m$/,
  ],
  ['a bare number in quotes', { tokens: { access: '15' } }, 'tokens.access', /has no unit/],
  [
    'an unknown unit',
    { tokens: { access: '2w' } },
    'tokens.access',
    /unknown unit; write a duration such as 15m \(ms, s, m, h, d\)/,
  ],
  ['a unit of Object’s', { tokens: { access: '2constructor' } }, 'tokens.access', /unknown unit/],
  ['half a duration', { tokens: { access: '1.5h' } }, 'tokens.access', /is not a whole number with a unit/],
  [
    'a negative duration',
    { tokens: { refresh: '-1d' } },
    'tokens.refresh',
    /is not a whole number with a unit/,
  ],
  ['a list as a duration', { tokens: { refresh: ['1d'] } }, 'tokens.refresh', /a list is not a duration/],
  ['access tokens of no life', { tokens: { access: '0s' } }, 'tokens.access', /too short; write at least 1s/],
  ['access tokens of weeks', { tokens: { access: '8d' } }, 'tokens.access', /too long; write at most 7d/],
  ['access tokens of half seconds', { tokens: { access: '1500ms' } }, 'tokens.access', /whole seconds/],
  [
    'sessions without an end',
    { tokens: { refresh: '0s', absolute: '0s' } },
    'tokens.refresh',
    /would never end/,
  ],
  ['a wide grace', { tokens: { reuseGrace: '61s' } }, 'tokens.reuseGrace', /write at most 1m/],
  [
    'a renewal of every token',
    { tokens: { access: '10m', renewUnder: '10m' } },
    'tokens.renewUnder',
    /is 10m, but must be less than tokens\.access \(10m\)/,
  ],
  ['a wide leeway', { tokens: { leeway: '2m' } }, 'tokens.leeway', /write at most 1m/],
  ['a negative count', { tokens: { refreshLimit: -1 } }, 'tokens.refreshLimit', /whole number of at least 0/],
  [
    'a strange limit action',
    { sessions: { onLimit: 'evict' } },
    'sessions.onLimit',
    /one of evict-oldest, refuse/,
  ],
  [
    'a strange check',
    { revocation: { check: 'memory' } },
    'revocation.check',
    /"memory" is not a valid value; write one of replica, redis/,
  ],
  ['a lease of a moment', { revocation: { lease: '199ms' } }, 'revocation.lease', /write at least 200ms/],
  ['a long lease', { revocation: { lease: '2001ms' } }, 'revocation.lease', /write at most 2s/],
  ['a lease without a unit', { revocation: { lease: 1000 } }, 'revocation.lease', /unit|such as/],
  [
    'a strange word for an outage',
    { revocation: { onOutage: 'stale' } },
    'revocation.onOutage',
    /"stale" is not a valid value; write closed, open, or { stale: 30s }/,
  ],
  [
    'an outage of nothing',
    { revocation: { onOutage: {} } },
    'revocation.onOutage',
    /is not a valid value; write closed, open/,
  ],
  [
    'an outage of two things',
    { revocation: { onOutage: { stale: '1s', open: true } } },
    'revocation.onOutage',
    /is not a valid value; write closed, open/,
  ],
  [
    'no stale time',
    { revocation: { onOutage: { stale: '0s' } } },
    'revocation.onOutage',
    /write at least 1ms/,
  ],
  [
    'a stale time of days',
    { revocation: { onOutage: { stale: '2d' } } },
    'revocation.onOutage',
    /write at most 1d/,
  ],
  ['broken JSON', { revocation: { onOutage: '{stale: 1s}' } }, 'revocation.onOutage', /is not valid JSON/],
  [
    'a strange wish for lost history',
    { revocation: { onLostHistory: 'ignore' } },
    'revocation.onLostHistory',
    /one of reject, heal, accept/,
  ],
  [
    'half a replica to wait for',
    { revocation: { waitReplicas: 0.5 } },
    'revocation.waitReplicas',
    /is not a whole number/,
  ],
  [
    'a horizon below the life of a token',
    { revocation: { horizon: '14m' } },
    'revocation.horizon',
    /is 14m, less than tokens\.access \(15m\)/,
  ],
  [
    'a horizon below the life of the tokens that a code begins',
    { revocation: { horizon: '1h' }, codes: {} },
    'revocation.horizon',
    /is 1h, less than codes\.access \(2h\)/,
  ],
  [
    'tokens of a code that live for a part of a second',
    { codes: { access: '1500ms' } },
    'codes.access',
    /whole seconds/,
  ],
  ['a code that lives for hours', { codes: { life: '2h' } }, 'codes.life', /write at most 1h/],
  ['codes switched on with true', { codes: true }, 'codes', /not a mapping; write \{\} for the defaults, or/],
  ['codes switched off with false', { codes: false }, 'codes', /leave it out to turn it off/],
  ['a horizon of weeks', { revocation: { horizon: '8d' } }, 'revocation.horizon', /write at most 7d/],
  ['no transport', { accept: { from: [] } }, 'accept.from', /is an empty list/],
  [
    'an unknown transport',
    { accept: { from: ['url'] } },
    'accept.from[0]',
    /one of header, cookie, x-access-token, query, body/,
  ],
  [
    'a body that the gateway doesn’t read',
    { accept: { from: ['header', 'body'] } },
    'accept.from',
    /forwards bodies without reading them; remove it/,
  ],
  [
    'cookies accepted alone and switched off',
    { accept: { from: ['cookie'] }, cookies: { enabled: false } },
    'accept.from',
    /cookies\.enabled is false/,
  ],
  ['yes as a boolean', { cookies: { secure: 'yes' } }, 'cookies.secure', /neither true nor false/],
  ['any origin', { cors: { origins: ['*'] } }, 'cors.origins[0]', /write each origin exactly/],
  ['an origin pattern', { cors: { origins: ['https://*.example.com'] } }, 'cors.origins[0]', /is a pattern/],
  [
    'an origin with a path',
    { cors: { origins: ['https://a.example/'] } },
    'cors.origins[0]',
    /is not an origin; write scheme:/,
  ],
  ['an origin without a scheme', { cors: { origins: ['a.example'] } }, 'cors.origins[0]', /is not an origin/],
  ['the null origin', { cors: { origins: ['null'] } }, 'cors.origins[0]', /is not an origin/],
  [
    'no failures allowed',
    { rateLimit: { login: { perAccount: { failures: 0 } } } },
    'rateLimit.login.perAccount.failures',
    /of at least 1/,
  ],
])

t.test('all problems are reported at once, one per line with key, message and source', async (t) => {
  const change = { tokens: { access: 15 }, store: 'x', audience: undefined }
  const values = { ...good, ...change }
  try {
    loadGatewaySettings({ preset: { name: 'portcullis.yaml', values } })
    t.fail('should have been refused')
  } catch (error) {
    t.match(error, { name: 'ConfigError' })
    t.same((error as Error).message.split('\n').toSorted(), [
      'audience: is missing (aud claim of access tokens, such as https://api.example.com)',
      'store: is not a store; write memory, redis://…, rediss://…, redis+sentinel://… or redis+cluster://… (from portcullis.yaml)',
      'tokens.access: "15" has no unit; write a duration such as 15m (from portcullis.yaml)',
    ])
  }
})

t.test('a rule over two settings is silent if one of them is invalid itself', async (t) => {
  const problems = problemsOf({ tokens: { access: '1h', refresh: 'soon' } })
  t.same(
    problems.map(({ key }) => key),
    ['tokens.refresh'],
  )
})

t.test('keys of the prototype are unknown keys and pollute nothing', async (t) => {
  for (const key of ['__proto__', 'constructor', 'hasOwnProperty']) {
    const hostile = JSON.parse(`{"${key}": {"polluted": true}}`) as object
    const values = Object.defineProperty({ ...good }, key, { value: hostile, enumerable: true })
    const load = () => loadGatewaySettings({ preset: { name: 'test', values } })
    t.throws(load, new RegExp(`^${key}: is not a setting`))
    t.same(
      problemsOf({ tokens: hostile }).map((problem) => problem.key),
      [`tokens.${key}`],
    )
  }
  t.throws(
    () =>
      loadGatewaySettings({
        preset: {
          name: 'test',
          values: { ...good, identity: { headers: JSON.parse('{"__proto__": "sub"}') as object } },
        },
      }),
    /is not a header name/,
  )
  t.equal(({} as Record<string, unknown>)['polluted'], undefined)
})
