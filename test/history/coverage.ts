/** Computes which tokens the operations of a history have ended for sure, and which they may have ended. */
import type { AccessToken, History, Operation, Scope } from './history.js'
import { isIndeterminate, succeeded } from './history.js'

export interface KnownSession {
  readonly sid: string
  readonly sub: string
  readonly login: Operation
}

interface End {
  readonly operation: Operation
  readonly scope: Scope
}

/** Longest time, in ms, that an operation without a response may still take effect in. */
export const LINGER = 15_000
/** A session's record may be this much younger, in seconds, than the `iat` of its first token. */
const RECORD_AFTER_IAT = 2

/**
 * Ends by their operation's scope, and by theft: a reused refresh token ends its session. An operation without a
 * response may be one, though it was the first to present its token: a frozen instance handles a request that its client
 * gave up, after others have used the token and its successor.
 */
function findEnds({ operations }: History): End[] {
  const uses = new Map<string, number>()
  for (const { presented } of operations) {
    if (presented) uses.set(presented.fingerprint, (uses.get(presented.fingerprint) ?? 0) + 1)
  }
  return operations.flatMap((operation) => {
    if (operation.ends) return [{ operation, scope: operation.ends }]
    const { presented } = operation
    if (!presented) return []
    const scope = { kind: 'sid', sid: presented.sid } as const
    if (operation.code === 'refresh_token_reused') return [{ operation, scope }]
    return isIndeterminate(operation) && uses.get(presented.fingerprint)! > 1 ? [{ operation, scope }] : []
  })
}

/** The operation did what it was to do, before it completed. */
const isSure = ({ operation }: End): boolean =>
  succeeded(operation) || operation.code === 'refresh_token_reused'

const mayHappen = (end: End): boolean => isSure(end) || isIndeterminate(end.operation)

export class Coverage {
  readonly sessions = new Map<string, KnownSession>()
  readonly #bySession: Map<string, End[]>
  readonly #byToken: Map<string, End[]>
  readonly #bySubject: Map<string, End[]>
  readonly #ofAll: End[]
  readonly #sure = new Map<string, Operation | undefined>()
  readonly #possible = new Map<string, number>()

  constructor(history: History) {
    for (const operation of history.operations) {
      const access = operation.obtained?.access
      if (operation.name !== 'login' || !access) continue
      this.sessions.set(access.sid, { sid: access.sid, sub: access.sub, login: operation })
    }
    const ends = findEnds(history).filter(mayHappen)
    this.#bySession = groupBy(ends, ({ scope }) => (scope.kind === 'sid' ? scope.sid : undefined))
    this.#byToken = groupBy(ends, ({ scope }) => (scope.kind === 'jti' ? scope.jti : undefined))
    this.#bySubject = groupBy(ends, ({ scope }) => ('sub' in scope ? scope.sub : undefined))
    this.#ofAll = ends.filter(({ scope }) => scope.kind === 'all' || scope.kind === 'kid')
  }

