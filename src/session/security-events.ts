import type { EndReason } from './session.js'

/** What an operator wants one line of, each. Names and addresses, never a token or a password. */
export type SecurityEvent =
  | { readonly event: 'login'; readonly sub: string; readonly sid: string; readonly ip?: string | undefined }
  /** `account`: a hash of the name, as its Redis key has it. Not the name: people type passwords into that field. */
  | { readonly event: 'login_failed'; readonly account: string; readonly ip?: string | undefined }
  | { readonly event: 'login_limited'; readonly account: string; readonly ip?: string | undefined }
  | { readonly event: 'refresh'; readonly sub: string; readonly sid: string }
  | { readonly event: 'refresh_token_reused'; readonly sub: string; readonly sid: string }
  | {
      /** By a logout, or for another reason. */
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
