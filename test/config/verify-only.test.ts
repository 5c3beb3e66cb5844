import t from 'tap'
import { loadSettings, parsePluginOptions } from '../../src/config/load.js'
import { problemsOf, refuses } from '../support/refused-settings.js'

const PEM = '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n'
const JWKS = 'https://login.example.com/jwks.json'
const required = { issuer: 'i', audience: 'a' }
const verify = (value: unknown) =>
  loadSettings({ preset: { name: 'test', values: { ...required, keys: { verify: value } } } }).settings.keys
    .verify

refuses(t, [
  [
    'a key that signs beside one that verifies',
    { keys: { verify: PEM, signing: PEM } },
    'keys.verify',
    /and keys\.signing are both set/,
  ],
  [
    'a key directory beside public keys',
    { keys: { verify: PEM, dir: './k' } },
    'keys.verify',
    /and keys\.dir are both set/,
  ],
  [
    'a key that signs beside a URL',
    { keys: { jwks: JWKS, signing: PEM } },
    'keys.jwks',
    /and keys\.signing are both set/,
  ],
  [
    'a key directory beside a URL',
    { keys: { jwks: JWKS, dir: './k' } },
    'keys.jwks',
    /and keys\.dir are both set/,
  ],
  [
    'public keys beside a URL',
    { keys: { jwks: JWKS, verify: PEM } },
    'keys.verify',
    /and keys\.jwks are both set/,
  ],
  [
    'a secret algorithm for public keys',
    { keys: { verify: PEM, algorithm: 'HS256' } },
    'keys.algorithm',
    /has no public key for keys\.verify/,
  ],
  ['no public key at all', { keys: { verify: [] } }, 'keys.verify', /is an empty list/],
  ['a number as a public key', { keys: { verify: [7] } }, 'keys.verify', /is a number/],
  ['a list in JSON cut short', { keys: { verify: '["a"' } }, 'keys.verify', /not valid JSON/],
  [
    'a URL without TLS',
    { keys: { jwks: 'http://login.example.com/k' } },
    'keys.jwks',
    /loopback addresses only/,
  ],
  [
    'a URL of a host that begins like loopback',
    { keys: { jwks: 'http://127.0.0.1.evil.example/' } },
    'keys.jwks',
    /loopback addresses only/,
  ],
  [
    'a URL with credentials',
    { keys: { jwks: 'https://u:p@login.example.com/' } },
    'keys.jwks',
    /contains credentials/,
  ],
  ['a file as a URL', { keys: { jwks: './jwks.json' } }, 'keys.jwks', /is not an https:\/\/ URL/],
  [
    'users of an instance that only verifies',
    { keys: { verify: PEM }, login: { users: './u' } },
    'login.users',
    /needs a key that signs, but keys\.verify is set/,
  ],
  [
    'a login API of an instance that only verifies',
    { keys: { jwks: JWKS }, login: { http: { url: 'http://a/', subject: '/s' } } },
    'login.http.url',
    /but keys\.jwks is set/,
  ],
  [
    'codes of an instance that only verifies',
    { keys: { verify: PEM }, codes: {} },
    'codes',
    /needs a key that signs/,
  ],
  [
    'sliding renewal of an instance that only verifies',
    { keys: { verify: PEM }, tokens: { renewUnder: '1m' } },
    'tokens.renewUnder',
    /needs a key that signs/,
  ],
  [
    'an identity token without a key that signs',
    { keys: { verify: PEM }, identity: { token: { audience: 'u' } } },
    'identity.token.audience',
    /needs a key that signs/,
  ],
  [
    'no store for an instance that signs',
    { store: 'none' },
    'store',
    /works only with keys\.verify or keys\.jwks/,
  ],
  [
    'sessions to end without a store',
    {
      store: 'none',
      keys: { verify: PEM },
      routes: [{ path: '/', upstream: 'http://a', onSuccess: 'end-session' }],
    },
    'store',
    /a route has onSuccess/,
  ],
])

t.test('a function as login is an error with public keys, too', async (t) => {
  t.throws(() => parsePluginOptions({ ...required, keys: { verify: PEM }, login: () => null }), {
    name: 'ConfigError',
    message: /login: needs a key that signs/,
  })
})

t.test('onRefresh is an error with public keys, because there is no refresh', async (t) => {
  t.throws(() => parsePluginOptions({ ...required, keys: { verify: PEM }, onRefresh: () => null }), {
    name: 'ConfigError',
    message: /onRefresh: needs a key that signs/,
  })
})

t.test('public keys are texts, objects, paths, or a list of these', async (t) => {
  const asText = { from: 'text', text: PEM.trim() }
  t.strictSame(verify(PEM), [asText])
  t.strictSame(verify('./issuer.pem'), [{ from: 'file', path: './issuer.pem' }])
  t.strictSame(verify({ kty: 'EC' }), [{ from: 'text', text: '{"kty":"EC"}' }])
  t.strictSame(verify([PEM, './next.pem', { keys: [] }]), [
    asText,
    { from: 'file', path: './next.pem' },
    { from: 'text', text: '{"keys":[]}' },
  ])
  const env = {
    PORTCULLIS_KEYS_VERIFY: '["./a.pem","./b.pem"]',
    PORTCULLIS_ISSUER: 'i',
    PORTCULLIS_AUDIENCE: 'a',
  }
  t.match(loadSettings({ env }).settings.keys.verify, [{ path: './a.pem' }, { path: './b.pem' }])
})

t.test('a JWK Set may come without TLS from loopback', async (t) => {
  for (const host of ['localhost:8080', '127.0.0.1', '127.8.0.1:1', '[::1]:80'])
    t.same(problemsOf({ keys: { jwks: `http://${host}/jwks.json` } }), [], host)
})

t.test('the algorithm has no value unless it is set', async (t) => {
  t.equal(parsePluginOptions({ ...required, keys: { verify: PEM } }).keys.algorithm, undefined)
  t.equal(
    parsePluginOptions({ ...required, keys: { verify: PEM, algorithm: 'RS256' } }).keys.algorithm,
    'RS256',
  )
})
