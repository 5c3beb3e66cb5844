/** A revocation: writes one denylist entry, or ends one session. */
import { toSeconds } from '../clock.js'
import type { Milliseconds, UnixMs, UnixSeconds } from '../clock.js'
import { hasLoneSurrogate } from '../lone-surrogate.js'
import type { NewEntry } from '../revocation/entry.js'
import type { SessionDependencies } from './dependencies.js'
import { endWithStarted } from './started-by.js'
import { endInPages } from './end-sessions.js'
import type { SessionToEnd } from './end-sessions.js'
import { readIndex } from './read-index.js'
import { loginTime } from './session.js'
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
 * Writes a denylist entry, and ends the session if `what` is a `sid`, or the subject's sessions if it is a `sub`. If it
 * is `all`, every session ends when it is refreshed. When the promise resolves, no instance admits the revoked tokens, and
 * no refresh token of these sessions works.
 *
 * @throws {TypeError} if `what` isn't exactly one of `jti`, `sid`, `sub`, `kid` and `all: true`
 * @throws {PortcullisError} `store_unavailable`. The tokens may or may not be revoked. Repeat the call.
 */
export async function revoke(dependencies: SessionDependencies, what: RevokeRequest): Promise<void> {
  checkRequest(what)
  if ('sid' in what) {
    await endWithStarted(dependencies, [{ sid: what.sid as Sid }], 'revoked', what.reason)
    return
  }
  const { store, denylist, clock, settings, emit } = dependencies
  const now = clock.now()
  const entry = toNewEntry(what, now)
  // Before the entry: a login that the entry doesn't cover is then not affected by the cutoff either.
  if (entry.kind === 'jti' && settings.scheme === 'single')
    await store.recordRevokedToken(entry.id, now, settings.absolute || CUTOFF_TTL)
  if (entry.kind === 'all') await store.setCutoff({ before: entry.before, now, ttl: CUTOFF_TTL })
  await denylist.revoke([entry])
  emit({ event: 'revoked', kind: entry.kind, id: entry.id, reason: what.reason })
  if (entry.kind === 'sub') await endSubject(dependencies, entry, now)
}

/** Ten years, the longest lifetime of a session that any setting allows. */
const CUTOFF_TTL: Milliseconds = 3_650 * 86_400_000

/**
 * Ends the sessions of a subject that a `sub` entry covers. The denylist forgets the entry when all tokens that it
 * covers have expired. Without this, a session that isn't refreshed until then could be refreshed afterwards.
 *
 * Call it after the entry was written. A login that runs meanwhile either finds the entry when it has stored its session
 * (see `rejectIfCovered`), or has its session in the index by now.
 *
 * @param calledAt The time before the entry was written.
 */
async function endSubject(
  dependencies: SessionDependencies,
  { id: sub, before, reason }: RevokeEntry,
  calledAt: UnixMs,
): Promise<void> {
  const isPast = before !== undefined
  // By whole seconds, as the `iat` that the entry covers. A default `before` is at least `calledAt`.
  const isBy = (time: UnixMs) => toSeconds(time) * 1000 <= (isPast ? before : calledAt)
  const sessions: SessionToEnd[] = []
  for await (const { sid, session } of readIndex(dependencies.store, sub, calledAt)) {
    if (isPast && !(session && isBy(loginTime(session)))) continue
    sessions.push({ sid, indexedFor: sub, isCovered: session !== undefined && isBy(session.lastSeenAt) })
  }
  await endInPages(dependencies, sessions, 'revoked', { note: reason })
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

/** An entry whose `before` is now by default. */
type RevokeEntry = NewEntry & { readonly before?: UnixMs | undefined }

function toNewEntry(what: Exclude<RevokeRequest, { sid: string }>, now: UnixMs): RevokeEntry {
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
