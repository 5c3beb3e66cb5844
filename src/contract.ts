/**
 * The wire schemas: bodies and queries of requests, from which types and validation derive, and bodies of responses.
 */
import { Type } from 'typebox'
import type { Static } from 'typebox'
import { toSeconds } from './clock.js'
import type { ListedEntry } from './revocation/denylist.js'
import type { TokenSet } from './session/issue.js'
import type { SessionPage } from './session/list-sessions.js'
import type { Session } from './session/session.js'

/** A boolean. An HTML form can only send text, so the strings 'true' and 'false' are accepted, too. */
const Flag = Type.Union([Type.Boolean(), Type.Literal('true'), Type.Literal('false')])

export const isTrue = (flag: boolean | 'true' | 'false' | undefined): boolean =>
  flag === true || flag === 'true'

export const isFalse = (flag: boolean | 'true' | 'false' | undefined): boolean =>
  flag === false || flag === 'false'

/** The maximum length of a presented refresh token, in characters. */
export const MAX_REFRESH_TOKEN_LENGTH = 512

/** The maximum lengths of the fields of a login, in characters. */
export const MAX_USERNAME_LENGTH = 256
export const MAX_PASSWORD_LENGTH = 1024
export const MAX_DEVICE_LENGTH = 64

const RefreshTokenText = Type.String({ minLength: 1, maxLength: MAX_REFRESH_TOKEN_LENGTH })

export const LoginBody = Type.Object({
  // Empty credentials are wrong credentials, not an invalid request.
  username: Type.String({ maxLength: MAX_USERNAME_LENGTH }),
  password: Type.String({ maxLength: MAX_PASSWORD_LENGTH }),
  device: Type.Optional(
    Type.String({ maxLength: MAX_DEVICE_LENGTH, description: "The user's name for the device" }),
  ),
  cookies: Type.Optional(Flag),
  remember: Type.Optional(Flag),
})
export type LoginBody = Static<typeof LoginBody>

export const RefreshBody = Type.Object({ refresh_token: Type.Optional(RefreshTokenText) })
export type RefreshBody = Static<typeof RefreshBody>

export const LogoutBody = Type.Object({
  refresh_token: Type.Optional(RefreshTokenText),
  all: Type.Optional(Flag),
  keepCurrent: Type.Optional(Flag),
})
export type LogoutBody = Static<typeof LogoutBody>

export const CodesBody = Type.Object({
  code_challenge: Type.Optional(
    Type.String({ pattern: '^[A-Za-z0-9_-]{43}$', description: 'PKCE challenge (RFC 7636 §4.2)' }),
  ),
  code_challenge_method: Type.Optional(Type.Literal('S256')),
  /** Visible characters, as in RFC 6749 A.1. */
  client_id: Type.Optional(Type.String({ pattern: '^[ -~]{1,256}$' })),
})
export type CodesBody = Static<typeof CodesBody>

/** A new one-time code, and its lifetime in seconds. */
export interface CodesResponse {
  readonly code: string
  readonly expires_in: number
}

/** A token request (RFC 6749 §4.1.3 and §6, RFC 7636 §4.5). Other parameters are ignored. */
export const TokenBody = Type.Object({
  grant_type: Type.String(),
  code: Type.Optional(Type.String()),
  code_verifier: Type.Optional(Type.String()),
  client_id: Type.Optional(Type.String()),
  refresh_token: Type.Optional(Type.String()),
})
export type TokenBody = Static<typeof TokenBody>

/** An error of an OAuth route (RFC 6749 §5.2). */
export interface OAuthErrorBody {
  readonly error: string
  readonly error_description: string
}

/**
 * A token response (RFC 6749 §5.1), extended by `session_id` and the time until the session ends. Lifetimes are in
 * seconds.
 */
export interface TokenResponse {
  readonly token_type: 'Bearer'
  /** Absent if the tokens are sent as cookies, as is `refresh_token`. */
  readonly access_token?: string
  readonly expires_in: number
  /** Absent in the single scheme (`tokens.scheme`), as is `refresh_expires_in`. */
  readonly refresh_token?: string
  readonly refresh_expires_in?: number
  /** The time until the last possible renewal. Only in the single scheme. */
  readonly session_expires_in?: number
  readonly session_id: string
}

export function tokenResponse(tokens: TokenSet): TokenResponse {
  const { refreshToken, sessionExpiresIn } = tokens
  return {
    token_type: 'Bearer',
    access_token: tokens.accessToken,
    expires_in: tokens.expiresIn,
    ...(refreshToken === undefined
      ? { session_expires_in: sessionExpiresIn }
      : { refresh_token: refreshToken, refresh_expires_in: sessionExpiresIn }),
    session_id: tokens.session.sid,
  }
}

