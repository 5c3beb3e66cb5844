import type { UnixMs } from '../clock.js'
import type { Sid } from '../session/session.js'

/** A one-time code as it is stored: its hash, and everything that its use needs. */
export interface StoredCode {
  /** SHA-256 of the code, in base64url. */
  readonly hash: string
  /** The session that issued the code. */
  readonly issuer: Sid
  readonly sub: string
  /** The OAuth client that alone may use the code. `undefined` lets every client use it. */
  readonly clientId: string | undefined
  /** The PKCE challenge (RFC 7636). `undefined` if the code was issued without one. */
  readonly challenge: string | undefined
  readonly createdAt: UnixMs
  readonly expiresAt: UnixMs
}

/** One use of a code. */
export interface CodeUse {
  readonly hash: string
  readonly clientId: string | undefined
  /** The challenge of the presented verifier. It must equal the challenge of the code, also in its absence. */
  readonly challenge: string | undefined
  /** The id of the session that this use begins, if it is the first. */
  readonly sid: Sid
  readonly now: UnixMs
}

export type CodeUseOutcome =
  /** The first use. The same atomic step has used up the code. */
  | {
      readonly kind: 'used'
      readonly issuer: Sid
      readonly sub: string
      readonly clientId: string | undefined
    }
  /** The code was used before, and `sid` is the session that the first use began. */
  | { readonly kind: 'reused'; readonly sid: Sid; readonly sub: string }
  /** The code exists, but it belongs to another client or has another challenge. Nothing was changed. */
  | { readonly kind: 'mismatch' }
  /** The code never existed, or its life is over. */
  | { readonly kind: 'unknown' }

/**
 * The store of one-time codes. A used code stays until its own life is over, so that a second use is detected.
 *
 * Every method throws a `store_unavailable` PortcullisError if the store is unreachable.
 */
export interface CodeStore {
  create(code: StoredCode): Promise<void>
  /** Uses up a code, in one atomic step. */
  use(use: CodeUse): Promise<CodeUseOutcome>
}
