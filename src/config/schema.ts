import { Type } from 'typebox'
import { bound, choice, count, countOrNone, leaf, lifetime, list } from './leaf.js'
import { LimitsSchema, TimeoutsSchema } from './limits-schema.js'
import { LoginHttpSchema } from './login-http-schema.js'
import { RouteSchema } from './route-schema.js'
import { TRANSPORTS } from '../token/presented-token.js'
import { ALGORITHMS } from '../token/signing-key.js'

/*
 * Every setting, once: types, checks, defaults, flags, environment names, help and docs are derived from here.
 * Durations are milliseconds once parsed, sizes bytes.
 */

const shared = {
  prefix: leaf('prefix', { description: 'the path that our routes stand under', default: '/auth' }),
  store: leaf('store', {
    description: 'memory, redis://, rediss://, redis+sentinel://h1,h2/master or redis+cluster://h1,h2',
    default: 'redis://127.0.0.1:6379/0',
    secret: true,
  }),
  keyPrefix: leaf('keyPrefix', { description: 'of every Redis key', default: 'portcullis' }),
  issuer: leaf('text', {
    description: 'the iss of our tokens, such as https://api.example.com',
    maximum: 512,
  }),
  audience: leaf('text', {
    description: 'the aud of our tokens, such as https://api.example.com',
    maximum: 512,
  }),
  keys: Type.Object({
    algorithm: choice(ALGORITHMS, { description: 'what access tokens are signed with', default: 'ES256' }),
    dir: leaf('path', { description: 'where keys are made and kept', default: './keys' }),
    signing: Type.Optional(
      leaf('signingKey', {
        description: 'one PEM or JWK, as text or a file’s path; then keys.dir is not touched',
        secret: true,
      }),
    ),
  }),
  tokens: Type.Object({
    access: leaf('duration', {
      description: 'life of an access token, whole seconds',
      default: '15m',
      minimum: 1000,
      maximum: 86_400_000,
    }),
    refresh: lifetime({ description: 'life of a session without a refresh; 0s: no limit', default: '30d' }),
    absolute: lifetime({ description: 'life of a session since its login; 0s: no limit', default: '90d' }),
    refreshLimit: countOrNone({ description: 'refreshes in a session; 0: no limit', default: 0 }),
    reuseGrace: leaf('duration', {
      description: 'how long a retry with the token just used is answered',
      default: '10s',
      maximum: 60_000,
    }),
    leeway: leaf('duration', {
      description: 'tolerated clock offset in exp and nbf',
      default: '0s',
      maximum: 60_000,
    }),
    verifiedCache: leaf('integer', {
      description: 'access tokens whose signature need not be verified again; 0: none',
      default: 50_000,
      maximum: 10_000_000,
    }),
  }),
  sessions: Type.Object({
    perSubject: countOrNone({ description: 'sessions that a subject may have; 0: no limit', default: 100 }),
    onLimit: choice(['evict-oldest', 'refuse'], {
      description: 'what a login beyond the limit does',
      default: 'evict-oldest',
    }),
    perDevice: countOrNone({ description: 'sessions of a subject on one device; 0: no limit', default: 0 }),
  }),
  revocation: Type.Object({
    check: choice(['replica', 'redis'], {
      description: 'how requests ask for denials (replica: no Redis on the way; redis: one MGET each)',
      default: 'replica',
    }),
    lease: leaf('duration', {
      description: 'how long an instance decides by its replica without hearing from Redis',
      default: '1s',
      minimum: 200,
      // Not over τ, and half of it is waited for where there is none.
      maximum: 2_000,
    }),
    onOutage: leaf('onOutage', {
      description: 'while denials can’t be asked: closed (503), { stale: 30s }, or open',
      default: 'closed',
    }),
    onLostHistory: choice(['reject', 'heal', 'accept'], {
      description: 'what becomes of older tokens when Redis has lost data',
      default: 'heal',
    }),
    waitReplicas: countOrNone({ description: 'replicas of Redis that must have each denial', default: 0 }),
    horizon: Type.Optional(
      leaf('duration', {
        description: 'longest exp − iat accepted; tokens.access unless set',
        minimum: 1000,
        maximum: 86_400_000,
      }),
    ),
  }),
  accept: Type.Object({
    from: list(choice(TRANSPORTS, { description: 'a transport' }), {
      description: 'where access tokens are looked for (body: in the plugin alone)',
      default: ['header', 'cookie'],
      minItems: 1,
    }),
  }),
  cookies: Type.Object({
    enabled: leaf('boolean', { description: 'logins may ask for cookies', default: true }),
    secure: leaf('boolean', {
      description: '__Host- and __Secure- cookies; false for http in development',
      default: true,
    }),
  }),
  cors: Type.Object({
    origins: list(leaf('origin', { description: 'an origin' }), {
      description: 'origins that may call with credentials, exactly',
      default: [],
    }),
  }),
  login: Type.Object({
    users: Type.Optional(
      leaf('path', { description: 'file of NAME:hash lines (argon2id, bcrypt); none: no login route' }),
    ),
    http: Type.Optional(LoginHttpSchema),
    page: Type.Optional(
      leaf('loginPage', { description: 'path or URL where browsers are sent to log in (forward-auth)' }),
    ),
  }),
  identity: Type.Object({
    headers: leaf('identityHeaders', {
      description: 'headers for the upstream, and the claim in each, or a template such as {sub}@{tenant}',
      default: { 'X-Forwarded-User': 'sub', 'X-Auth-Request-Session': 'sid' },
    }),
    token: Type.Optional(
      Type.Object({
        header: leaf('headerName', {
          description: 'the header for a short JWT that proves the identity, signed with our key',
          default: 'X-Portcullis-Identity',
        }),
        audience: leaf('text', {
          description: 'its aud; never that of access tokens',
          maximum: 512,
        }),
        life: leaf('duration', {
          description: 'how long it is good, whole seconds',
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
        failures: count({ description: 'failed logins of an account', default: 10 }),
        per: bound({ description: 'the time they are counted in', default: '15m' }),
      }),
      perAddress: Type.Object({
        failures: count({ description: 'failed logins from an address', default: 50 }),
        per: bound({ description: 'the time they are counted in', default: '15m' }),
      }),
    }),
    refresh: Type.Object({
      perAddress: Type.Object({
        max: count({ description: 'refreshes from an address', default: 600 }),
        per: bound({ description: 'the time they are counted in', default: '1m' }),
      }),
    }),
  }),
}

/** The gateway's settings: the YAML file, flags and environment. */
export const SettingsSchema = Type.Object({
  listen: Type.Object({
    host: leaf('host', { description: 'address to listen on', default: '0.0.0.0' }),
    port: leaf('integer', {
      description: 'port to listen on; 0: a free one',
      default: 3000,
      maximum: 65_535,
    }),
    trustProxy: list(leaf('cidr', { description: 'a network' }), {
      description: 'peers whose forwarded headers are believed (CIDRs)',
      default: [],
    }),
    tls: Type.Optional(
      Type.Object({
        cert: leaf('path', { description: 'certificate chain, PEM file' }),
        key: leaf('path', { description: 'its private key, PEM file' }),
      }),
    ),
  }),
  ...shared,
  workers: count({
    description: 'processes that share the port; each an instance of its own',
    default: 1,
    maximum: 256,
  }),
  routes: Type.Array(RouteSchema, { description: 'what is let through, and where to', default: [] }),
  limits: LimitsSchema,
  timeouts: TimeoutsSchema,
  admin: Type.Union(
    [
      Type.Literal(false),
      Type.Object({
        host: leaf('host', { description: 'address of the admin listener', default: '127.0.0.1' }),
        port: leaf('integer', { description: 'its port; 0: a free one', default: 9400, maximum: 65_535 }),
        token: Type.Optional(
          leaf('bearerSecret', {
            description:
              'what its callers prove themselves with, ≥ 32 characters; none: /metrics alone is served',
            secret: true,
          }),
        ),
      }),
    ],
    { description: 'false: no admin listener' },
  ),
  upstreams: Type.Object({
    ca: Type.Optional(
      leaf('path', { description: 'certificates that https upstreams are trusted by, PEM file' }),
    ),
    connections: count({
      description: 'to one server of an upstream, of each process; more requests wait',
      default: 1024,
    }),
  }),
  log: Type.Object({
    level: choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
      description: 'the least grave event that is logged',
      default: 'info',
    }),
    requests: leaf('boolean', { description: 'a line for each request', default: false }),
  }),
})

/** The Fastify plugin's options, apart from what only a program can give (see {@link PluginOptions}). */
export const PluginSchema = Type.Object({
  ...shared,
  refusals: choice(['answer', 'throw'], {
    description: 'whether guards answer a refusal or leave it to the host’s error handler',
    default: 'answer',
  }),
})
