/** A login: limits, then the password, then a session. */
import { Refusal } from '../errors.js'
import { withinDeadline } from '../deadline.js'
import { issue } from './issue.js'
import type { TokenSet } from './issue.js'
import type { SessionPorts } from './ports.js'
import type { Identity, Origin } from './session.js'
import type { Slots } from './slots.js'

export interface LoginPorts extends SessionPorts {
  /** Who it is, or null if the credentials are wrong. */
  readonly authenticate: () => Identity | null | Promise<Identity | null>
  readonly slots: Slots
  readonly attempts: LoginAttempts
}

/** How often a login failed, for the account and for the address of this one. */
export interface LoginAttempts {
  /** Seconds until another may be tried; 0 = now. */
  waitSeconds(): Promise<number>
  countFailure(): Promise<void>
}

/** How long the writing of a new session may take: less than elsewhere, as the limits were asked before. */
const ISSUE_DEADLINE = 1_000

/**
 * @throws {Refusal} `invalid_credentials`, `rate_limited`, `overloaded`, `signed_in_elsewhere`, `store_unavailable`
 */
export async function login(ports: LoginPorts, username: string, origin: Origin): Promise<TokenSet> {
  const { attempts, slots, tell } = ports
  await refuseIfLimited(ports, username, origin)
  const identity = await slots.run(async () => {
    // Again, now that the slot is free: of guesses made at once, no more than there are slots get past the limit.
    await refuseIfLimited(ports, username, origin)
    const found = await ports.authenticate()
    if (!found) await attempts.countFailure()
    return found
  })
  if (!identity) {
    tell({ event: 'login_failed', username, ip: origin.ip })
    throw new Refusal('invalid_credentials')
  }
  return withinDeadline(issue(ports, identity, origin), ISSUE_DEADLINE)
}

async function refuseIfLimited(
  { attempts, tell }: LoginPorts,
  username: string,
  { ip }: Origin,
): Promise<void> {
  const seconds = await attempts.waitSeconds()
  if (seconds === 0) return
  tell({ event: 'login_limited', username, ip })
  throw rateLimited(seconds)
}

/** RFC 6585 §4. */
export function rateLimited(seconds: number): Refusal {
  return new Refusal('rate_limited', {
    detail: `Try again in ${seconds} s.`,
    headers: { 'retry-after': String(seconds) },
  })
}
