import type { RedisOptions } from 'ioredis'
import type { Static, TObject, TProperties } from 'typebox'
import type { PluginSchema, SettingsSchema } from './schema.js'
import type { LoginFunction, RefreshFunction } from './host-functions.js'
import type { Leaf } from './leaf.js'
import type { RouteSchema } from './route-schema.js'
import type { Transport } from '../token/presented-token.js'
import type { Algorithm } from '../token/signing-key.js'

type Tree = Static<typeof SettingsSchema>
type RouteTree = Static<typeof RouteSchema>

/** A route. Where it has no `limits` and `timeouts` of its own, those of the gateway are filled in. */
export type RouteSettings = DeepReadonly<
  Omit<RouteTree, 'limits' | 'timeouts'> & {
    limits: Pick<Tree['limits'], 'body' | 'bodyTimeout'>
    timeouts: Omit<Tree['timeouts'], 'drain' | 'shutdown'>
  }
>

/** All settings, parsed and frozen. Durations are in milliseconds, sizes in bytes, and defaults are filled in. */
export type Settings = DeepReadonly<Omit<Tree, 'routes' | 'tokens'>> & {
  readonly routes: readonly RouteSettings[]
  readonly tokens: TokenSettings
}

/** The settings of `tokens`, with the defaults of the scheme. */
export type TokenSettings = Readonly<Required<Tree['tokens']>>

/** The settings of `serve`, with at least one route. */
export type GatewaySettings = Settings & { readonly routes: readonly [RouteSettings, ...RouteSettings[]] }

/** The plugin's settings, parsed. `store` may be an object of ioredis options, which is passed to ioredis unchanged. */
export type PluginSettings = DeepReadonly<Omit<Static<typeof PluginSchema>, 'store' | 'login' | 'tokens'>> & {
  readonly tokens: TokenSettings
  readonly store: string | RedisOptions
  readonly login: LoginFunction | DeepReadonly<Tree['login']>
  /** Set only by a host application. */
  readonly onRefresh?: RefreshFunction | undefined
}

/**
 * What a host passes to `register`. Durations are text with a unit, such as `'15m'`, and file paths are relative to the
 * working directory. `docs/configuration.md` explains each option in more detail.
 *
 * @example
 * await app.register(portcullis, {
 *   issuer: 'https://api.example.com',
 *   audience: 'https://api.example.com',
 *   store: 'redis://127.0.0.1:6379/0',
 *   login: { users: './users.htpasswd' },
 * })
 */
