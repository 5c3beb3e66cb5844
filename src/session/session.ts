/**
 * A session: what a login begins and a logout ends. It is one record in the store, named by its `sid`. Access tokens
 * carry the `sid`; the one refresh token that is current proves the right to the next access token.
 *
 * Lifetimes: `endsAt` is fixed at the login (`tokens.absolute`); `expiresAt` is the earlier of `endsAt` and the last
 * rotation plus `tokens.refresh`, and is what the store's TTL follows.
 *
 * Threat: whoever reads the store must not be able to use what is found there, so it holds hashes of secrets only;
 * whoever steals a refresh token must be found out, so each may be used once (see refresh.ts).
 */
import type { Milliseconds, UnixMs } from '../clock.js'

declare const sidBrand: unique symbol

/** 128 random bits, base64url, 22 characters. Names the session; knowing it gives no right to anything. */
export type Sid = string & { readonly [sidBrand]: true }

/** Claims of the host's own that every access token of the session carries. */
export type HostClaims = Readonly<Record<string, unknown>>

/** Who logged in, as the login decided it. */
export interface Identity {
  /** The subject: 1 to 256 characters. */
  readonly sub: string
  /** The OAuth client; `portcullis` where there is none. */
  readonly clientId?: string | undefined
  /** Space-separated scopes (RFC 6749 §3.3). */
  readonly scope?: string | undefined
  readonly claims?: HostClaims | undefined
}

/** From where the login came, for the subject's own list of sessions. */
export interface ClientInfo {
  /** What the user calls the device, at most 64 characters. */
  readonly device?: string | undefined
  readonly ip?: string | undefined
  readonly userAgent?: string | undefined
}

export interface Session extends ClientInfo {
  readonly sid: Sid
  readonly sub: string
  readonly clientId: string
  readonly scope: string | undefined
  readonly claims: HostClaims
  readonly createdAt: UnixMs
  /** The login or the last refresh. */
  readonly lastSeenAt: UnixMs
  /** The absolute end; 0 = none. */
  readonly endsAt: UnixMs
  /** When it ends unless it is refreshed before. */
  readonly expiresAt: UnixMs
  /** The mark of the tokens that were minted when it was last written (see src/revocation/replica/instance.ts). */
  readonly mark: string
  /** How many refreshes gave a new token; retries don't count. */
  readonly refreshCount: number
}

/** Why a session ended before its time. */
export type EndReason = 'logout' | 'reuse' | 'evicted' | 'revoked'

/** When a session ends that was rotated (or begun) at `now`. */
export function computeExpiry(now: UnixMs, idle: Milliseconds, endsAt: UnixMs): UnixMs {
  const idleEnd = idle > 0 ? now + idle : Number.POSITIVE_INFINITY
  return Math.min(idleEnd, endsAt > 0 ? endsAt : Number.POSITIVE_INFINITY)
}
