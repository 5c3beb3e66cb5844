import type { EndReason } from './session.js'

/** An event that is logged as one line. It has names and addresses, but never a token or a password. */
export type SecurityEvent =
  | { readonly event: 'login'; readonly sub: string; readonly sid: string; readonly ip?: string | undefined }
  /** `account` is a hash of the name, as in the Redis key, because users sometimes type a password into that field. */
  | { readonly event: 'login_failed'; readonly account: string; readonly ip?: string | undefined }
  | { readonly event: 'login_limited'; readonly account: string; readonly ip?: string | undefined }
  /**
   * `refresh`: an exchange of a token for its successor. `refresh_retried`: the same exchange again within the grace,
   * which is harmless.
   */
  | { readonly event: 'refresh' | 'refresh_retried'; readonly sub: string; readonly sid: string }
  /** A response brings a new access token (`tokens.renewUnder`). */
  | { readonly event: 'token_renewed'; readonly sub: string; readonly sid: string }
  | { readonly event: 'refresh_token_reused'; readonly sub: string; readonly sid: string }
  /** A one-time code was used twice. `sid` is the session that its first use began. */
  | { readonly event: 'code_reused'; readonly sub: string; readonly sid: string }
  | {
      /** `logout` if a logout ended the session, else `session_ended`. */
      readonly event: 'logout' | 'session_ended'
      readonly sub: string | undefined
      readonly sid: string
      readonly reason: EndReason
    }
  | {
      readonly event: 'revoked'
      readonly kind: string
      readonly id: string
      readonly reason?: string | undefined
    }