export interface PluginOptions<Request = unknown> {
  /** The `iss` claim of access tokens, such as `https://api.example.com`. Equal on all instances. */
  issuer: string
  /** The `aud` claim of access tokens, such as `https://api.example.com`. Equal on all instances. */
  audience: string
  /** The path prefix of Portcullis's own routes. Default: `/auth`. */
  prefix?: string
  /**
   * `memory`, the URL of a Redis, or ioredis options. It can't be a client, because Portcullis opens its own connections.
   * `none` works with `keys.verify` or `keys.jwks` only: then nothing can be revoked. Default: `redis://127.0.0.1:6379/0`.
   *
   * @example 'redis+sentinel://h1:26379,h2:26379/mymaster'
   */
  store?: string | RedisOptions
  /** The prefix of every Redis key. Default: `portcullis`. */
  keyPrefix?: string
  /** The key that signs access tokens, or the public keys of an instance that only verifies them. */
  keys?: {
    /** The signature algorithm. Default: `ES256`, or with `verify` and `jwks` that of each key. */
    algorithm?: Algorithm
    /** The directory in which the key is generated and kept. Default: `./keys`, or only memory with `store: memory`. */
    dir?: string
    /** One key as PEM or JWK, or the path of its file. `dir` is then unused. */
    signing?: string
    /**
     * Public keys: PEM, certificate, JWK, JWK Set, the path of a file of one, or a list of these. The instance then has
     * no key that signs, and so no login, no refresh and no `issue`. It excludes `signing`, `dir` and `jwks`.
     *
     * @example ['./issuer.pem', './next.pem']
     */
    verify?: string | object
    /** The URL of the issuer's JWK Set, instead of `verify`. It must be https, except for loopback addresses. */
    jwks?: string
  }
  tokens?: {
    /** `dual`: access and refresh tokens. `single`: the access token itself is exchanged. Default: `dual`. */
    scheme?: 'dual' | 'single'
    /** The lifetime of an access token, in whole seconds, from `1s` to `7d`. Default: `15m`. */
    access?: string
    /** The lifetime of a session without a refresh. `0s` means no limit. Default: `30d`. */
    refresh?: string
    /** The lifetime of a session since its login. `0s` means no limit. Default: `90d`; in the single scheme `72h`. */
    absolute?: string
    /** The maximum number of refreshes per session. `0` means no limit. Default: `0`; in the single scheme `50`. */
    refreshLimit?: number
    /** The part of its lifetime by which an access token may live shorter, from `0` to `0.25`. Default: `0`. */
    jitter?: number
    /** The time after a refresh in which the previous refresh token still gets the same new tokens. Default: `10s`. */
    reuseGrace?: string
    /** The time left of an access token under which a response brings a new one. `0s` means never. Default: `0s`. */
    renewUnder?: string
    /** The clock difference that is tolerated in `exp` and `nbf`, up to `1m`. Default: `0s`. */
    leeway?: string
    /** The number of access tokens whose valid signature is remembered. `0` turns the cache off. Default: `50000`. */
    verifiedCache?: number
  }
  /** One-time codes, with which a session begins another one. Without `codes`, there are no routes for them. */
  codes?: {
    /** The lifetime of a code, from `1s` to `1h`. Default: `10m`. */
    life?: string
    /** The lifetime of the access tokens of a session that a code began, in whole seconds, up to `7d`. Default: `2h`. */
    access?: string
    /** The lifetime of such a session without a refresh. Default: `30d`. */
    refresh?: string
  }
  sessions?: {
    /** The maximum number of sessions per subject. `0` means no limit. Default: `100`. */
    perSubject?: number
    /** The effect of a login beyond the limit. Default: `evict-oldest`. */
    onLimit?: 'evict-oldest' | 'refuse'
    /** The maximum number of sessions per subject and device. `0` means no limit. Default: `0`. */
    perDevice?: number
  }
  revocation?: {
    /**
     * The source of the denylist for each request: this instance's memory, or one MGET in Redis. With `presence`, which
     * includes `redis`, the session must also have a record in Redis. Default: `replica`.
     */
    check?: 'replica' | 'redis' | 'presence'
    /** The longest time for which an instance decides without a sync with Redis, from `200ms` to `2s`. Default: `1s`. */
    lease?: string
    /**
     * The behaviour while the denylist can't be checked: 503, admit for a time, or admit. Default: `closed`.
     *
     * @example { stale: '30s' }
     */
    onOutage?: string | { stale: string }
    /** The treatment of older tokens after Redis has lost data. Default: `heal`. */
    onLostHistory?: 'reject' | 'heal' | 'accept'
    /** The number of Redis replicas that must have each denylist entry. Default: `0`. */
    waitReplicas?: number
    /**
     * The longest `exp − iat` that is accepted, up to `7d`. Default: `tokens.access`, or `codes.access` if it is longer.
     */
    horizon?: string
  }
  accept?: {
    /** The transports in which access tokens are accepted. Default: `['header', 'cookie']`. */
    from?: readonly Transport[]
  }
  cookies?: {
    /** `true` lets a login request its tokens as cookies. Default: `true`. */
    enabled?: boolean
    /** `true` uses `__Host-` and `__Secure-` cookies. `false` is for plain http in development. Default: `true`. */
    secure?: boolean
    /** `SameSite` of the cookies. `none` needs `secure`. Default: `lax`. */
    sameSite?: 'lax' | 'strict' | 'none'
    /** The path of the refresh cookie. Default: the path of Portcullis's own routes, with the prefix of their context. */
    path?: string
    /** A domain that shares the cookies with its subdomains, such as `example.com`. Default: one host only. */
    domain?: string
  }
  cors?: {
    /** The exact origins whose pages may send requests with credentials. Default: `[]`. */
    origins?: readonly string[]
  }
  /** A users file, a legacy API, or a function. Without it, there is no login route. */
  login?: LoginFunction<Request> | LoginOptions
  /**
   * Reads the user again at each refresh: returns what has changed, or `null` to end the session. An error means 503,
   * whatever its status is: only `null` ends a session. Default: the user stays as at the login.
   *
   * @example async ({ sub }) => ((await users.isActive(sub)) ? { scope: await users.scopeOf(sub) } : null)
   */
  onRefresh?: RefreshFunction<Request>
  identity?: {
    /** Headers for an upstream, each with a claim or a template such as `{sub}@{tenant}`. */
    headers?: Record<string, string>
    /** A short-lived JWT that proves the identity to an upstream. It needs an algorithm with a key pair. */
    token?: {
      /** The header that contains the JWT. Default: `X-Portcullis-Identity`. */
      header?: string
      /** Required. The `aud` claim of the JWT. It must differ from the `aud` of access tokens. */
      audience?: string
      /** The lifetime of the JWT, in whole seconds, from `5s` to `5m`. Default: `30s`. */
      life?: string
    }
  }
  rateLimit?: {
    login?: {
      /** Failed and successful logins per account. Default: 10 and 300 per `15m`. */
      perAccount?: { failures?: number; successes?: number; per?: string }
      /** Failed and successful logins per address. Default: 50 and 5,000 per `15m`. */
      perAddress?: { failures?: number; successes?: number; per?: string }
    }
    refresh?: {
      /** Refreshes per address. Default: 600 per `1m`. */
      perAddress?: { max?: number; per?: string }
    }
  }
  /** How guards refuse a request: they send the error, or throw it to your error handler. Default: `answer`. */
  refusals?: 'answer' | 'throw'
  /** The names that the plugin adds to your application, or `false` for none. `app.portcullis` always has the guards. */
  decorators?: {
    /** The name of the guard `app.authenticate`. Default: `authenticate`. */
    authenticate?: string | false
    /** The name of the guard `app.authorize`. Default: `authorize`. */
    authorize?: string | false
    /** The property of a request that has the verified token. Default: `auth`. */
    auth?: string | false
  }
}

