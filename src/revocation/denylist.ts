import type { Milliseconds, UnixMs, UnixSeconds } from '../clock.js'
import { EVICTED, hasBefore } from './entry.js'
import type { EntryKind, DenylistEntry, NewEntry } from './entry.js'

/** A denylist entry as listed for people. */
export interface ListedEntry extends Omit<DenylistEntry, 'kind'> {
  readonly kind: string
  readonly reason: string
}

/** The default number of entries on a page of the list. */
export const DEFAULT_LISTED = 100
/** The greatest number of entries that one page examines. It limits a search that finds nothing. */
export const MAX_EXAMINED = 5_000

/** A query for one page of the list. */
export interface ListQuery {
  /** A text that the id or the reason must contain. */
  readonly search?: string | undefined
  /** The `nextCursor` of the previous page. */
  readonly cursor?: string | undefined
  readonly limit?: number | undefined
}

/** One page of the list of entries in force. */
export interface Listing {
  /** The newest entry comes first. */
  readonly entries: readonly ListedEntry[]
  /** The cursor of the next page. It is absent on the last page. */
  readonly nextCursor?: string
}

/** The claims of an access token by which it can be revoked. */
export interface RevocableToken {
  readonly jti: string
  readonly sid: string
  readonly sub: string
  /** The id of the key that signed the token. */
  readonly kid: string
  readonly iat: UnixSeconds
}

/** The kind of entry that covers a token. It is `evicted` instead of `sid` if a later login took the session's place. */
export type CoveringKind = EntryKind | 'evicted'

/**
 * The kind of entry that covers the token; `history` if the token is older than the history of this denylist; `absent` if
 * its session has no record (only with `check: presence`).
 */
export type RevocationReason = CoveringKind | 'history' | 'absent'

/**
 * The `iat` and the jti prefix of a new access token. Take it before the session is read, so that a concurrent logout
 * covers the token.
 */
export interface TokenStamp {
  readonly issuedAt: UnixSeconds
  /** The jti prefix: the first 8 characters of every `jti` that is issued now. */
  readonly jtiPrefix: string
}

/**
 * The behaviour of a route while the denylist is unavailable. `closed` refuses all requests, and `open` admits any
 * token that isn't known to be revoked. `stale` decides from the replica for this long (ms) after the lease has ended.
 */
export type OnOutage = 'closed' | 'open' | { readonly stale: Milliseconds }

/** A decision on a token that was made while the denylist was unavailable. */
export interface OutageDecision {
  readonly reason: RevocationReason | undefined
  /** The value that the response and the log show. */
  readonly outage: 'stale' | 'open'
}

/**
 * The denylist. After `revoke` has returned, no instance admits a token that is covered by an entry. A method throws a
 * `store_unavailable` PortcullisError if it can't keep this promise now.
 */
export interface Denylist {
  /** Returns the reason why the token is revoked, or `undefined`. Returns a promise only if it must wait for Redis. */
  check(token: RevocableToken): RevocationReason | undefined | Promise<RevocationReason | undefined>
  /** Decides after `check` has thrown. Returns `undefined` if the route's `onOutage` doesn't allow a decision. */
  checkInOutage(token: RevocableToken, onOutage: OnOutage): OutageDecision | undefined
  /** Checks the token of a long-lived connection. Unlike `check` it never waits for a lease and never throws. */
  peek(
    token: RevocableToken,
  ): RevocationReason | 'unknown' | undefined | Promise<RevocationReason | 'unknown' | undefined>
  /** Returns a value that changes whenever the result of `peek` may change, or `undefined` if there is none. */
  version(): string | undefined
  /** Revokes tokens. Resolves when no instance admits them any more. */
  revoke(entries: readonly NewEntry[]): Promise<void>
  /**
   * Returns the stamp for a new token of a subject. If the subject was revoked in the last seconds, the entry would
   * cover the new token, too. In this case the call waits up to 3 s plus the difference of the clocks.
   */
  stamp(sub?: string): Promise<TokenStamp>
  /**
   * Returns the latest `iat` that a token of any instance may have now. It is called only when a token is verified for
   * the first time.
   */
  latestIssue(): UnixMs
  /**
   * Returns true if a session's record is reliable. A record that was written before the history of this denylist may
   * be from an old snapshot.
   *
   * @param jtiPrefix The jti prefix of the last write of the record
   */
  trusts(jtiPrefix: string, writtenAt: UnixMs): boolean
}

/** The time that an entry outlives the tokens that it covers, in addition to the leeway, if there is only one clock. */
export const CLOCK_SLACK: Milliseconds = 3_000

/** The settings that determine the lifetime of an entry. */
export interface EntryLifetime {
  /** The longest lifetime (`exp − iat`) of an access token that is accepted. */
  readonly horizon: Milliseconds
  /** The setting `tokens.leeway`. */
  readonly leeway: Milliseconds
}

/**
 * The tolerated difference between the clock readings of a session's end and of its denylist entry. Together with the
 * rounding of `until` to seconds, it uses up less than the third of the grace that is spare.
 */
const END_SLACK: Milliseconds = 500

/** An entry with its defaults, as it is passed to the log. */
export interface EntryToWrite extends NewEntry {
  /** An entry with this `until` or a later one makes this one unnecessary. `undefined` if it must be written. */
  readonly enough?: UnixMs | undefined
}

/**
 * Adds the defaults of an entry. The entry of a `jti` outlives its token by `grace`. A time that isn't a number counts
 * as missing, because the entry must not be without effect.
 *
 * @param life.horizon The longest lifetime of a token.
 * @param life.grace The time that an entry outlives its tokens.
 */
export function withDefaults(
  entry: NewEntry,
  { horizon, grace }: { readonly horizon: Milliseconds; readonly grace: Milliseconds },
): EntryToWrite & Required<Pick<NewEntry, 'before'>> {
  const { kind, before, until, endedAt } = entry
  return {
    ...entry,
    before: toBefore(kind, before),
    until:
      kind === 'jti' && until !== undefined && Number.isFinite(until) ? Math.ceil(until) + grace : undefined,
    enough: endedAt === undefined ? undefined : endedAt + horizon + grace - END_SLACK,
  }
}

function toBefore(kind: EntryKind, before: NewEntry['before']): UnixMs | 'now' | 'birth' {
  if (!hasBefore(kind)) return kind === 'sid' && before === EVICTED ? EVICTED : 0
  return toTime(before) ?? (kind === 'lost' ? 'birth' : 'now')
}

function toTime(before: NewEntry['before']): UnixMs | undefined {
  return typeof before === 'number' && Number.isFinite(before) ? Math.max(0, before) : undefined
}

/** Removes the entries of kind `lost`, for a denylist on which they have no effect. */
export function withoutLost(entries: readonly NewEntry[]): readonly NewEntry[] {
  return entries.filter(({ kind }) => kind !== 'lost')
}
