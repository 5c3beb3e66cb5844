import t from 'tap'
import { describePluginOptions, describeSettings, settingPaths, settingsHelp } from '../../src/config/help.js'

/** Path and default of each setting, as documented. */
const DOCUMENTED = `
listen.host 0.0.0.0|listen.port 3000|listen.trustProxy []|listen.trustHeaders x-forwarded|listen.tls.cert required with listen.tls|listen.tls.key required with listen.tls
prefix /auth|store redis://127.0.0.1:6379/0|keyPrefix portcullis|issuer required|audience required
keys.algorithm none|keys.dir none|keys.signing none|keys.verify none|keys.jwks none
tokens.scheme dual|tokens.access 15m|tokens.refresh 30d|tokens.absolute none|tokens.refreshLimit none|tokens.jitter 0
tokens.reuseGrace 10s|tokens.renewUnder 0s|tokens.leeway 0s|tokens.verifiedCache 50000
codes.life 10m|codes.access 2h|codes.refresh 30d
sessions.perSubject 100|sessions.onLimit evict-oldest|sessions.perDevice 0
revocation.check replica|revocation.lease 1s|revocation.onOutage closed
revocation.onLostHistory heal|revocation.waitReplicas 0|revocation.horizon none
accept.from ["header","cookie"]|cookies.enabled true|cookies.secure true|cookies.sameSite lax|cookies.path none|cookies.domain none|cors.origins []
login.users none
login.http.url required with login.http|login.http.body json|login.http.username username|login.http.password password
login.http.subject required with login.http|login.http.claims {}|login.http.refresh none|login.http.timeout 5s|login.page none|login.origins []
identity.headers {"X-Forwarded-User":"sub","X-Auth-Request-Session":"sid"}
identity.token.header X-Portcullis-Identity|identity.token.audience required with identity.token|identity.token.life 30s
rateLimit.login.perAccount.failures 10|rateLimit.login.perAccount.successes 300|rateLimit.login.perAccount.per 15m
rateLimit.login.perAddress.failures 50|rateLimit.login.perAddress.successes 5000|rateLimit.login.perAddress.per 15m
rateLimit.refresh.perAddress.max 600|rateLimit.refresh.perAddress.per 1m
workers 1
routes []|routes[].path required|routes[].methods none|routes[].hosts none|routes[].upstream none
routes[].rewritePrefix none|routes[].redirects keep|routes[].caseSensitive false|routes[].targetAllow []|routes[].auth required
routes[].scope []|routes[].hidden false|routes[].onAnonymous refuse|routes[].host keep|routes[].cors gateway
routes[].rateLimit.max required with rateLimit|routes[].rateLimit.per 1m|routes[].rateLimit.by subject|routes[].onSuccess none
routes[].forwardToken false|routes[].onOutage none
routes[].limits.body none|routes[].limits.bodyTimeout none
routes[].timeouts.connect none|routes[].timeouts.headers none|routes[].timeouts.body none|routes[].timeouts.total none
pages.login /login|pages.account /account|pages.title Portcullis|pages.logo none|pages.stylesheet none
limits.headers 16kb|limits.headerCount 200|limits.target 8kb|limits.body 1mb
limits.headersTimeout 10s|limits.bodyTimeout 10s|limits.minBodyRate 240b|limits.idle 60s
limits.connections 0|limits.upgrades 10000|limits.upgradesPerAddress 100|limits.responseHeaders 64kb|limits.eventLoopDelay 1s
timeouts.connect 2s|timeouts.headers 30s|timeouts.body 60s|timeouts.total 0s|timeouts.drain 0s|timeouts.shutdown 6s
admin on|admin.host 127.0.0.1|admin.port 9400|admin.hosts []|admin.token none
upstreams.ca none
upstreams.cert none
upstreams.key none
upstreams.servername none
upstreams.connections 1024
log.level info|log.requests false`

t.test('the settings and defaults are exactly the documented ones', async (t) => {
  const documented = DOCUMENTED.trim().split(/[|\n]/)
  t.same(
    describeSettings().map((row) => `${row.path} ${row.default}`),
    documented,
  )
})

t.test('every setting has a description, a flag and a variable', async (t) => {
  for (const row of describeSettings()) {
    t.ok(row.description.length > 5, row.path)
    t.equal(row.flag, row.path.includes('[]') ? null : `--${row.path}`)
  }
  t.match(
    describeSettings().find(({ path }) => path === 'tokens.reuseGrace'),
    {
      flag: '--tokens.reuseGrace',
      env: 'PORTCULLIS_TOKENS_REUSEGRACE',
    },
  )
})

t.test('no two settings share a variable, and none looks like another’s …_FILE', async (t) => {
  const names = describeSettings().flatMap(({ env }) => env ?? [])
  t.equal(new Set(names).size, names.length)
  t.notOk(names.some((name) => name.endsWith('_FILE')))
})

t.test('--help has a line for each setting', async (t) => {
  const help = settingsHelp()
  for (const path of settingPaths()) t.match(help, `--${path} `)
  t.match(help, /--tokens\.access +lifetime of an access token.* \[15m\]/)
})

t.test('the plugin has the options for hosts and none of the server', async (t) => {
  const paths = describePluginOptions().map(({ path }) => path)
  t.ok(paths.includes('refusals'))
  t.notOk(
    paths.some((path) => /^(listen|routes|limits|timeouts|admin|log|workers|upstreams)([.[]|$)/.test(path)),
  )
})
