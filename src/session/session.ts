/**
 * A session. A login starts it and a logout ends it. It is one record in the store, named by its `sid`. Access tokens
 * contain the `sid`. The current refresh token gives the right to the next access token.
 *
 * Lifetimes: `endsAt` is fixed at the login (`tokens.absolute`). `expiresAt` is the earlier of `endsAt` and the last
 * rotation plus `tokens.refresh`, and determines the TTL in the store.
 *
 * Threats: an attacker who can read the store must not be able to act as a subject, so the store contains only hashes
 * of secrets. The theft of a refresh token must be detected, so each can be used only once (see refresh.ts).
 */
import type { Milliseconds, UnixMs, UnixSeconds } from '../clock.js'

declare const sidBrand: unique symbol

/** A session id: 128 random bits in base64url, 22 characters. It gives no right to anything. */
export type Sid = string & { readonly [sidBrand]: true }

/** Claims of the host that every access token of the session contains. */
export type HostClaims = Readonly<Record<string, unknown>>

/**
 * An authenticated subject, as a login function returns it.
 *
 * @example
 * ```ts
 * const login: LoginFunction = async ({ username, password }) => {
 *   const user = await users.verify(username, password)
 *   return user && { sub: user.id, scope: 'orders:read orders:write', claims: { tenant: user.tenant } }
 * }
 * ```
 */
export interface Identity {
  /**
   * The subject: 1 to 256 characters (UTF-16 code units), without lone surrogates. A safe integer becomes its
   * decimal text.
   */
  readonly sub: string | number
  /** The OAuth client: 1 to 256 characters. Default: `portcullis`. */
  readonly clientId?: string | undefined
  /** Scopes, separated by spaces (RFC 6749 §3.3). Default: the claim `scope` of `claims`, else none. */
  readonly scope?: string | undefined
  /**
   * Further claims for every access token of the session. They can't replace a claim that Portcullis sets, such as
   * `sub` or `exp`. A token is limited to 8,192 characters. Default: none.
   */
  readonly claims?: HostClaims | undefined
}

/** An identity with what only Portcullis itself adds to it. */
export interface AuthenticatedIdentity extends Identity {
  /** The fingerprint of the password hash, which is stored with the session. Only a users file has it. */
  readonly credential?: string | undefined
}

/**
 * Information about the client of a login. Only the session list shows it. No decision depends on `ip` and `userAgent`.
 * `sessions.perDevice` counts the sessions with the same `device`.
 *
 * @example
 * ```ts
 * await app.portcullis.issue({ sub, device: 'work laptop', ip: request.ip, userAgent: request.headers['user-agent'] })
 * ```
 */
export interface ClientInfo {
  /** The user's name for the device. `POST /auth/login` accepts at most 64 characters. Default: none. */
  readonly device?: string | undefined
  /** The client's IP address. Default: none. */
  readonly ip?: string | undefined
  /** The value of the `User-Agent` header. Default: none. */
  readonly userAgent?: string | undefined
}

/** A session as it is stored. */
export interface Session extends ClientInfo {
  readonly sid: Sid
  readonly sub: string
  readonly clientId: string
  readonly scope: string | undefined
  readonly claims: HostClaims
  readonly createdAt: UnixMs
  /** The time of the login, or of the last refresh. */
  readonly lastSeenAt: UnixMs
  /** The time at which the session ends even if it is refreshed; 0 = never. */
  readonly endsAt: UnixMs
  /** The time at which the session ends unless it is refreshed before. */
  readonly expiresAt: UnixMs
  /** The `jti` prefix at the time of the last write (see src/revocation/replica/instance.ts). */
  readonly jtiPrefix: string
  /** The jti prefix of the login. Records of older versions don't have it. */
  readonly loginJtiPrefix: string | undefined
  /** The number of rotations. Retries within the grace aren't counted. */
  readonly refreshCount: number
  /** The `iat` of the access token that was issued with the last rotation. A retry issues an equal token. */
  readonly rotatedIssuedAt?: UnixSeconds | undefined
  /** The lifetime of the session's access tokens, if it isn't `tokens.access`. */
  readonly accessLife?: Milliseconds | undefined
  /** The longest time between two refreshes, if it isn't `tokens.refresh`. */
  readonly idle?: Milliseconds | undefined
  /** The session whose one-time code started this one. */
  readonly startedBy?: Sid | undefined
  /** The time of the login whose session issued that code, directly or by way of others. */
  readonly loggedInAt?: UnixMs | undefined
  /** The fingerprint of the password hash at the login. Only sessions of users in a users file have it. */
  readonly credential?: string | undefined
  /** True if the cookies of the session end with the browser. */
  readonly endsWithBrowser?: boolean | undefined
}

/** The reason for which a session ended before it expired. */
export type EndReason = 'logout' | 'reuse' | 'evicted' | 'revoked'

/** Returns the time of the login. A session that a one-time code began has the
 * login time of the session that issued the code, because using a code is no login. */
export function loginTime({ createdAt, loggedInAt }: Pick<Session, 'createdAt' | 'loggedInAt'>): UnixMs {
  return loggedInAt ?? createdAt
}

/** Returns the `expiresAt` of a session that was started or rotated at `now`. */
export function computeExpiry(now: UnixMs, idle: Milliseconds, endsAt: UnixMs): UnixMs {
  const idleEnd = idle > 0 ? now + idle : Number.POSITIVE_INFINITY
  return Math.min(idleEnd, endsAt > 0 ? endsAt : Number.POSITIVE_INFINITY)
}
