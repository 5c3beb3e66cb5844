/**
 * The access token: a JWT (RFC 7519) of type `at+jwt` (RFC 9068). Here stands what it must look like and what its
 * claims must say; its signature is checked by whoever implements `KeyVerifier`.
 */
import { randomBytes } from 'node:crypto'
import type { Milliseconds, UnixMs, UnixSeconds } from '../clock.js'
import { PortcullisError } from '../errors.js'
import type { TokenStamp } from '../revocation/denylist.js'
import type { Session } from '../session/session.js'
import type { Algorithm } from './signing-key.js'

export const ACCESS_TOKEN_TYPE = 'at+jwt'

/** Longest access token that is made, or looked at, in characters. */
export const MAX_TOKEN_LENGTH = 8_192
/** Longest `sub`, `jti`, `sid` and the like, in characters. */
export const MAX_ID_LENGTH = 256

/** The claims that every access token has. Times are Unix seconds. */
export interface AccessClaims {
  readonly iss: string
  readonly aud: string | readonly string[]
  readonly sub: string
  readonly sid: string
  readonly jti: string
  readonly iat: UnixSeconds
  readonly exp: UnixSeconds
  readonly client_id?: string
  readonly auth_time?: UnixSeconds
  readonly scope?: string
  readonly [claim: string]: unknown
}

/** One key, bound to the one algorithm it is for. */
export interface KeyVerifier {
  readonly kid: string
  readonly algorithm: Algorithm
  /** The payload of a token that this key signed. Throws on anything else; doesn't look at the time. */
  verify(token: string): Record<string, unknown>
}

export interface ClaimSettings {
  readonly issuer: string
  readonly audience: string
  /** Longest `exp − iat`. */
  readonly horizon: Milliseconds
  /** For `exp` and `nbf`. */
  readonly leeway: Milliseconds
}

/** The key that signed a token, by what its header says, if the header is one that we could have made. */
export function selectKey(token: string, keys: ReadonlyMap<string, KeyVerifier>): KeyVerifier {
  const header = readHeader(token)
  // RFC 7515 §4.1.11: an extension that must be understood and isn't. `b64` is one; so is a key that comes along.
  for (const name of ['crit', 'b64', 'jwk', 'jku', 'x5u', 'x5c']) {
    if (Object.hasOwn(header, name)) throw invalid(`header has ${name}`)
  }
  const { typ, alg, kid } = header
  if (typeof typ !== 'string' || typ.toLowerCase().replace(/^application\//, '') !== ACCESS_TOKEN_TYPE) {
    throw invalid('typ')
  }
  const key = typeof kid === 'string' ? keys.get(kid) : undefined
  if (!key) throw invalid('kid')
  if (alg !== key.algorithm) throw invalid('alg')
  return key
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
    // told below
  }
  throw malformed('header is not a JSON object')
}

/**
 * Whether the text is base64url as an encoder writes it: no padding, no white space, and no bits set that a decoder
 * would drop (else one signature would have several spellings).
 */
function isCanonicalBase64url(text: string): boolean {
  if (text === '' || !/^[\w-]+$/.test(text)) return false
  const rest = text.length % 4
  if (rest === 0) return true
  return rest !== 1 && (rest === 2 ? /[AQgw]$/ : /[AEIMQUYcgkosw048]$/).test(text)
}

/**
 * The claims of a verified payload, judged: all required ones there and well-typed, ours in issuer and audience, not
 * from the future (by what the denylist takes for the latest `iat`), and not living longer than a denial of them would. Expiry is told, not thrown: a logout takes
 * an expired token, too.
 */
export function verifyClaims(
  payload: Record<string, unknown>,
  rules: ClaimSettings,
  { now, latestIssue }: { readonly now: UnixMs; readonly latestIssue: UnixMs },
): { claims: AccessClaims; expired: boolean } {
  const { iss, aud, sub, sid, jti, iat, exp, nbf, client_id, scope } = payload
  if (iss !== rules.issuer) throw invalid('iss')
  if (aud !== rules.audience && !(isStringList(aud) && aud.includes(rules.audience))) throw invalid('aud')
  if (!isId(sub)) throw invalid('sub')
  if (!isId(sid)) throw invalid('sid')
  if (!isId(jti)) throw invalid('jti')
  if (client_id !== undefined && !isId(client_id)) throw invalid('client_id')
  if (scope !== undefined && typeof scope !== 'string') throw invalid('scope')
  if (!Number.isFinite(iat)) throw invalid('iat')
  if (!Number.isFinite(exp)) throw invalid('exp')
  const [issued, expires] = [(iat as number) * 1000, (exp as number) * 1000]
  if (issued > latestIssue) throw invalid('iat is in the future')
  if (expires - issued > rules.horizon) throw invalid('lives longer than a denial of it would')
  if (nbf !== undefined && !(Number.isFinite(nbf) && (nbf as number) * 1000 <= now + rules.leeway))
    throw invalid('nbf')
  return { claims: payload as unknown as AccessClaims, expired: now >= expires + rules.leeway }
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_ID_LENGTH
}

function isStringList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function malformed(reason: string): PortcullisError {
  return new PortcullisError('token_malformed', { detail: 'It is not a JWT.', reason })
}

function invalid(reason: string): PortcullisError {
  return new PortcullisError('token_invalid', { reason })
}

/** What a new access token says. */
export function newClaims(
  session: Session,
  stamp: TokenStamp,
  { issuer, audience, access }: { issuer: string; audience: string; access: Milliseconds },
): AccessClaims {
  const life = stamp.issuedAt + Math.floor(access / 1000)
  // The session has it; what the host calls so is not in its place.
  const { scope: _, ...ownClaims } = session.claims
  return {
    ...ownClaims,
    iss: issuer,
    aud: audience,
    sub: session.sub,
    client_id: session.clientId,
    sid: session.sid,
    jti: stamp.mark + randomBytes(16).toString('base64url'),
    iat: stamp.issuedAt,
    // An access token doesn't outlive its session.
    exp: Math.min(life, Math.floor(session.expiresAt / 1000)),
    auth_time: Math.floor(session.createdAt / 1000),
    ...(session.scope !== undefined && { scope: session.scope }),
  }
}
