import { Type } from 'typebox'
import { MAX_ACCESS, bound, choice, count, countOrNone, leaf, lifetime, list } from './leaf.js'
import { CodesSchema } from './codes-schema.js'
import { LimitsSchema, TimeoutsSchema } from './limits-schema.js'
import { LoginHttpSchema } from './login-http-schema.js'
import { PagesSchema } from './pages-schema.js'
import { RouteSchema } from './route-schema.js'
import { TRUST_HEADERS } from '../gateway/proxy-headers.js'
import { TRANSPORTS } from '../token/presented-token.js'
import { SCHEMES } from '../token/schemes.js'
import { SAME_SITE } from '../token/token-cookies.js'
import { ALGORITHMS } from '../token/signing-key.js'

/*
 * The source of each setting. The `*-schema.ts` files beside it have `codes`, `limits`, `pages`, `timeouts`, `routes` and
 * `login.http`. Types, checks, defaults, flags, environment names, help and docs are derived from it.
 * Parsed durations are milliseconds, and parsed sizes are bytes.
 */

const shared = {
  prefix: leaf('prefix', {
    description: 'path prefix of Portcullis’s own routes, such as /auth/login',
    default: '/auth',
  }),
  store: leaf('store', {
    description:
      'memory, redis://, rediss://, redis+sentinel://h1,h2/master or redis+cluster://h1,h2; none only with keys that verify',
    default: 'redis://127.0.0.1:6379/0',
    secret: true,
  }),
  keyPrefix: leaf('keyPrefix', { description: 'prefix of every Redis key', default: 'portcullis' }),
  issuer: leaf('text', {
    description: 'iss claim of access tokens, such as https://api.example.com',
    maximum: 512,
  }),
  audience: leaf('text', {
    description: 'aud claim of access tokens, such as https://api.example.com',
    maximum: 512,
  }),
  keys: Type.Object({
    algorithm: Type.Optional(
      choice(ALGORITHMS, {
        description:
          'signature algorithm of access tokens; by default ES256, or with keys.verify and keys.jwks that of each key',
      }),
    ),
    dir: Type.Optional(
      leaf('path', {
        description:
          'directory in which the signing key is generated and kept; by default ./keys, or only memory with store: memory',
      }),
    ),
    signing: Type.Optional(
      leaf('signingKey', {
        description: 'one key as PEM or JWK, or the path of its file; keys.dir is then unused',
        secret: true,
      }),
    ),
    verify: Type.Optional(
      leaf('verifyingKeys', {
        description:
          'public keys for an instance that only verifies: PEM, certificate, JWK, JWK Set, the path of a file of one, or a list',
        secret: true,
      }),
    ),
    jwks: Type.Optional(
      leaf('jwksUrl', {
        description: 'https URL of the issuer’s JWK Set, for an instance that only verifies',
      }),
    ),
  }),
  tokens: Type.Object({
    scheme: choice(SCHEMES, {
      description:
        'tokens of a session (dual: access and refresh tokens; single: an access token that is exchanged for the next one)',
      default: 'dual',
    }),
    access: leaf('duration', {
      description: 'lifetime of an access token, in whole seconds',
      default: '15m',
      minimum: 1000,
      maximum: MAX_ACCESS,
    }),
    refresh: lifetime({
      description: 'lifetime of a session without a refresh; 0s means no limit',
      default: '30d',
    }),
    absolute: Type.Optional(
      lifetime({
        description:
          'lifetime of a session since its login; 0s means no limit; by default 90d, or 72h in the single scheme',
      }),
    ),
    refreshLimit: Type.Optional(
      countOrNone({
        description:
          'maximum number of refreshes per session; 0 means no limit, which is the default; 50 in the single scheme',
      }),
    ),
    jitter: leaf('fraction', {
      description:
        'part of its lifetime by which an access token may live shorter, from 0 to 0.25, to spread refreshes',
      default: 0,
      maximum: 0.25,
    }),
    reuseGrace: leaf('duration', {
      description: 'time after a refresh in which the previous refresh token still gets the same new tokens',
      default: '10s',
      maximum: 60_000,
    }),
    renewUnder: leaf('duration', {
      description:
        'time left of an access token under which a response brings a new one; 0s means that none does',
      default: '0s',
      maximum: MAX_ACCESS,
    }),
    leeway: leaf('duration', {
      description: 'clock difference that is tolerated in exp and nbf',
      default: '0s',
      maximum: 60_000,
    }),
    verifiedCache: leaf('integer', {
      description:
        'number of access tokens, of 2 kB each, whose valid signature is remembered; 0 turns the cache off',
      default: 50_000,
      maximum: 10_000_000,
    }),
  }),
  codes: Type.Optional(CodesSchema),
  sessions: Type.Object({
    perSubject: countOrNone({
      description: 'maximum number of sessions per subject; 0 means no limit',
      default: 100,
    }),
    onLimit: choice(['evict-oldest', 'refuse'], {
      description: 'effect of a login beyond the limit',
      default: 'evict-oldest',
    }),
    perDevice: countOrNone({
      description: 'maximum number of sessions per subject and device; 0 means no limit',
      default: 0,
    }),
  }),
  revocation: Type.Object({
    check: choice(['replica', 'redis', 'presence'], {
      description:
        'source of the denylist for each request (replica: this instance’s memory; redis: one MGET per request; presence: also, the session must be in Redis)',
      default: 'replica',
    }),
    lease: leaf('duration', {
      description: 'longest time for which an instance decides from its replica without a sync with Redis',
      default: '1s',
      minimum: 200,
      // At most the tolerated clock difference (2 s), see docs/configuration.md.
      maximum: 2_000,
    }),
    onOutage: leaf('onOutage', {
      description: 'behaviour while the denylist can’t be checked: closed (503), { stale: 30s }, or open',
      default: 'closed',
    }),
    onLostHistory: choice(['reject', 'heal', 'accept'], {
      description: 'treatment of older tokens after Redis has lost data',
      default: 'heal',
    }),
    waitReplicas: countOrNone({
      description: 'number of Redis replicas that must have each denylist entry',
      default: 0,
    }),
    horizon: Type.Optional(
      leaf('duration', {
        description:
          'longest exp − iat that is accepted; by default tokens.access, or codes.access if it is longer, or that of the issuer',
        minimum: 1000,
        maximum: MAX_ACCESS,
      }),
    ),
  }),
  accept: Type.Object({
    from: list(choice(TRANSPORTS, { description: 'a transport' }), {
      description: 'transports in which access tokens are accepted (body: plugin only)',
      default: ['header', 'cookie'],
      minItems: 1,
    }),
  }),
  cookies: Type.Object({
    enabled: leaf('boolean', {
      description: 'true lets a login request its tokens as cookies',
      default: true,
    }),
    secure: leaf('boolean', {
      description: 'true uses __Host- and __Secure- cookies; false is for plain http in development',
      default: true,
    }),
    sameSite: choice(SAME_SITE, { description: 'SameSite of the cookies', default: 'lax' }),
    path: Type.Optional(
      leaf('cookiePath', {
        description: 'path of the refresh cookie; by default the path of Portcullis’s own routes',
      }),
    ),
    domain: Type.Optional(
      leaf('cookieDomain', {
        description: 'domain that shares the cookies with its subdomains; by default one host only',
      }),
    ),
  }),
  cors: Type.Object({
    origins: list(leaf('origin', { description: 'an origin' }), {
      description: 'exact origins whose pages may send requests with credentials',
      default: [],
    }),
  }),
  login: Type.Object({
    users: Type.Optional(
      leaf('path', { description: 'users file of NAME:HASH or NAME:HASH:SCOPES lines (argon2id, bcrypt)' }),
    ),
    http: Type.Optional(LoginHttpSchema),
    page: Type.Optional(
      leaf('loginPage', {
        description: 'path or URL of the login page to which browsers are redirected',
      }),
    ),
    origins: list(leaf('origin', { description: 'an origin' }), {
      description: 'origins behind forward-auth to which a login page on another host may return browsers',
      default: [],
    }),
  }),
  identity: Type.Object({
    headers: leaf('identityHeaders', {
      description: 'headers for the upstream, each with a claim or a template such as {sub}@{tenant}',
      default: { 'X-Forwarded-User': 'sub', 'X-Auth-Request-Session': 'sid' },
    }),
    token: Type.Optional(
      Type.Object({
        header: leaf('headerName', {
          description: 'header for a short-lived JWT that proves the identity to the upstream',
          default: 'X-Portcullis-Identity',
        }),
        audience: leaf('text', {
          description: 'aud claim of that JWT; must differ from the aud of access tokens',
          maximum: 512,
        }),
        life: leaf('duration', {
          description: 'lifetime of that JWT, in whole seconds',
          default: '30s',
          minimum: 5_000,
          maximum: 300_000,
        }),
      }),
    ),
  }),
  rateLimit: Type.Object({
    login: Type.Object({
      perAccount: Type.Object({
        failures: count({ description: 'maximum number of failed logins per account', default: 10 }),
        successes: count({ description: 'maximum number of successful logins per account', default: 300 }),
        per: bound({ description: 'time window of these limits', default: '15m' }),
      }),
      perAddress: Type.Object({
        failures: count({ description: 'maximum number of failed logins per address', default: 50 }),
        successes: count({ description: 'maximum number of successful logins per address', default: 5_000 }),
        per: bound({ description: 'time window of these limits', default: '15m' }),
      }),
    }),
    refresh: Type.Object({
      perAddress: Type.Object({
        max: count({ description: 'maximum number of refreshes per address', default: 600 }),
        per: bound({ description: 'time window of that limit', default: '1m' }),
      }),
    }),
  }),
}