/** Returns the body of a token response whose tokens are sent as cookies. */
export function withoutTokens(response: TokenResponse): TokenResponse {
  const { access_token: _access, refresh_token: _refresh, ...rest } = response
  return rest
}

/** A session as listed for its subject. Times are Unix seconds. */
export interface SessionView {
  readonly sid: string
  readonly createdAt: number
  readonly lastSeenAt: number
  readonly expiresAt: number
  readonly ip: string | null
  readonly userAgent: string | null
  readonly device: string | null
  /** True for the session that the request itself belongs to. */
  readonly current: boolean
}

export function sessionView(session: Session, current?: string): SessionView {
  return {
    sid: session.sid,
    createdAt: toSeconds(session.createdAt),
    lastSeenAt: toSeconds(session.lastSeenAt),
    expiresAt: toSeconds(session.expiresAt),
    ip: session.ip ?? null,
    userAgent: session.userAgent ?? null,
    device: session.device ?? null,
    current: session.sid === current,
  }
}

export const SessionsQuery = Type.Object({
  cursor: Type.Optional(Type.String({ maxLength: 128, description: 'The next_cursor of the previous page' })),
  limit: Type.Optional(Type.String({ maxLength: 8 })),
})
export type SessionsQuery = Static<typeof SessionsQuery>

/** One page of a subject's sessions. The last page has no `next_cursor`. */
export interface SessionsResponse {
  readonly sessions: readonly SessionView[]
  readonly next_cursor?: string
}

export function sessionsResponse({ sessions, next }: SessionPage, current: string): SessionsResponse {
  return {
    sessions: sessions.map((session) => sessionView(session, current)),
    ...(next !== undefined && { next_cursor: next }),
  }
}

/** An error as `application/problem+json` (RFC 9457). */
export interface ProblemDetails {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail?: string
  readonly code: string
  readonly request_id: string
}

const Id = Type.String({ minLength: 1, maxLength: 256 })

/**
 * A request to revoke. It names one of `jti`, `sid`, `sub`, `kid` and `all`. `before` is in Unix seconds, `expiresIn`
 * in seconds.
 */
export const RevocationBody = Type.Object({
  jti: Type.Optional(Id),
  sid: Type.Optional(Id),
  sub: Type.Optional(Id),
  kid: Type.Optional(Id),
  all: Type.Optional(Type.Literal(true)),
  before: Type.Optional(Type.Integer({ minimum: 0 })),
  expiresIn: Type.Optional(Type.Integer({ minimum: 1 })),
  reason: Type.Optional(Type.String({ maxLength: 256 })),
})
export type RevocationBody = Static<typeof RevocationBody>

export const RevocationsQuery = Type.Object({
  search: Type.Optional(Type.String({ maxLength: 256 })),
  cursor: Type.Optional(Type.String({ maxLength: 64 })),
  /** A number from 1 to 1,000 as text, because queries are validated without type conversion. */
  limit: Type.Optional(Type.String({ pattern: '^([1-9]\\d{0,2}|1000)$' })),
})
export type RevocationsQuery = Static<typeof RevocationsQuery>

export const ExplainBody = Type.Object({ token: Type.String({ minLength: 1, maxLength: 16_384 }) })
export type ExplainBody = Static<typeof ExplainBody>

/** A denylist entry in force. Times are Unix seconds. `before` is null for kinds that cover tokens of any age. */
export interface ListedEntryView {
  readonly kind: string
  readonly id: string
  readonly before: number | null
  readonly until: number
  readonly reason: string
}

export function toListedEntryView({ kind, id, before, until, reason }: ListedEntry): ListedEntryView {
  return {
    kind,
    id,
    before: kind === 'sid' || before === 0 ? null : toSeconds(before),
    until: Math.ceil(until / 1000),
    reason,
  }
}

/** One step of the verification of a token. A step that failed has a `reason`. */
export interface ExplainStep {
  readonly step: 'shape' | 'signature' | 'claims' | 'expiry' | 'revocation'
  readonly ok: boolean
  readonly reason?: string
}

export interface Explanation {
  readonly admitted: boolean
  /** The error code that a guard would respond with, if the token is refused. */
  readonly code?: string
  readonly steps: readonly ExplainStep[]
  readonly claims?: Readonly<Record<string, unknown>>
}
