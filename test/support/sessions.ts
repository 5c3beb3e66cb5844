/** The behaviours on their real adapters, and what tests ask of tokens. */
import type { Test } from 'tap'
import { createJwt } from '../../plugins/jwt.js'
import { systemClock } from '../../src/clock.js'
import type { Clock } from '../../src/clock.js'
import { PortcullisError } from '../../src/errors.js'
import { MemoryDenylist } from '../../src/revocation/memory-denylist.js'
import { CLOCK_SLACK } from '../../src/revocation/denylist.js'
import type { Denylist, RevocableToken } from '../../src/revocation/denylist.js'
import type { SecurityEvent } from '../../src/session/security-events.js'
import type { SessionDependencies, SessionSettings } from '../../src/session/dependencies.js'
import { RateBound } from '../../src/rate-bound.js'
import { issue as issueTokens } from '../../src/session/issue.js'
import type { TokenSet } from '../../src/session/issue.js'
import { refresh as refreshTokens } from '../../src/session/refresh.js'
import { redisKeys } from '../../src/redis/keys.js'
import { MemorySessionStore } from '../../src/store/memory-session-store.js'
import type { CodeStore } from '../../src/store/code-store.js'
import { RedisCodeStore } from '../../src/store/redis-code-store.js'
import type { SessionStore } from '../../src/store/session-store.js'
import { defineScripts } from '../../src/store/define-scripts.js'
import { RedisSessionStore } from '../../src/store/redis-session-store.js'
import type { AccessClaims } from '../../src/token/access-token.js'
import { generateKey, importKey } from '../../src/token/signing-key.js'
import { VerifiedCache } from '../../src/token/verified-cache.js'
import { SignatureBudget } from '../../src/token/signature-budget.js'
import { TokenVerifier } from '../../src/token/token-verifier.js'
import { MovableClock } from './movable-clock.js'
import { PROOF } from './refresh-token-proof.js'
import { cleanUp, connect, uniquePrefix } from './redis.js'
import { openInstance, settle } from './open-denylist.js'

export const SECOND = 1_000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE

const ISSUER = { issuer: 'https://issuer.example', audience: 'https://api.example' }
const ACCESS = 15 * MINUTE

export const RULES: SessionSettings = {
  ...ISSUER,
  scheme: 'dual',
  access: ACCESS,
  jitter: 0,
  refresh: HOUR,
  absolute: 24 * HOUR,
  refreshLimit: 0,
  reuseGrace: 10 * SECOND,
  tombstone: ACCESS + CLOCK_SLACK,
  perSubject: 0,
  perDevice: 0,
  onLimit: 'evict-oldest',
}

export const LIFE = { horizon: ACCESS, leeway: 0 }

/** With one-time codes, the horizon is the life of the tokens that codes begin. */
export const LONG_LIFE = { horizon: 2 * HOUR, leeway: 0 }

/** The settings of one-time codes by default. */
const CODES = { life: 10 * MINUTE, access: 2 * HOUR, refresh: 30 * 24 * HOUR }
const key = await importKey(JSON.stringify(generateKey('ES256')), 'ES256')
const jwt = await createJwt(key, ISSUER)

/** One process: its ports, its verdict, and what it told. */
export interface Instance {
  readonly ports: SessionDependencies
  readonly verdict: TokenVerifier
  readonly events: SecurityEvent[]
}

export interface Adapters {
  readonly store: SessionStore
  readonly denylist: Denylist
  /** Without it, one-time codes are off. */
  readonly codes?: CodeStore
}

