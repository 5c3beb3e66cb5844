/** The record of a run: every operation with its two times, and every fault, on the driver's monotonic clock. */

/** An access token by its claims. Times of claims are Unix seconds. */
export interface AccessToken {
  readonly jti: string
  readonly sid: string
  readonly sub: string
  readonly iat: number
  readonly exp: number
}

/** The tokens that an operation ends or revokes if it succeeds. */
export type Scope =
  | { readonly kind: 'sid'; readonly sid: string }
  | { readonly kind: 'jti'; readonly jti: string }
  /** Every session of the subject; `caller` is the session that the request was made with. */
  | {
      readonly kind: 'everywhere'
      readonly sub: string
      readonly caller: string
      readonly keepsCaller: boolean
    }
  /** `before`: Unix seconds; without it, up to now. */
  | { readonly kind: 'sub'; readonly sub: string; readonly before?: number }
  | { readonly kind: 'all'; readonly before?: number }
  /** Everything signed with the one key, for good. */
  | { readonly kind: 'kid'; readonly kid: string }

/** A refresh token, by a fingerprint. */
export interface Presented {
  readonly sid: string
  readonly fingerprint: string
}

export interface Draft {
  readonly client: string
  /** `login`, `me`, `proxied`, `refresh`, `logout access`, … */
  readonly name: string
  readonly instance: number
  /** The token without which the operation must not succeed. */
  readonly bearer?: AccessToken
  readonly presented?: Presented
  readonly ends?: Scope
}

export interface Operation extends Draft {
  readonly invokedAt: number
  /** Time of the response, or of giving up. */
  readonly completedAt: number
  /** `undefined`: no response arrived; nobody knows what happened. */
  readonly status: number | undefined
  readonly code?: string
  readonly obtained?: { readonly access: AccessToken; readonly refresh: string }
}

export interface Fault {
  readonly name: string
  readonly begunAt: number
  /** When everything was ready again. */
  readonly endedAt: number
  /** The instance that it was done to. */
  readonly instance?: number
  /** Redis may have lost acknowledged writes. */
  readonly loses?: boolean
  /** A frozen primary runs again after another one has taken its place. */
  readonly thaws?: boolean
  /** The furthest that the instance's wall clock was from the true one, in milliseconds; ahead is positive. */
  readonly clock?: number
}

export interface History {
  readonly operations: readonly Operation[]
  readonly faults: readonly Fault[]
  /** Unix ms of the driver's clock at its 0. */
  readonly origin: number
}

export const succeeded = ({ status }: Pick<Operation, 'status'>): boolean =>
  status !== undefined && status >= 200 && status < 300

/** The operation may have happened, in part or later: it promises nothing and excludes nothing. */
export const isIndeterminate = ({ status }: Pick<Operation, 'status'>): boolean =>
  status === undefined || status >= 500
