import type { Test } from 'tap'
import type { Milliseconds, UnixMs } from '../../src/clock.js'
import { selectLiving } from '../../src/session/list-sessions.js'
import type {
  EndOutcome,
  EndRequest,
  RotationRequest,
  RotationOutcome,
  SessionStore,
} from '../../src/store/session-store.js'
import type { Session, Sid } from '../../src/session/session.js'
import { computeExpiry } from '../../src/session/session.js'
import { hashSecret, newRefreshToken, newSalt, deriveSuccessor } from '../../src/token/refresh-token.js'
import type { RefreshToken } from '../../src/token/refresh-token.js'
import type { MovableClock } from './movable-clock.js'

/** A session store under test, and its time. */
export interface StoreHarness {
  readonly store: SessionStore
  readonly clock: MovableClock
  /** Moves the clock and the lives of what is stored. */
  advance(milliseconds: Milliseconds): Promise<void>
}

export type OpenStore = (t: Test) => Promise<StoreHarness>

export const SECOND = 1_000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE

/** The rules of these tests, where a test doesn't say otherwise. */
export const GRACE = 10 * SECOND
export const IDLE = HOUR
export const ABSOLUTE = 24 * HOUR
export const TOMBSTONE = 15 * MINUTE + 3 * SECOND

/** Of what is minted in these tests, where a test doesn't say otherwise. */
const MARK = 'MARKMARK'

export interface Begun {
  readonly session: Session
  readonly token: RefreshToken
}

let subjects = 0

/** A subject that no other test of this file has. */
export function someone(): string {
  subjects += 1
  return `someone-${subjects}`
}

/** A session of `about`, as a login would make it, not stored yet. */
export function newSession(
  { clock }: StoreHarness,
  about: Partial<Session> & { idle?: Milliseconds; absolute?: Milliseconds } = {},
): Begun {
  const { idle = IDLE, absolute = ABSOLUTE, ...fields } = about
  const token = newRefreshToken()
  const now = clock.now()
  const endsAt = absolute > 0 ? now + absolute : 0
  const session: Session = {
    sid: token.sid,
    sub: someone(),
    clientId: 'portcullis',
    scope: undefined,
    claims: {},
    device: undefined,
    ip: undefined,
    userAgent: undefined,
    createdAt: now,
    lastSeenAt: now,
    endsAt,
    expiresAt: computeExpiry(now, idle, endsAt),
    refreshCount: 0,
    jtiPrefix: MARK,
    loginJtiPrefix: MARK,
    rotatedIssuedAt: undefined,
    accessLife: undefined,
    idle: undefined,
    startedBy: undefined,
    loggedInAt: undefined,
    credential: undefined,
    endsWithBrowser: false,
    ...fields,
  }
  return { session, token }
}

/** Begins a session. */
export async function begin(
  harness: StoreHarness,
  about: Parameters<typeof newSession>[1] = {},
): Promise<Begun> {
  const begun = newSession(harness, about)
  await create(harness, begun)
  return begun
}

export function create({ store }: StoreHarness, { session, token }: Begun): Promise<void> {
  return store.create(session, {
    familyHash: hashSecret(token.family),
    secretHash: hashSecret(token.secret),
  })
}

/** A use of a refresh token: what came of it, and the token that it would give if it rotates. */
export async function use(
  { store, clock }: StoreHarness,
  token: RefreshToken,
  rules: Partial<RotationRequest> = {},
): Promise<{ outcome: RotationOutcome; next: RefreshToken; salt: string }> {
  const salt = newSalt()
  const successor = deriveSuccessor(token, salt)
  const outcome = await store.rotate({
    sid: token.sid,
    familyHash: hashSecret(token.family),
    secretHash: hashSecret(token.secret),
    salt,
    successorHash: hashSecret(successor.secret),
    now: clock.now(),
    jtiPrefix: MARK,
    issuedAt: Math.floor(clock.now() / 1000),
    idle: IDLE,
    refreshLimit: 0,
    reuseGrace: GRACE,
    tombstone: TOMBSTONE,
    ...rules,
  })
  const next = outcome.kind === 'retried' ? deriveSuccessor(token, outcome.salt) : successor
  return { outcome, next, salt }
}

/** Uses a token that must rotate, and gives its successor. */
export async function rotated(
  t: Test,
  harness: StoreHarness,
  token: RefreshToken,
  rules: Partial<RotationRequest> = {},
): Promise<RefreshToken> {
  const { outcome, next } = await use(harness, token, rules)
  t.equal(outcome.kind, 'rotated')
  return next
}

export function end(
  { store, clock }: StoreHarness,
  sid: Sid,
  about: Partial<EndRequest> = {},
): Promise<EndOutcome> {
  return store.end({ sid, reason: 'logout', tombstone: TOMBSTONE, now: clock.now(), ...about })
}

/** A subject's living sessions, oldest first. */
export async function living(store: SessionStore, sub: string, now: UnixMs): Promise<Session[]> {
  return selectLiving(await store.indexed(sub, now, 1_000), now)
}

/** The sids of a subject's living sessions, oldest first. */
export async function sidsOf({ store, clock }: StoreHarness, sub: string): Promise<Sid[]> {
  return (await living(store, sub, clock.now())).map(({ sid }) => sid)
}
