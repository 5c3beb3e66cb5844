/** A client sends the headers in which other proxies say who the client is. An application behind them believes them. */
import t from 'tap'
import { call, logIn, startGateway, startUpstream } from '../support/gateway-process.js'

const SPOOFED = `X-Auth-Request-User X-Auth-Request-Email X-Auth-Request-Groups X-Auth-Request-Access-Token
  Remote-User Remote-Groups Remote-Name Remote-Email X-Remote-User X-Remote-Group X-Remote-Extra-Scopes REMOTE_USER
  X-SSL-Client-Cert X-SSL-Client-S-DN X-SSL-Client-Verify X_SSL_CLIENT_DN X.SSL.Client.CN Ssl-Client-Verify
  ssl-client-subject-dn Client-Cert Client-Cert-Chain X-Client-Cert X-Client-Verify X-Forwarded-Client-Cert
  X-ARR-ClientCert X-Amzn-Mtls-Clientcert X-Amzn-Oidc-Identity X-MS-CLIENT-PRINCIPAL X-MS-CLIENT-PRINCIPAL-NAME
  X-Goog-Authenticated-User-Email X-authentik-username X-Authenticated-Userid X-Authenticated-User X-Consumer-Username
  X-WEBAUTH-USER X-Pomerium-Claim-Email Tailscale-User-Login OIDC_CLAIM_sub SM_USER
  Cf-Access-Authenticated-User-Email X-Userinfo iv-user OAM_REMOTE_USER Impersonate-User
  Impersonate-Group X-Credential-Identifier X-Anonymous-Consumer X-Endpoint-API-UserInfo X-Apigateway-Api-Userinfo
  X-Vouch-User Shib-Session-ID Shib_Identity_Provider X-Client-Certificate X-Tls-Client-Cert X-MS-TOKEN-AAD-ID-TOKEN
  X-MS-TOKEN-AAD-ACCESS-TOKEN X-Auth-User Auth-User SMSERVERSESSIONID`.split(/\s+/)
const HARMLESS =
  'X-Auth-Token X-SSL X-Remote X-User-Agent Remote-Debug X-Request-Id X-Consumer Cf-Access-Jwt-Assertion'.split(
    ' ',
  )

t.test('they end at the gateway on every route, in every spelling', async (t) => {
  const upstream = await startUpstream(t)
  const { url } = await startGateway(t, {
    identity: { headers: { 'Remote-User': 'sub', 'X-Auth-Request-Session': 'sid' } },
    routes: [
      { path: '/open', upstream: upstream.url, auth: 'none' },
      { path: '/', upstream: upstream.url },
    ],
  })
  const { access_token: token, session_id } = await logIn(url)
  const spoofed = Object.fromEntries(SPOOFED.map((name) => [name, 'mallory']))
  const harmless = Object.fromEntries(HARMLESS.map((name) => [name, 'harmless']))
  for (const path of ['/open', '/guarded']) {
    t.equal((await call(url, 'GET', path, { headers: { ...spoofed, ...harmless }, token })).status, 200)
    const { rawHeaders, headers } = upstream.seen.at(-1)!
    const passed = rawHeaders.filter((_, at) => rawHeaders[at + 1] === 'mallory')
    t.strictSame(passed, [], path)
    for (const name of HARMLESS) t.equal(headers[name.toLowerCase()], 'harmless', name)
  }
  t.match(upstream.seen.at(-1)!.headers, { 'remote-user': 'ada', 'x-auth-request-session': session_id })
})
