/** What goes over the wire: the bodies of requests and answers, as schemas from which types and validation come. */
import { Type } from 'typebox'
import type { Static } from 'typebox'
import { toSeconds } from './clock.js'
import type { ListedEntry } from './revocation/denylist.js'
import type { TokenSet } from './session/issue.js'
import type { SessionPage } from './session/list-sessions.js'
import type { Session } from './session/session.js'

/** A form has text only, hence 'true'. */
const Flag = Type.Union([Type.Boolean(), Type.Literal('true'), Type.Literal('false')])

export const isTrue = (flag: boolean | 'true' | 'false' | undefined): boolean =>
  flag === true || flag === 'true'

const RefreshTokenText = Type.String({ minLength: 1, maxLength: 512 })

export const LoginBody = Type.Object({
  username: Type.String({ minLength: 1, maxLength: 256 }),
  password: Type.String({ minLength: 1, maxLength: 1024 }),
  device: Type.Optional(Type.String({ maxLength: 64, description: 'What the user calls the device' })),
  cookies: Type.Optional(Flag),
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

/** RFC 6749 §5.1, with our own two lives and the session's id. Lives are seconds from now. */
export interface TokenResponse {
  readonly token_type: 'Bearer'
  /** Left out where the tokens come as cookies. */
  readonly access_token?: string
  readonly expires_in: number
  readonly refresh_token?: string
  readonly refresh_expires_in: number
  readonly session_id: string
}

export function tokenResponse(tokens: TokenSet): TokenResponse {
  return {
    token_type: 'Bearer',
    access_token: tokens.accessToken,
    expires_in: tokens.expiresIn,
    refresh_token: tokens.refreshToken,
    refresh_expires_in: tokens.refreshExpiresIn,
    session_id: tokens.session.sid,
  }
}

/** The same where the tokens go as cookies: without them in the body. */
export function cookieTokenResponse(tokens: TokenSet): TokenResponse {
  const { access_token: _access, refresh_token: _refresh, ...rest } = tokenResponse(tokens)
  return rest
}

/** A session as its subject sees it. Times are Unix seconds. */
export interface SessionView {
  readonly sid: string
  readonly createdAt: number
  readonly lastSeenAt: number
  readonly expiresAt: number
  readonly ip: string | null
  readonly userAgent: string | null
  readonly device: string | null
  /** Whether it is the session of the request. */
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
  cursor: Type.Optional(Type.String({ maxLength: 128, description: 'next_cursor of the page before' })),
  limit: Type.Optional(Type.String({ maxLength: 8 })),
})
export type SessionsQuery = Static<typeof SessionsQuery>

/** A page of a subject's sessions. `next_cursor` is left out on the last. */
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

/** RFC 9457. */
export interface ProblemDetails {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail?: string
  readonly code: string
  readonly request_id: string
}

const Id = Type.String({ minLength: 1, maxLength: 256 })

/** What an operator denies: one of the five targets. `before` is Unix seconds, `expiresIn` seconds. */
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
  /** 1 to 1,000, in digits: nothing converts what comes in a query. */
  limit: Type.Optional(Type.String({ pattern: '^([1-9]\\d{0,2}|1000)$' })),
})
export type RevocationsQuery = Static<typeof RevocationsQuery>

export const ExplainBody = Type.Object({ token: Type.String({ minLength: 1, maxLength: 16_384 }) })
export type ExplainBody = Static<typeof ExplainBody>

/** A denial in force. Times are Unix seconds; `before` only of `sub` and `all`. */
export interface ListedEntryView {
  readonly kind: string
  readonly id: string
  readonly before: number | null
  readonly until: number
  readonly reason: string
}

export function toListedEntryView({ kind, id, before, until, reason }: ListedEntry): ListedEntryView {
  return { kind, id, before: before === 0 ? null : toSeconds(before), until: Math.ceil(until / 1000), reason }
}

/** One step of an explanation: `ok`, or why not. */
export interface ExplainStep {
  readonly step: 'shape' | 'signature' | 'claims' | 'expiry' | 'revocation'
  readonly ok: boolean
  readonly reason?: string
}

export interface Explanation {
  readonly admitted: boolean
  /** The code that a guard would answer. */
  readonly code?: string
  readonly steps: readonly ExplainStep[]
  readonly claims?: Readonly<Record<string, unknown>>
}
