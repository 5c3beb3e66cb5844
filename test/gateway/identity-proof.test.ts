import t from 'tap'
import { createSigner } from '../../plugins/jwt.js'
import { createIdentityProof } from '../../src/gateway/identity-proof.js'
import { loadGatewaySettings } from '../../src/config.js'
import type { Auth } from '../../src/token/auth.js'
import { MovableClock } from '../support/movable-clock.js'
import { decode, newKey } from '../support/access-tokens.js'

const route = { path: '/', upstream: 'http://127.0.0.1:9' }

async function proof(token?: object) {
  const clock = new MovableClock()
  const headers = { 'X-User': 'sub' }
  const identity = token ? { headers, token: { audience: 'legacy', ...token } } : { headers }
  const values = { issuer: 'https://i', audience: 'https://a', identity, routes: [route] }
  const { settings } = loadGatewaySettings({ preset: { name: 'the test', values } })
  const made = await createIdentityProof({ createSigner, key: await newKey('ES256'), clock, settings })
  const of = (auth: Auth) => {
    const jwt = made.build(auth)['X-Portcullis-Identity']!
    const [header, payload] = jwt.split('.')
    return {
      jwt,
      header: decode(header),
      claims: decode(payload) as { iat: number; exp: number; jti: string },
    }
  }
  return { clock, made, of }
}

/** Who a token of `lifeSeconds` speaks for, issued now. */
function authOf(clock: MovableClock, jti: string, lifeSeconds = 900, scope?: string): Auth {
  const issuedAt = clock.now() / 1000
  const expiresAt = issuedAt + lifeSeconds
  const ids = { sub: 'ada', sid: 's1', jti }
  const claims = {
    iss: 'https://i',
    aud: 'https://a',
    ...ids,
    iat: issuedAt,
    exp: expiresAt,
    ...(scope && { scope }),
  }
  return { ...ids, scope: [], issuedAt, expiresAt, claims }
}

t.test('without identity.token there are only the plain headers', async (t) => {
  const { made, clock } = await proof()
  t.strictSame(made.names, ['X-User'])
  t.strictSame(made.build(authOf(clock, 'j1')), { 'X-User': 'ada' })
})

t.test('the identity token’s claims, which clients can’t set', async (t) => {
  const { made, of, clock } = await proof({ life: '20s' })
  t.strictSame(made.names, ['X-User', 'X-Portcullis-Identity'])
  const { header, claims } = of(authOf(clock, 'j1', 900, 'read write'))
  t.equal(header['typ'], 'identity+jwt')
  const now = clock.now() / 1000
  const { jti, ...others } = claims
  t.match(jti, /^[\w-]{22}$/)
  t.not(jti, 'j1')
  t.strictSame(others, {
    iss: 'https://i',
    aud: 'legacy',
    sub: 'ada',
    sid: 's1',
    iat: now,
    exp: now + 20,
    scope: 'read write',
  })
  t.notOk('scope' in of(authOf(clock, 'j2')).claims)
})

t.test('an identity token is reused for half of its life, one per access token', async (t) => {
  const { of, clock } = await proof({ life: '20s' })
  const [one, two] = [authOf(clock, 'j1'), authOf(clock, 'j2')]
  const first = of(one)
  t.not(of(two).jwt, first.jwt)
  clock.advance(9_999)
  t.equal(of(one).jwt, first.jwt)
  clock.advance(1)
  const second = of(one)
  t.not(second.jwt, first.jwt)
  t.not(second.claims.jti, first.claims.jti)
  t.equal(second.claims.exp, first.claims.exp + 10)
  t.equal(of(one).jwt, second.jwt)
})

t.test('an identity token doesn’t outlive the access token', async (t) => {
  const { of, clock } = await proof({ life: '20s' })
  const auth = authOf(clock, 'j1', 25)
  t.equal(of(auth).claims.exp, auth.issuedAt + 20)
  clock.advance(10_000)
  t.equal(of(auth).claims.exp, auth.expiresAt)
  t.equal(of(authOf(clock, 'j2', 3)).claims.exp, clock.now() / 1000 + 3)
})