export function instance(
  { store, denylist, codes }: Adapters,
  clock: Clock,
  rules: Partial<SessionSettings> = {},
): Instance {
  const events: SecurityEvent[] = []
  const life = codes ? LONG_LIFE : LIFE
  return {
    events,
    ports: {
      store,
      denylist,
      codes: codes && { ...CODES, store: codes },
      clock,
      sign: jwt.sign,
      proof: PROOF,
      isFull: () => false,
      bounds: { unproven: new RateBound(1_000), unknown: new RateBound(1_000) },
      settings: { ...RULES, tombstone: life.horizon + CLOCK_SLACK, ...rules },
      emit: (event) => void events.push(event),
    },
    verdict: new TokenVerifier({
      keys: new Map([[key.kid, jwt.verifier]]),
      verified: new VerifiedCache(100),
      denylist,
      clock,
      settings: { ...ISSUER, ...life },
      budget: new SignatureBudget(clock, (address) => address, 'ES512'),
    }),
  }
}

export interface MemoryRig extends Instance {
  readonly clock: MovableClock
}

/** The embedded mode, at a time that isn't a whole second. */
export function embedded(rules: Partial<SessionSettings> = {}): MemoryRig {
  const clock = new MovableClock(1_800_000_000_250)
  const adapters = { store: new MemorySessionStore(), denylist: new MemoryDenylist(clock, LIFE) }
  return { clock, ...instance(adapters, clock, rules) }
}

/** Two processes on one Redis, each with connections of its own. */
export async function twoInstances(
  t: Test,
  check: 'replica' | 'redis' | 'presence',
  rules: Partial<SessionSettings> = {},
  { withCodes = false } = {},
): Promise<[Instance, Instance]> {
  const prefix = uniquePrefix()
  cleanUp(t, prefix)
  await settle(connect(t), prefix)
  const open = async () => {
    const client = connect(t)
    await client.ping()
    const [scripts, keys] = [defineScripts(client), redisKeys(prefix)]
    const store = new RedisSessionStore(client, scripts, keys)
    const life = withCodes ? LONG_LIFE : LIFE
    const { denylist } = await openInstance(t, { prefix, check, life, redis: client })
    const codes = withCodes ? { codes: new RedisCodeStore(scripts, keys) } : {}
    return instance({ store, denylist, ...codes }, systemClock, rules)
  }
  return [await open(), await open()]
}

/** `good`, or the code of the refusal. Any other failure is thrown. */
export async function outcomeOf(work: () => unknown): Promise<string> {
  try {
    await work()
    return 'good'
  } catch (error) {
    if (error instanceof PortcullisError) return error.code
    throw error
  }
}

export function judged({ verdict }: Instance, accessToken: string): Promise<string> {
  return outcomeOf(() => verdict.verifyToken(accessToken))
}

export function refreshed({ ports }: Instance, refreshToken: string): Promise<string> {
  return outcomeOf(() => refresh(ports, refreshToken))
}

/** What an access token says, as its holder reads it. */
export function claimsOf(accessToken: string): AccessClaims {
  return JSON.parse(Buffer.from(accessToken.split('.')[1]!, 'base64url').toString()) as AccessClaims
}

/** Returns the claims by which the access token of a token set can be revoked. */
export function toRevocable({ accessToken }: TokenSet): RevocableToken {
  const { jti, sid, sub, iat } = claimsOf(accessToken)
  return { jti, sid, sub, iat, kid: 'key' }
}

/** What was told of one kind. */
export function told({ events }: Instance, event: SecurityEvent['event']): SecurityEvent[] {
  return events.filter((one) => one.event === event)
}

/** The tokens of the dual scheme. */
export interface DualTokens extends TokenSet {
  readonly refreshToken: string
}

/** Starts a session of the dual scheme. */
export async function issue(...args: Parameters<typeof issueTokens>): Promise<DualTokens> {
  return toDual(await issueTokens(...args))
}

/** Refreshes a session of the dual scheme. */
export async function refresh(...args: Parameters<typeof refreshTokens>): Promise<DualTokens> {
  return toDual(await refreshTokens(...args))
}

function toDual(tokens: TokenSet): DualTokens {
  const { refreshToken } = tokens
  if (refreshToken === undefined) throw new Error('there is no refresh token')
  return { ...tokens, refreshToken }
}
