import type { Milliseconds, UnixMs, UnixSeconds } from '../clock.js'
import type { EntryKind, DenylistEntry } from './entry.js'
import type { NewEntry } from './replica/revocation-log.js'

/**
 * One denial. `jti`: one access token. `sid`: every access token of one session, those that a racing refresh is
 * minting now included. `sub`, `all`: what was issued at `before` or earlier, to one subject or to all; now, unless it
 * is said. `kid`: everything that one key signed.
 *
 * `lost`: what was issued to one subject before the present epoch of the data, as the store may have lost its sessions.
 * It denies nothing on a denylist that has no epochs.
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

/** A denial as it is listed, for people. */
export interface ListedEntry extends Omit<DenylistEntry, 'kind'> {
  readonly kind: string
  readonly reason: string
}

/** How many entries a page of the list has, unless it is said. */
export const DEFAULT_LISTED = 100
/** How many entries one page examines, so that a search that finds nothing stays short. */
export const MAX_EXAMINED = 5_000

export interface ListQuery {
  /** A part of an id or of a reason. */
  readonly search?: string | undefined
  /** The `nextCursor` of the page before. */
  readonly cursor?: string | undefined
  readonly limit?: number | undefined
}

export interface Listing {
  /** The newest first. */
  readonly entries: readonly ListedEntry[]
  /** Where the next page begins; undefined: this is the last. */
  readonly nextCursor?: string
}

/** What a look-up needs of an access token. */
export interface RevocableToken {
  readonly jti: string
  readonly sid: string
  readonly sub: string
  /** Of the key that signed it. */
  readonly kid: string
  readonly iat: UnixSeconds
}

/** Which kind of entry denies the token; `history`: it is older than what the denylist remembers. */
export type DenialReason = EntryKind | 'history'

/** What a new access token begins with. Taken before the session is read, so that no racing logout is outlived. */
export interface TokenStamp {
  readonly issuedAt: UnixSeconds
  /** 8 characters that every `jti` minted now begins with. */
  readonly mark: string
}

/** What a route prefers while the denylist can't be asked: nobody, whom it would have admitted lately, or everybody. */
export type OnOutage = 'closed' | 'open' | { readonly stale: Milliseconds }

/** How a token was judged without the denylist. */
export interface OutageDecision {
  readonly denial: DenialReason | undefined
  /** What the response and the log say. */
  readonly outage: 'stale' | 'open'
}

/**
 * The denylist. When `revoke` has returned, no instance admits a token that an entry covers. Methods throw a
 * `store_unavailable` PortcullisError when that can't be had, or can't be known, now.
 */
export interface Denylist {
  /** Why the token is denied, or undefined. Returns at once where no store has to be asked. */
  check(token: RevocableToken): DenialReason | undefined | Promise<DenialReason | undefined>
  /** For a route that opted for it, after `check` has failed; undefined: it is refused all the same. */
  checkInOutage(token: RevocableToken, onOutage: OnOutage): OutageDecision | undefined
  /** As `check`, of what is known at this moment, for streams that go on: it neither waits for a lease nor throws. */
  peek(
    token: RevocableToken,
  ): DenialReason | 'unknown' | undefined | Promise<DenialReason | 'unknown' | undefined>
  /** While it is the same, so is what `peek` gives. undefined: that can't be said. */
  version(): string | undefined
  revoke(entries: readonly Revocation[]): Promise<void>
  /**
   * For a new token of a subject: waits where a denial of the last seconds would cover it, too (3 s, and what the
   * clocks differ by).
   */
  stamp(sub?: string): Promise<TokenStamp>
  /**
   * The latest `iat` that a token of any instance may have now. Only asked for when a token is verified for the first
   * time.
   */
  latestIssue(): UnixMs
  /** Whether a session's record, last written under this mark at this time, may still be believed. */
  trusts(mark: string, writtenAt: UnixMs): boolean
}

/** By how much an entry outlives the last token that it denies, besides the leeway, where one clock judges. */
export const CLOCK_SLACK: Milliseconds = 3_000

/** What the length of a denial follows from. */
export interface EntryLifetime {
  /** The longest `exp − iat` that is accepted. */
  readonly horizon: Milliseconds
  /** `tokens.leeway` */
  readonly leeway: Milliseconds
}

/** An entry as the log takes it; `grace` is what it outlives its token by. */
export function toNewEntry(entry: Revocation, grace: Milliseconds): NewEntry {
  const { kind, reason = '' } = entry
  switch (kind) {
    case 'jti': {
      // What is no number must deny for the longest time, not for none.
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

/** What is no number denies what was issued until now, not nothing. */
function toBefore({ before }: { readonly before?: UnixMs | undefined }): UnixMs | 'now' {
  return before !== undefined && Number.isFinite(before) ? Math.max(0, before) : 'now'
}

/** The entries without those about lost sessions, for a denylist to which they mean nothing. */
export function withoutLost(entries: readonly Revocation[]): readonly Revocation[] {
  return entries.filter(({ kind }) => kind !== 'lost')
}
