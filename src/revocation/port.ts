import type { Milliseconds, UnixMs, UnixSeconds } from '../clock.js'

/**
 * One denial. `jti`: one access token. `sid`: every access token of one session, those that a racing refresh is
 * minting now included.
 */
export type Entry =
  /** `until`: when the token has expired on every clock that may judge it. */
  | {
      readonly kind: 'jti'
      readonly id: string
      readonly until: UnixMs
      readonly reason?: string | undefined
    }
  | { readonly kind: 'sid'; readonly id: string; readonly reason?: string | undefined }

/** What a look-up needs of an access token. */
export interface Revocable {
  readonly jti: string
  readonly sid: string
  readonly iat: UnixSeconds
}

/** Which kind of entry denies the token; `history`: it is older than what the denylist remembers. */
export type Denial = Entry['kind'] | 'history'

/** What a new access token begins with. Taken before the session is read, so that no racing logout is outlived. */
export interface Stamp {
  readonly issuedAt: UnixSeconds
  /** 8 characters that every `jti` minted now begins with. */
  readonly mark: string
}

/**
 * The denylist. When `revoke` has returned, no instance admits a token that an entry covers. Methods throw a
 * `store_unavailable` Refusal when that can't be had, or can't be known, now.
 */
export interface Revocation {
  /** Why the token is denied, or undefined. Returns at once where no store has to be asked. */
  check(token: Revocable): Denial | undefined | Promise<Denial | undefined>
  revoke(entries: readonly Entry[]): Promise<void>
  stamp(): Stamp
}

/** By how much an entry outlives the last token that it denies, besides the leeway: clocks differ. */
export const CLOCK_SLACK: Milliseconds = 3_000

/** What the length of a denial follows from. */
export interface DenialLife {
  /** The longest `exp − iat` that is accepted. */
  readonly horizon: Milliseconds
  /** `tokens.leeway` */
  readonly leeway: Milliseconds
}

/** For how long from now an entry must stand. */
export function denialLife(entry: Entry, { horizon, leeway }: DenialLife, now: UnixMs): Milliseconds {
  const left = entry.kind === 'jti' ? Math.ceil(entry.until - now) : horizon
  // Not `Math.min`: what is no number must deny for the longest time, not for none.
  return Math.max(left < horizon ? left : horizon, 0) + leeway + CLOCK_SLACK
}
