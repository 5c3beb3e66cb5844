/** A login: checks the limits, then the password, and starts a session. */
import { PortcullisError, rateLimited } from '../errors.js'
import { endSessions } from './end-sessions.js'
import { issue, rejectIfFull } from './issue.js'
import type { IssueOptions, TokenSet } from './issue.js'
import type { SessionDependencies } from './dependencies.js'
import type { AuthenticatedIdentity, ClientInfo, Session } from './session.js'

/** One login: the way in which its credentials are verified, and the limits that apply to it. */
export interface LoginRequest {
  /** Returns the identity, or `null` if the credentials are wrong. */
  readonly authenticate: () => Promise<AuthenticatedIdentity | null>
  /** Returns true if the user has another password now than the session was started with. Default: never. */
  readonly isOutdated?: ((session: Session) => boolean) | undefined
  /** Bounds the concurrent calls of `authenticate`. */
  readonly slots: { run<T>(origin: LoginAttempts, work: () => Promise<T>): Promise<T> }
  readonly attempts: LoginAttempts
}

/** The counted logins for the account and for the client address of one login. */
export interface LoginAttempts {
  /** The hash of the account's name. */
  readonly account: string
  /** The address key of the client. */
  readonly address: string
  /** Returns the seconds until the next attempt is allowed; 0 = now. */
  waitSeconds(): Promise<number>
  /** Counts this login as failed. */
  countFailure(): Promise<void>
  /** Counts this login as successful. Returns the seconds to wait if there were too many, else 0. */
  countSuccess(): Promise<number>
}

/**
 * Time in ms to store the new session. Shorter than `STORE_DEADLINE`, because the limits were read from Redis before.
 */
const ISSUE_DEADLINE = 800

/**
 * Logs a subject in and returns the tokens of its new session.
 *
 * @throws {PortcullisError} `invalid_credentials`, `rate_limited`, `overloaded`, `signed_in_elsewhere`,
 *   `store_unavailable`
 */
export async function login(
  dependencies: SessionDependencies,
  { attempts, slots, authenticate, isOutdated }: LoginRequest,
  client: ClientInfo,
  options: IssueOptions = {},
): Promise<TokenSet> {
  const { emit } = dependencies
  const countFailure = async () => {
    await attempts.countFailure()
    emit({ event: 'login_failed', account: attempts.account, ip: client.ip })
  }
  // Before the limits and the password: a login that fails writes counters, and hashing is expensive.
  rejectIfFull(dependencies)
  await rejectIfLimited(attempts, emit, client)
  const identity = await slots.run(attempts, async () => {
    // Check again when a slot is free. Otherwise every guess that was sent at the same time would pass the limit.
    await rejectIfLimited(attempts, emit, client)
    const found = await authenticate().catch(async (error: unknown) => {
      // A login that the host's function rejects with an error (4xx except 429) counts as failed. Otherwise such logins
      // could guess passwords without limit.
      if (isRefusal(error)) await countFailure()
      throw error
    })
    // Logins that were sent at the same time may all have passed the check of the limit on successes.
    if (found) rejectIfOver(await attempts.countSuccess(), attempts, emit, client)
    else await countFailure()
    return found
  })
  if (!identity) throw new PortcullisError('invalid_credentials')
  const { credential } = identity
  const tokens = await issue(dependencies, identity, client, {
    ...options,
    credential,
    deadline: ISSUE_DEADLINE,
  })
  // The password may have changed after it was verified. The sessions of the user were then perhaps ended before this
  // one was stored.
  if (!isOutdated?.(tokens.session)) return tokens
  await endSessions(dependencies, [{ sid: tokens.session.sid }], 'revoked')
  throw new PortcullisError('invalid_credentials')
}

function isRefusal(error: unknown): boolean {
  return error instanceof PortcullisError && error.statusCode < 500 && error.statusCode !== 429
}

async function rejectIfLimited(
  attempts: LoginAttempts,
  emit: SessionDependencies['emit'],
  client: ClientInfo,
): Promise<void> {
  rejectIfOver(await attempts.waitSeconds(), attempts, emit, client)
}

function rejectIfOver(
  seconds: number,
  attempts: LoginAttempts,
  emit: SessionDependencies['emit'],
  { ip }: ClientInfo,
): void {
  if (seconds === 0) return
  emit({ event: 'login_limited', account: attempts.account, ip })
  throw rateLimited(seconds)
}
