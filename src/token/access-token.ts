/**
 * The access token: a JWT (RFC 7519) of type `at+jwt` (RFC 9068). This file checks its header and its claims, and
 * builds the claims of new tokens. Signatures are checked by implementations of `KeyVerifier`.
 */
import type { Milliseconds, UnixMs, UnixSeconds } from '../clock.js'
import { PortcullisError } from '../errors.js'
import { hasLoneSurrogate } from '../lone-surrogate.js'
import type { TokenStamp } from '../revocation/denylist.js'
import { loginTime } from '../session/session.js'
import type { Session } from '../session/session.js'
import type { Algorithm } from './signing-key.js'

export const ACCESS_TOKEN_TYPE = 'at+jwt'

/** Maximum length of an access token, in characters. Longer tokens are neither issued nor verified. */
export const MAX_TOKEN_LENGTH = 8_192
/** Maximum length of `sub`, `sid`, `jti` and `client_id`, in characters. */
export const MAX_ID_LENGTH = 256

/**
 * The claims of an access token (RFC 9068 §2.2). All times are Unix seconds. Claims that the host passed at the login
 * are present under their own names.
 *
 * @example
 * ```ts
 * app.get('/me', { onRequest: authenticate }, async (request) => request.auth?.claims['tenant'])
 * ```
 */
export interface AccessClaims {
  /** The setting `issuer`. */
  readonly iss: string
  /** The setting `audience`, or a list that contains it. */
  readonly aud: string | readonly string[]
  /** The subject: 1 to 256 characters. */
  readonly sub: string
  /** The session id. It gives no right to anything. */
  readonly sid: string
  /** The unique id of this token. */
  readonly jti: string
  /** The time of issue, in Unix seconds. */
  readonly iat: UnixSeconds
  /** The time of expiry, in Unix seconds. */
  readonly exp: UnixSeconds
  /** The OAuth client. Tokens that Portcullis issues always have it. Default: `portcullis`. */
  readonly client_id?: string
  /** The time of the login, in Unix seconds. Tokens that Portcullis issues always have it. */
  readonly auth_time?: UnixSeconds
  /** Scopes, separated by spaces (RFC 6749 §3.3). Absent if the session has none. */
  readonly scope?: string
  /** Any claim of the host. */
  readonly [claim: string]: unknown
}

/** A key that is bound to one algorithm (RFC 8725 §3.1). */
export interface KeyVerifier {
  readonly kid: string
  readonly algorithm: Algorithm
  /**
   * Returns the payload of a token that this key signed. Doesn't check `exp` and `nbf`.
   *
   * @throws {Error} if the signature isn't valid
   */
  verify(token: string): Record<string, unknown>
}

/** The keys whose tokens are accepted. A `Map` of keys that never change is one. */
export interface KeySet {
  /** Returns the key with this id, or `undefined` if there is none. Tokens of a removed key are refused at once. */
  get(kid: string): KeyVerifier | undefined
  /**
   * Looks for a key that `get` doesn't know. Resolves when `get` can be called again. Returns `undefined` if there is
   * nothing to wait for. Never rejects.
   */
  load?(kid: string): Promise<void> | undefined
}

/** Signs and verifies the access tokens of one key. */
export interface Jwt {
  sign(claims: AccessClaims): string
  readonly verifier: KeyVerifier
}

/** The settings that claims are checked against. */
export interface ClaimSettings {
  readonly issuer: string
  readonly audience: string
  /** Maximum `exp − iat`. */
  readonly horizon: Milliseconds
  /** The tolerated clock difference in `exp` and `nbf`. */
  readonly leeway: Milliseconds
}

/**
 * Returns the key that the token's header names. The header must be one that Portcullis itself writes.
 *
 * @throws {PortcullisError} `token_malformed`, `token_invalid`, and every error of `KeySet.get`
 */
export function selectKey(token: string, keys: KeySet): KeyVerifier {
  const { alg, kid } = readOwnHeader(token)
  const key = typeof kid === 'string' ? keys.get(kid) : undefined
  if (!key) throw invalid('kid')
  if (alg !== key.algorithm) throw invalid('alg')
  return key
}

/** Returns the key id in the header of a token, or `undefined` if `selectKey` would refuse the header. */
export function readKid(token: string): string | undefined {
  try {
    const { kid } = readOwnHeader(token)
    return typeof kid === 'string' ? kid : undefined
  } catch {
    return undefined
  }
}

