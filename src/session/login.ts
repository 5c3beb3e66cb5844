/** A login: limits, then the password, then a session. */
import { PortcullisError } from '../errors.js'
import { issue } from './issue.js'
import type { TokenSet } from './issue.js'
import type { SessionDependencies } from './dependencies.js'
import type { Identity, ClientInfo } from './session.js'
import type { WorkSlots } from '../login/work-slots.js'

export interface LoginDependencies extends SessionDependencies {
  /** Who it is, or null if the credentials are wrong. */
  readonly authenticate: () => Identity | null | Promise<Identity | null>
  readonly slots: WorkSlots
  readonly attempts: LoginAttempts
}

/** How often a login failed, for the account and for the address of this one. */
export interface LoginAttempts {
  /** A hash of the account's name. */
  readonly account: string
  /** Seconds until another may be tried; 0 = now. */
  waitSeconds(): Promise<number>
  countFailure(): Promise<void>
}

/** How long the writing of a new session may take: less than elsewhere, as the limits were asked before. */
const ISSUE_DEADLINE = 800

/**
 * @throws {PortcullisError} `invalid_credentials`, `rate_limited`, `overloaded`, `signed_in_elsewhere`, `store_unavailable`
 */
export async function login(ports: LoginDependencies, origin: ClientInfo): Promise<TokenSet> {
  const { attempts, slots, emit } = ports
  await rejectIfLimited(ports, origin)
  const identity = await slots.run(async () => {
    // Again, now that the slot is free: of guesses made at once, no more than there are slots get past the limit.
    await rejectIfLimited(ports, origin)
    const found = await ports.authenticate()
    if (!found) await attempts.countFailure()
    return found
  })
  if (!identity) {
    emit({ event: 'login_failed', account: attempts.account, ip: origin.ip })
    throw new PortcullisError('invalid_credentials')
  }
  return issue(ports, identity, origin, ISSUE_DEADLINE)
}

async function rejectIfLimited({ attempts, emit }: LoginDependencies, { ip }: ClientInfo): Promise<void> {
  const seconds = await attempts.waitSeconds()
  if (seconds === 0) return
  emit({ event: 'login_limited', account: attempts.account, ip })
  throw rateLimited(seconds)
}

/** RFC 6585 §4. */
export function rateLimited(seconds: number): PortcullisError {
  return new PortcullisError('rate_limited', {
    detail: `Try again in ${seconds} s.`,
    headers: { 'retry-after': String(seconds) },
  })
}
