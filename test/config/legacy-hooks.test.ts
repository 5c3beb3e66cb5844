import t from 'tap'
import { loadGatewaySettings } from '../../src/config/load.js'
import { good, refuses, withRoute } from '../support/refused-settings.js'

const settingsWith = (change: object) =>
  loadGatewaySettings({ preset: { name: 'test', values: { ...good, ...change } } }).settings
const withToken = (token: object) => ({ identity: { token: { audience: 'legacy', ...token } } })

t.test('settings of a route for the legacy application behind it', async (t) => {
  const route = {
    rewritePrefix: '/v2',
    targetAllow: ['semicolon', 'double-slash', 'encoded-slash'],
    rateLimit: { max: 100 },
    onSuccess: 'end-other-sessions',
  }
  t.match(settingsWith(withRoute(route)).routes[0], {
    ...route,
    rateLimit: { max: 100, per: 60_000, by: 'subject' },
  })
  const byAddress = { max: 5, per: '10s', by: 'address' }
  t.strictSame(settingsWith(withRoute({ rateLimit: byAddress })).routes[0].rateLimit, {
    ...byAddress,
    per: 10_000,
  })
  t.equal(settingsWith(withRoute({ rewritePrefix: '/' })).routes[0].rewritePrefix, '/')
})

t.test('identity headers by template, and a token with its own audience', async (t) => {
  const headers = { 'X-User': 'sub', 'X-Who': '{sub}@{tenant}', 'X-Text': 'user {https://example.com/id}' }
  t.strictSame(settingsWith({ identity: { headers } }).identity, { headers })
  t.strictSame(settingsWith(withToken({})).identity.token, {
    header: 'X-Portcullis-Identity',
    audience: 'legacy',
    life: 30_000,
  })
})

t.test('every transport of the gateway can be accepted', async (t) => {
  const from = ['header', 'cookie', 'x-access-token', 'query']
  t.strictSame(settingsWith({ accept: { from } }).accept.from, from)
  t.ok(settingsWith({ accept: { from: ['query'] }, cookies: { enabled: false } }))
})

refuses(t, [
  [
    'an unknown laxity',
    withRoute({ targetAllow: ['dots'] }),
    'routes[0].targetAllow[0]',
    /one of encoded-slash/,
  ],
  [
    'a laxity twice',
    withRoute({ targetAllow: ['semicolon', 'semicolon'] }),
    'routes[0].targetAllow[1]',
    /twice/,
  ],
  ['a laxity as text', withRoute({ targetAllow: 'semicolon' }), 'routes[0].targetAllow', /is not a list/],
  [
    'a prefix without a slash',
    withRoute({ rewritePrefix: 'v2' }),
    'routes[0].rewritePrefix',
    /begin with a slash/,
  ],
  ['a prefix with a query', withRoute({ rewritePrefix: '/v2?a' }), 'routes[0].rewritePrefix', /query/],
  ['a prefix with dots', withRoute({ rewritePrefix: '/a/../b' }), 'routes[0].rewritePrefix', /dot segment/],
  [
    'a prefix for no upstream',
    { routes: [{ path: '/', rewritePrefix: '/v2' }] },
    'routes[0].rewritePrefix',
    /needs an upstream/,
  ],
  ['a limit without a number', withRoute({ rateLimit: {} }), 'routes[0].rateLimit.max', /is missing/],
  ['a limit of none', withRoute({ rateLimit: { max: 0 } }), 'routes[0].rateLimit.max', /at least 1/],
  [
    'a limit per no time',
    withRoute({ rateLimit: { max: 1, per: '0s' } }),
    'routes[0].rateLimit.per',
    /at least/,
  ],
  [
    'a limit by token',
    withRoute({ rateLimit: { max: 1, by: 'token' } }),
    'routes[0].rateLimit.by',
    /subject, address/,
  ],
  ['an unknown consequence', withRoute({ onSuccess: 'logout' }), 'routes[0].onSuccess', /one of end-session/],
  [
    'a consequence for nobody',
    withRoute({ onSuccess: 'end-session', auth: 'none' }),
    'routes[0].onSuccess',
    /needs to know the caller/,
  ],
  [
    'a consequence of no answer',
    { routes: [{ path: '/', onSuccess: 'end-session' }] },
    'routes[0].onSuccess',
    /needs an upstream/,
  ],
  [
    'a template with half a brace',
    { identity: { headers: { 'X-U': '{sub' } } },
    'identity.headers',
    /needs the name of a claim/,
  ],
  [
    'a template of braces alone',
    { identity: { headers: { 'X-U': '{}' } } },
    'identity.headers',
    /needs the name of a claim/,
  ],
  [
    'a template with a line break',
    { identity: { headers: { 'X-U': '{sub}\n' } } },
    'identity.headers',
    /needs the name of a claim/,
  ],
  [
    'a template that nests',
    { identity: { headers: { 'X-U': '{{sub}}' } } },
    'identity.headers',
    /needs the name of a claim/,
  ],
  [
    'a template by __proto__',
    { identity: { headers: { 'X-U': '{__proto__}' } } },
    'identity.headers',
    /needs the name of a claim/,
  ],
  ['an identity token for everybody', { identity: { token: {} } }, 'identity.token.audience', /is missing/],
  [
    'an identity token with the audience of access tokens',
    withToken({ audience: good.audience }),
    'identity.token.audience',
    /is also the audience of access tokens/,
  ],
  [
    'an identity token in Authorization',
    withToken({ header: 'Authorization' }),
    'identity.token.header',
    /identity/,
  ],
  [
    'an identity token in a header of identity.headers',
    withToken({ header: 'x_forwarded.user' }),
    'identity.token.header',
    /is one of identity.headers, too/,
  ],
  [
    'an identity token of half seconds',
    withToken({ life: '5500ms' }),
    'identity.token.life',
    /whole seconds/,
  ],
  ['an identity token that lives long', withToken({ life: '1h' }), 'identity.token.life', /write at most 5m/],
  ['an identity token of a moment', withToken({ life: '1s' }), 'identity.token.life', /write at least 5s/],
  [
    'an identity token that whoever verifies it could sign',
    { ...withToken({}), keys: { algorithm: 'HS256' } },
    'keys.algorithm',
    /is HS256, but identity.token needs a key pair/,
  ],
  ['no worker', { workers: 0 }, 'workers', /at least 1|from 1 to 256/],
  ['too many workers', { workers: 257 }, 'workers', /from 1 to 256/],
  ['workers without a Redis', { workers: 2, store: 'memory' }, 'workers', /store is memory/],
  ['no WebSocket at all', { limits: { upgrades: 0 } }, 'limits.upgrades', /at least 1/],
  ['none from an address', { limits: { upgradesPerAddress: 0 } }, 'limits.upgradesPerAddress', /at least 1/],
  ['a delay without a unit', { limits: { eventLoopDelay: 100 } }, 'limits.eventLoopDelay', /has no unit/],
  ['a cache beyond bounds', { tokens: { verifiedCache: 10_000_001 } }, 'tokens.verifiedCache', /from 0 to/],
  [
    'a certificate as text',
    { upstreams: { ca: '-----BEGIN' } },
    'upstreams.ca',
    /write the path of the file/,
  ],
])