function readOwnHeader(token: string): Record<string, unknown> {
  const header = readHeader(token)
  // RFC 7515 §4.1.11: `crit` names extensions that must be understood, and none is. `b64` is such an extension. The
  // others embed or link a key, which must never come from the token itself.
  for (const name of ['crit', 'b64', 'jwk', 'jku', 'x5u', 'x5c']) {
    if (Object.hasOwn(header, name)) throw invalid(`header has ${name}`)
  }
  const { typ } = header
  if (typeof typ !== 'string' || typ.toLowerCase().replace(/^application\//, '') !== ACCESS_TOKEN_TYPE) {
    throw invalid('typ')
  }
  return header
}

function readHeader(token: string): Record<string, unknown> {
  if (token.length > MAX_TOKEN_LENGTH) throw malformed('too long')
  const parts = token.split('.', 4)
  if (parts.length !== 3 || !parts.every(isCanonicalBase64url)) throw malformed('not three base64url parts')
  try {
    const header: unknown = JSON.parse(Buffer.from(parts[0]!, 'base64url').toString())
    if (typeof header === 'object' && header !== null && !Array.isArray(header)) {
      return header as Record<string, unknown>
    }
  } catch {
    // The same error as for JSON that isn't an object.
  }
  throw malformed('header is not a JSON object')
}

/**
 * Returns true if the text is base64url exactly as an encoder writes it: no padding, no white space, and no set bits
 * that a decoder would drop. Otherwise one signature would have several spellings.
 */
function isCanonicalBase64url(text: string): boolean {
  if (text === '' || !/^[\w-]+$/.test(text)) return false
  const rest = text.length % 4
  if (rest === 0) return true
  return rest !== 1 && (rest === 2 ? /[AQgw]$/ : /[AEIMQUYcgkosw048]$/).test(text)
}

/**
 * Checks the claims of a payload whose signature was verified: presence and types, issuer, audience, `iat`, `nbf` and
 * the lifetime. The lifetime is limited because a denylist entry must outlive every token that it covers.
 *
 * Expiry is returned instead of thrown, because a logout accepts an expired token.
 *
 * @param times `now`, and `latestIssue`: the latest `iat` that any instance can have issued (`Denylist.latestIssue`).
 * @throws {PortcullisError} `token_invalid`
 */
export function verifyClaims(
  payload: Record<string, unknown>,
  settings: ClaimSettings,
  { now, latestIssue }: { readonly now: UnixMs; readonly latestIssue: UnixMs },
): { claims: AccessClaims; expired: boolean } {
  const { iss, aud, sub, sid, jti, iat, exp, nbf, client_id, scope } = payload
  if (iss !== settings.issuer) throw invalid('iss')
  if (aud !== settings.audience && !(isStringList(aud) && aud.includes(settings.audience)))
    throw invalid('aud')
  if (!isId(sub)) throw invalid('sub')
  if (!isId(sid)) throw invalid('sid')
  if (!isId(jti)) throw invalid('jti')
  if (client_id !== undefined && !isId(client_id)) throw invalid('client_id')
  if (scope !== undefined && typeof scope !== 'string') throw invalid('scope')
  if (!Number.isFinite(iat)) throw invalid('iat')
  if (!Number.isFinite(exp)) throw invalid('exp')
  const [issued, expires] = [(iat as number) * 1000, (exp as number) * 1000]
  if (issued > latestIssue) throw invalid('iat is in the future')
  if (expires - issued > settings.horizon) throw invalid('exp − iat is longer than revocation.horizon')
  if (nbf !== undefined && !(Number.isFinite(nbf) && (nbf as number) * 1000 <= now + settings.leeway))
    throw invalid('nbf')
  return { claims: payload as unknown as AccessClaims, expired: now >= expires + settings.leeway }
}

function isId(value: unknown): value is string {
  const isText = typeof value === 'string' && value.length > 0 && value.length <= MAX_ID_LENGTH
  // An id that Redis can't store exactly couldn't be revoked exactly.
  return isText && !hasLoneSurrogate(value)
}

function isStringList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function malformed(reason: string): PortcullisError {
  return new PortcullisError('token_malformed', { detail: 'The token is not a JWT.', reason })
}

function invalid(reason: string): PortcullisError {
  return new PortcullisError('token_invalid', { reason })
}

/** The settings that determine the claims of a new access token. */
export interface NewTokenSettings {
  readonly issuer: string
  readonly audience: string
  /** Lifetime of an access token, for sessions without an `accessLife` of their own (`tokens.access`). */
  readonly access: Milliseconds
  /** The part of the lifetime by which it may be shorter, from 0 to 0.25 (`tokens.jitter`). */
  readonly jitter: number
}

/**
 * Returns the claims of a new access token.
 *
 * @param jti The part of the `jti` behind its prefix: base64url of at least 32 bits. Equal values give equal lifetimes.
 */
export function newClaims(
  session: Session,
  stamp: TokenStamp,
  jti: string,
  { issuer, audience, access, jitter }: NewTokenSettings,
): AccessClaims {
  const life = (session.accessLife ?? access) * (1 - jitter * toFraction(jti))
  const latestExpiry = stamp.issuedAt + Math.max(1, Math.floor(life / 1000))
  // `session.scope` was checked at the login and takes precedence over a host's claim of this name.
  const { scope: _, ...ownClaims } = session.claims
  return {
    ...ownClaims,
    iss: issuer,
    aud: audience,
    sub: session.sub,
    client_id: session.clientId,
    sid: session.sid,
    jti: stamp.jtiPrefix + jti,
    iat: stamp.issuedAt,
    // An access token doesn't outlive its session.
    exp: Math.min(latestExpiry, Math.floor(session.expiresAt / 1000)),
    auth_time: Math.floor(loginTime(session) / 1000),
    ...(session.scope !== undefined && { scope: session.scope }),
  }
}

/** Returns a number from 0 to 1 that depends on the text only. */
function toFraction(base64url: string): number {
  return Buffer.from(base64url, 'base64url').readUInt32BE(0) / 2 ** 32
}