/** The form of `login` that can be written in a file. `users` and `http` exclude each other. */
export interface LoginOptions {
  /** The path of a users file of `NAME:HASH` or `NAME:HASH:SCOPES` lines (argon2id, bcrypt). */
  users?: string
  /** A legacy API that verifies credentials. */
  http?: {
    /** Required. The URL to which each login is sent by POST. */
    url?: string
    /** The format of the request body. Default: `json`. */
    body?: 'json' | 'form'
    /** The body field for the username. Default: `username`. */
    username?: string
    /** The body field for the password. Default: `password`. */
    password?: string
    /** Required. A JSON pointer (RFC 6901) to the `sub` claim in the response, such as `/data/user/id`. */
    subject?: string
    /** More claims, each with a JSON pointer into the response, such as `{ role: '/data/user/role' }`. */
    claims?: Record<string, string>
    /** The URL to which each refresh sends `sub` and `sid` by POST, to get the claims again. Default: no request. */
    refresh?: string
    /** The maximum time until the response, up to `1m`. Default: `5s`. */
    timeout?: string
  }
  /** The path or URL of the login page to which guards and forward-auth redirect browsers. */
  page?: string
  /** The origins behind forward-auth to which a login page on another host may return browsers. Default: `[]`. */
  origins?: readonly string[]
}

type PluginInput = In<typeof PluginSchema>

/** The options as derived from the schema. {@link PluginOptions} must be equal to it. */
type DerivedOptions<Request> = Omit<PluginInput, 'store' | 'login' | 'issuer' | 'audience'> & {
  issuer: string
  audience: string
  store?: string | RedisOptions
  login?: LoginFunction<Request> | NonNullable<PluginInput['login']>
  onRefresh?: RefreshFunction<Request>
}

/** Resolves intersections and `Omit`, so that {@link Equal} compares members. */
type Flat<T> = T extends (...args: never) => unknown
  ? T
  : T extends readonly unknown[]
    ? T
    : T extends object
      ? { [K in keyof T]: Flat<T[K]> }
      : T

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

// Fails to compile if an option is missing in the interface or in the schema, or has another type.
true satisfies Equal<Flat<Omit<PluginOptions, 'store'>>, Flat<Omit<DerivedOptions<unknown>, 'store'>>>

type DeepReadonly<T> = T extends readonly (infer E)[]
  ? readonly DeepReadonly<E>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T

/** The type that a program writes for a schema. Every key is optional. */
type In<S> =
  S extends TObject<infer P extends TProperties>
    ? { [K in keyof P]?: In<P[K]> }
    : S extends { items: infer I }
      ? readonly In<I>[]
      : S extends Leaf<infer _Out, infer I>
        ? I
        : never