/** The gateway's settings, as written in the YAML file, flags and environment variables. */
export const SettingsSchema = Type.Object({
  listen: Type.Object({
    host: leaf('host', { description: 'address to listen on', default: '0.0.0.0' }),
    port: leaf('integer', {
      description: 'port to listen on; 0 picks a free port',
      default: 3000,
      maximum: 65_535,
    }),
    trustProxy: list(leaf('cidr', { description: 'a network' }), {
      description: 'proxies whose forwarded headers are trusted (addresses or CIDRs)',
      default: [],
    }),
    trustHeaders: choice(TRUST_HEADERS, {
      description: 'headers in which these proxies describe the client (x-forwarded: X-Forwarded-*)',
      default: 'x-forwarded',
    }),
    tls: Type.Optional(
      Type.Object({
        cert: leaf('path', { description: 'PEM file with the certificate chain' }),
        key: leaf('path', { description: 'PEM file with the private key' }),
      }),
    ),
  }),
  ...shared,
  workers: count({
    description: 'number of processes that share the port; each is an instance of its own',
    default: 1,
    maximum: 256,
  }),
  routes: Type.Array(RouteSchema, { description: 'route table; all other paths are 404', default: [] }),
  pages: Type.Optional(PagesSchema),
  limits: LimitsSchema,
  timeouts: TimeoutsSchema,
  admin: Type.Union(
    [
      Type.Literal(false),
      Type.Object({
        host: leaf('host', { description: 'address of the admin listener', default: '127.0.0.1' }),
        port: leaf('integer', {
          description: 'port of the admin listener; 0 picks a free port',
          default: 9400,
          maximum: 65_535,
        }),
        hosts: list(leaf('routeHost', { description: 'a host' }), {
          description:
            'host names, besides those without a dot, by which clients may address the admin listener',
          default: [],
        }),
        token: Type.Optional(
          leaf('bearerSecret', {
            description: 'bearer token for /api, at least 32 characters; without it there is no /api',
            secret: true,
          }),
        ),
      }),
    ],
    { description: 'false turns the admin listener off' },
  ),
  upstreams: Type.Object({
    ca: Type.Optional(
      leaf('path', { description: 'PEM file with more CA certificates for https upstreams' }),
    ),
    cert: Type.Optional(
      leaf('path', {
        description: 'PEM file with the client certificate for https upstreams, and those of its authorities',
      }),
    ),
    key: Type.Optional(leaf('path', { description: 'PEM file with the private key of upstreams.cert' })),
    servername: Type.Optional(
      leaf('host', {
        description:
          'name that https upstreams must have in their certificate; by default the host of their origin',
      }),
    ),
    connections: count({
      description:
        'maximum number of connections per process and upstream server; further requests wait, and one client address occupies at most half',
      default: 1024,
    }),
  }),
  log: Type.Object({
    level: choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
      description: 'lowest level that is logged',
      default: 'info',
    }),
    requests: leaf('boolean', { description: 'true logs one line per request', default: false }),
  }),
})

/** The Fastify plugin's options, except for values that only a program can pass (see {@link PluginOptions}). */
export const PluginSchema = Type.Object({
  ...shared,
  refusals: choice(['answer', 'throw'], {
    description: 'how guards refuse a request (answer: they send the error; throw: your error handler does)',
    default: 'answer',
  }),
  decorators: Type.Object({
    authenticate: leaf('decoratorName', {
      description: 'name of the decorator for authenticate; false adds none',
      default: 'authenticate',
    }),
    authorize: leaf('decoratorName', {
      description: 'name of the decorator for authorize; false adds none',
      default: 'authorize',
    }),
    auth: leaf('decoratorName', {
      description: 'name of the property of a request that has the verified token; false adds none',
      default: 'auth',
    }),
  }),
})
