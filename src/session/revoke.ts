/** A revocation: writes one denylist entry, or ends one session. */
import type { UnixMs, UnixSeconds } from '../clock.js'
import { hasLoneSurrogate } from '../lone-surrogate.js'
import type { NewEntry } from '../revocation/entry.js'
import type { SessionDependencies } from './dependencies.js'
import { endSessions } from './end-sessions.js'
import type { Sid } from './session.js'

/**
 * The tokens to revoke: one access token (`jti`), one session (`sid`), the tokens of a subject (`sub`) or of everybody
 * (`all`), or everything that one key has signed (`kid`).
 */
export type RevokeRequest = {
  /** A note for people, which the log and `GET /api/revocations` show. */
  readonly reason?: string | undefined
} & (
  | {
      readonly jti: string
      /**
       * The token's `exp`. Without it, the entry is kept for the longest lifetime of a token (`revocation.horizon`).
       */
      readonly expiresAt?: UnixSeconds | undefined
    }
  | { readonly sid: string }
  /** `before` limits `sub` and `all` to tokens issued at this time or earlier. It is now by default, and at most. */
  | { readonly sub: string | number; readonly before?: UnixSeconds | undefined }
  | { readonly all: true; readonly before?: UnixSeconds | undefined }
  | { readonly kid: string }
)

/**
 * Writes denylist entries, and ends the session if `what` is a `sid`. When the promise resolves, no instance admits the
 * revoked tokens.
 *
 * @throws {TypeError} if `what` isn't exactly one of `jti`, `sid`, `sub`, `kid` and `all: true`
 * @throws {PortcullisError} `store_unavailable`. The tokens may or may not be revoked. Repeat the call.
 */
export async function revoke(dependencies: SessionDependencies, what: RevokeRequest): Promise<void> {
  checkRequest(what)
  if ('sid' in what) {
    await endSessions(dependencies, [{ sid: what.sid as Sid }], 'revoked', what.reason)
    return
  }
  const { denylist, clock, emit } = dependencies
  const entry = toNewEntry(what, clock.now())
  await denylist.revoke([entry])
  emit({ event: 'revoked', kind: entry.kind, id: entry.id, reason: what.reason })
}

const KINDS = new Set(['jti', 'sid', 'sub', 'kid', 'all'])

/**
 * Checks the request at run time, because a host in plain JavaScript has no type checks. A mistake must not revoke
 * nothing, or everything.
 *
 * @throws {TypeError}
 */
function checkRequest(what: object): void {
  const given = Object.entries(what).filter(([name]) => KINDS.has(name))
  const [name, id] = given[0] ?? []
  const isNumericSubject = name === 'sub' && Number.isSafeInteger(id)
  const isText = typeof id === 'string' && id !== '' && !hasLoneSurrogate(id)
  const isValid = name === 'all' ? id === true : isNumericSubject || isText
  if (given.length !== 1 || !isValid)
    throw new TypeError(
      'revoke: give exactly one of { jti }, { sid }, { sub }, { kid } with a non-empty string without lone surrogates, or { all: true }',
    )
}

function toNewEntry(what: Exclude<RevokeRequest, { sid: string }>, now: UnixMs): NewEntry {
  const { reason } = what
  if ('jti' in what) {
    const until = what.expiresAt === undefined ? undefined : what.expiresAt * 1000
    return { kind: 'jti', id: what.jti, until, reason }
  }
  if ('kid' in what) return { kind: 'kid', id: what.kid, reason }
  const at = (what.before ?? Number.POSITIVE_INFINITY) * 1000
  // A time in the future means now. No token was issued later, and logins would have to wait until that time.
  const before = at < now ? at : undefined
  return 'sub' in what
    ? { kind: 'sub', id: String(what.sub), before, reason }
    : { kind: 'all', id: '*', before, reason }
}