  /** The first successful operation that ended the token and had completed before `at`. */
  endOfToken(token: AccessToken, at: number): Operation | undefined {
    const ended = this.endOfSession(token.sid, at)
    if (ended) return ended
    const own = [...(this.#byToken.get(token.jti) ?? []), ...this.#wide(token.sub)]
    return own.find((end) => isSure(end) && end.operation.completedAt < at && coversToken(end.scope, token))
      ?.operation
  }

  /** The first successful operation that ended the session with all its tokens and had completed before `at`. */
  endOfSession(sid: string, at: number): Operation | undefined {
    if (!this.#sure.has(sid)) this.#sure.set(sid, this.#firstSure(sid))
    const first = this.#sure.get(sid)
    return first && first.completedAt < at ? first : undefined
  }

  /** The end that forbids a session to be refreshed: besides its own, a `before` that is later than its beginning. */
  endOfRefresh(sid: string, at: number): Operation | undefined {
    const session = this.sessions.get(sid)
    const ended = this.endOfSession(sid, at)
    if (ended || !session) return ended
    const { iat } = session.login.obtained!.access
    const covers = ({ scope }: End) => beforeOf(scope) > iat + RECORD_AFTER_IAT
    return this.#wide(session.sub).find((end) => isSure(end) && end.operation.completedAt < at && covers(end))
      ?.operation
  }

  /** Some operation that was invoked before `at` may have ended the token or its session. */
  mayBeEnded(token: Pick<AccessToken, 'sid' | 'sub'> & Partial<AccessToken>, at: number): boolean {
    if (this.#possibleSince(token.sid) < at) return true
    const own = token.jti === undefined ? [] : (this.#byToken.get(token.jti) ?? [])
    if (own.some(({ operation }) => operation.invokedAt < at)) return true
    const iat = token.iat ?? this.sessions.get(token.sid)?.login.obtained!.access.iat ?? 0
    const began = this.sessions.get(token.sid)?.login.obtained!.access.iat ?? iat
    return this.#wide(token.sub).some(
      ({ operation, scope }) => operation.invokedAt < at && beforeOf(scope) >= Math.min(iat, began),
    )
  }

  #wide(sub: string): End[] {
    return [...(this.#bySubject.get(sub) ?? []), ...this.#ofAll]
  }

  #ends(session: KnownSession): End[] {
    return [...(this.#bySession.get(session.sid) ?? []), ...this.#wide(session.sub)]
  }

  #firstSure(sid: string): Operation | undefined {
    const session = this.sessions.get(sid)
    if (!session) return undefined
    return this.#ends(session)
      .filter((end) => isSure(end) && coversSession(end, session))
      .map(({ operation }) => operation)
      .reduce<Operation | undefined>(
        (first, one) => (first && first.completedAt <= one.completedAt ? first : one),
        undefined,
      )
  }

  #possibleSince(sid: string): number {
    const known = this.#possible.get(sid)
    if (known !== undefined) return known
    const session = this.sessions.get(sid)
    const times = session
      ? this.#ends(session)
          .filter((end) => mayCoverSession(end, session))
          .map(({ operation }) => operation.invokedAt)
      : []
    const first = times.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
    this.#possible.set(sid, first)
    return first
  }
}

/** Unix seconds, only of `sub` and `all` with a `before`. */
function beforeOf(scope: Scope): number {
  return (scope.kind === 'sub' || scope.kind === 'all') && scope.before !== undefined
    ? scope.before
    : Number.NEGATIVE_INFINITY
}

/** The scope is all sessions of now. */
const isForAll = (scope: Scope): boolean =>
  scope.kind === 'everywhere' ||
  ((scope.kind === 'sub' || scope.kind === 'all') && scope.before === undefined)

function groupBy<T>(list: readonly T[], keyOf: (one: T) => string | undefined): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const one of list) {
    const key = keyOf(one)
    if (key === undefined) continue
    const group = groups.get(key)
    if (group) group.push(one)
    else groups.set(key, [one])
  }
  return groups
}

function coversToken(scope: Scope, { jti, iat }: AccessToken): boolean {
  if (scope.kind === 'kid') return true
  return scope.kind === 'jti' ? scope.jti === jti : iat <= beforeOf(scope)
}

/** "Everywhere" and "up to now" end each session whose login had been answered before they were invoked. */
function coversSession({ operation, scope }: End, { sid, login }: KnownSession): boolean {
  if (scope.kind === 'sid') return scope.sid === sid
  if (scope.kind === 'everywhere' && scope.caller === sid) return !scope.keepsCaller
  return isForAll(scope) && login.completedAt < operation.invokedAt
}

/** So do they with each that began before they had completed, or, without a response, a good while later. */
function mayCoverSession({ operation, scope }: End, { sid, login }: KnownSession): boolean {
  if (scope.kind === 'sid') return scope.sid === sid
  if (scope.kind === 'kid') return true
  if (scope.kind === 'everywhere' && scope.caller === sid) return !scope.keepsCaller
  if (!isForAll(scope)) return false
  const until = succeeded(operation) ? operation.completedAt : operation.completedAt + LINGER
  return login.invokedAt < until
}
