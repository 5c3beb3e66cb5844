/**
 * The exchange of a one-time code for the tokens of a new session (RFC 6749 §4.1.3, PKCE: RFC 7636 §4.6).
 *
 * One atomic step of the store uses up the code, before anything else happens. A crash afterwards leaves at most a
 * session without tokens, which expires. A code's second use counts as theft, and ends what the first use began (RFC
 * 6749 §4.1.2). Unlike a refresh token, a code has no grace, because a client that repeats a lost response looks like a
 * thief, and can get another code.
 */
import { CLOCK_TOLERANCE } from '../clock.js'
import type { Milliseconds } from '../clock.js'
import { withinDeadline } from '../deadline.js'
import { PortcullisError } from '../errors.js'
import type { CodeUseOutcome } from '../store/code-store.js'
import { deriveChallenge, isCode } from '../token/one-time-code.js'
import { hashSecret } from '../token/refresh-token.js'
import type { RefreshToken } from '../token/refresh-token.js'
import { endRecords, endSessions, revokeEnded } from './end-sessions.js'
import { issue, rejectIfFull } from './issue.js'
import type { TokenSet } from './issue.js'
import { applyCheck } from './refresh-check.js'
import { requireLiving } from './living-session.js'
import { schemes } from '../token/schemes.js'
import { endStartedBy } from './started-by.js'
import type { SessionDependencies } from './dependencies.js'
import { loginTime } from './session.js'
import type { ClientInfo, Session } from './session.js'

/** A code as a client presents it. */
export interface PresentedCode {
  readonly code: string
  /** The PKCE verifier. It must be given exactly if the code was issued with a challenge. */
  readonly verifier?: string | undefined
  /** The OAuth client. It must be the one that the code was issued for, if any. */
  readonly clientId?: string | undefined
}

/** Time for each of four steps: use the code, read its session, store the new session, read the session of the code again. */
const STEP_DEADLINE: Milliseconds = 480

/**
 * Uses up a code and starts a session for the subject of the session that issued it. The user is read first, if that is
 * configured (see RefreshCheck). Otherwise a code would give a removed user tokens that live longer than those of a
 * refresh.
 *
 * @param request The Fastify request, for the check of the user.
 * @throws {PortcullisError} `invalid_grant` for a code that is unknown, used, expired, or presented with another verifier
 *   or client; `session_ended`, `reauthentication_required` if the session that issued it has ended;
 *   `signed_in_elsewhere`, `overloaded`, `store_unavailable`. After `store_unavailable` the code may be used up.
 */
export async function exchangeCode(
  dependencies: SessionDependencies,
  { code, verifier, clientId }: PresentedCode,
  client: ClientInfo,
  request?: unknown,
): Promise<TokenSet> {
  const { codes, clock, settings, refreshChecks } = dependencies
  if (codes === undefined) throw new TypeError('one-time codes are off (setting codes)')
  rejectIfFull(dependencies)
  const challenge = verifier === undefined ? undefined : deriveChallenge(verifier)
  if (!isCode(code) || (verifier !== undefined && challenge === undefined)) throw invalidGrant('shape')
  const token = schemes[settings.scheme].newToken()
  const use = { hash: hashSecret(code), clientId, challenge, sid: token.sid, now: clock.now() }
  const outcome = await withinDeadline(codes.store.use(use), STEP_DEADLINE)
  if (outcome.kind === 'reused') await endFirstUse(dependencies, outcome)
  if (outcome.kind !== 'used') throw invalidGrant(outcome.kind)
  const issuer = await withinDeadline(requireLiving(dependencies, outcome.issuer), STEP_DEADLINE)
  const start = (identity: Pick<Session, 'scope' | 'claims'>) =>
    startSession(dependencies, { ...issuer, ...identity }, outcome.clientId, token, client)
  if (refreshChecks === undefined) return start(issuer)
  return refreshChecks.run(issuer, use.hash, request, async (read) =>
    start(await applyCheck(dependencies, issuer, read)),
  )
}

/** Starts the session of a code, unless the session that issued the code ends in the meantime. */
async function startSession(
  dependencies: SessionDependencies,
  issuer: Session,
  clientId: string | undefined,
  token: RefreshToken,
  client: ClientInfo,
): Promise<TokenSet> {
  const { sid, sub, scope, claims } = issuer
  const { access, refresh } = dependencies.codes!
  const identity = { sub, scope, claims, clientId: clientId ?? issuer.clientId }
  return issue(dependencies, identity, client, {
    access,
    idle: refresh,
    // A code is no login, so it can't extend the time until the next one (`tokens.absolute`).
    endsAt: issuer.endsAt,
    startedBy: sid,
    loggedInAt: loginTime(issuer),
    credential: issuer.credential,
    token,
    deadline: STEP_DEADLINE,
    // A logout that ended the session of the code before the new session was stored hasn't found the new session.
    confirm: async () => {
      try {
        await withinDeadline(requireLiving(dependencies, sid), STEP_DEADLINE)
      } catch (error) {
        await endSessions(dependencies, [{ sid: token.sid, indexedFor: sub }], 'revoked')
        throw error
      }
    },
  })
}

/**
 * Ends the session that the first use of a code began, and the sessions that its own codes began. A first use that is
 * still in progress can't store its session afterwards.
 */
async function endFirstUse(
  dependencies: SessionDependencies,
  { sid, sub }: Extract<CodeUseOutcome, { kind: 'reused' }>,
): Promise<void> {
  const first = [{ sid, indexedFor: sub }]
  const outcomes = await endRecords(dependencies, first, 'reuse')
  // The first use was at most `codes.life` ago, by clocks that may differ.
  const since = dependencies.clock.now() - dependencies.codes!.life - 2 * CLOCK_TOLERANCE
  const others = await endStartedBy(dependencies, sub, sid, { reason: 'reuse', since })
  // Emit once per code. Each later use finds the session ended, and revokes it again in case an earlier attempt failed.
  if (outcomes[0]!.kind !== 'already_ended') dependencies.emit({ event: 'code_reused', sub, sid })
  await revokeEnded(dependencies, [...first, ...others.sessions], [...outcomes, ...others.outcomes], 'reuse')
}

function invalidGrant(reason: string): PortcullisError {
  return new PortcullisError('invalid_grant', {
    detail: 'The code is unknown, used or expired, or belongs to another client or code_verifier.',
    reason,
  })
}
