import type { Milliseconds, UnixMs, UnixSeconds } from '../clock.js'
import type { EntryKind, DenylistEntry } from './entry.js'
import type { NewEntry } from './replica/revocation-log.js'

/**
 * A revocation of tokens, as passed to `Denylist.revoke`. The kind says which access tokens it covers:
 *
 * - `jti`: one token
 * - `sid`: all tokens of one session, including those that a concurrent refresh is issuing
 * - `kid`: all tokens that one key has signed
 * - `sub` and `all`: all tokens that were issued at `before` or earlier, to one subject or to everybody. The default of
 *   `before` is now.
 * - `lost`: all tokens that were issued to one subject before the current epoch. Redis may have lost their sessions, so
 *   "log out everywhere" can't find these. Denylists that don't detect a loss of data ignore this kind.
 */
export type Revocation = { readonly reason?: string | undefined } & (
  | {
      readonly kind: 'jti'
      readonly id: string
      /** The token's `exp`. */
      readonly expiresAt: UnixMs
    }
  | { readonly kind: 'sid' | 'kid' | 'lost'; readonly id: string }
  | {
      readonly kind: 'sub'
      readonly id: string
      readonly before?: UnixMs | undefined
    }
  | { readonly kind: 'all'; readonly before?: UnixMs | undefined }
)

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

/** The kind of entry that covers the token, or `history` if the token is older than the history of this denylist. */
export type RevocationReason = EntryKind | 'history'

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
  revoke(entries: readonly Revocation[]): Promise<void>
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
   * @param mark The jti prefix of the last write of the record
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

/** Converts a revocation to an entry for the log. The entry of a `jti` outlives its token by `grace`. */
export function toNewEntry(entry: Revocation, grace: Milliseconds): NewEntry {
  const { kind, reason = '' } = entry
  switch (kind) {
    case 'jti': {
      // If `expiresAt` is not a number, the entry gets the longest lifetime, because it must not be without effect.
      const until = Number.isFinite(entry.expiresAt) ? Math.ceil(entry.expiresAt) + grace : undefined
      return { kind, id: entry.id, before: 0, until, reason }
    }
    case 'sid':
    case 'kid':
      return { kind, id: entry.id, before: 0, until: undefined, reason }
    case 'lost':
      return { kind, id: entry.id, before: 'birth', until: undefined, reason }
    case 'sub':
      return {
        kind,
        id: entry.id,
        before: toBefore(entry),
        until: undefined,
        reason,
      }
    case 'all':
      return {
        kind,
        id: '*',
        before: toBefore(entry),
        until: undefined,
        reason,
      }
    default:
      return entry satisfies never
  }
}

/**
 * Returns `before`, or the current time if `before` is missing or not a number, because the entry must not be without
 * effect.
 */
function toBefore({ before }: { readonly before?: UnixMs | undefined }): UnixMs | 'now' {
  return before !== undefined && Number.isFinite(before) ? Math.max(0, before) : 'now'
}

/** Removes the revocations of kind `lost`, for a denylist on which they have no effect. */
export function withoutLost(entries: readonly Revocation[]): readonly Revocation[] {
  return entries.filter(({ kind }) => kind !== 'lost')
}
