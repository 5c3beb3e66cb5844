import { withinDeadline } from '../src/deadline.js'
import type { UnixMs, UnixSeconds } from '../src/clock.js'
import type { Revocation } from '../src/revocation/denylist.js'
import { endSessions } from '../src/session/end-sessions.js'
import type { Sid } from '../src/session/session.js'
import type { Core } from './core.js'

/** What is to be denied: one token, one session, a subject's or everybody's tokens of before, or one key's. */
export type RevokeRequest = {
  /** For people, and for the log. */
  readonly reason?: string | undefined
} & (
  | {
      readonly jti: string
      /** The token's `exp`; without it the denial stands as long as any token could live. */
      readonly expiresAt?: UnixSeconds | undefined
    }
  | { readonly sid: string }
  | { readonly sub: string; readonly before?: UnixSeconds | undefined }
  | { readonly all: true; readonly before?: UnixSeconds | undefined }
  | { readonly kid: string }
)

/**
 * Denies it, and ends the session where it is one. In force on every instance when it resolves.
 *
 * @throws {TypeError} if it isn't one target
 * @throws {PortcullisError} `store_unavailable`: nothing is promised; repeat it
 */
export async function revoke({ sessions, revokeDeadline }: Core, what: RevokeRequest): Promise<void> {
  checkTarget(what)
  if ('sid' in what) {
    const ended = endSessions(sessions, [{ sid: what.sid as Sid }], 'revoked', what.reason)
    await withinDeadline(ended, revokeDeadline)
    return
  }
  const entry = toDenylistEntry(what, sessions.clock.now())
  await withinDeadline(sessions.denylist.revoke([entry]), revokeDeadline)
  const id = entry.kind === 'all' ? '*' : entry.id
  sessions.emit({ event: 'revoked', kind: entry.kind, id, reason: what.reason })
}

const TARGETS = new Set(['jti', 'sid', 'sub', 'kid', 'all'])

/**
 * A host without types may give anything. What isn't one valid target throws: it must not deny nobody, or everybody.
 */
function checkTarget(what: object): void {
  const given = Object.entries(what).filter(([name]) => TARGETS.has(name))
  const [name, id] = given[0] ?? []
  const isTarget = name === 'all' ? id === true : typeof id === 'string' && id !== ''
  if (given.length !== 1 || !isTarget)
    throw new TypeError(
      'revoke takes one of { jti }, { sid }, { sub }, { kid }, each a string, or { all: true }',
    )
}

function toDenylistEntry(what: Exclude<RevokeRequest, { sid: string }>, now: UnixMs): Revocation {
  const { reason } = what
  if ('jti' in what) {
    const expiresAt = what.expiresAt === undefined ? Number.POSITIVE_INFINITY : what.expiresAt * 1000
    return { kind: 'jti', id: what.jti, expiresAt, reason }
  }
  if ('kid' in what) return { kind: 'kid', id: what.kid, reason }
  const at = (what.before ?? Number.POSITIVE_INFINITY) * 1000
  // Nothing was issued later than now, and logins would wait for a time to come.
  const before = at < now ? at : undefined
  return 'sub' in what ? { kind: 'sub', id: what.sub, before, reason } : { kind: 'all', before, reason }
}
