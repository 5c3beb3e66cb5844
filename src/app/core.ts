/** Builds the core from its adapters. The decorators and the routes are built on the core, in `registerCore`. */
import type { Log } from '../logger.js'
import { Admitter } from '../token/admission.js'
import { steadyClock, systemClock } from '../clock.js'
import type { PluginSettings } from '../config.js'
import { withinDeadline } from '../deadline.js'
import { LongLivedConnections } from '../token/long-lived-connections.js'
import { CLOCK_SLACK } from '../revocation/denylist.js'
import type { EntryLifetime, Listing, ListQuery } from '../revocation/denylist.js'
import { EventListeners } from '../event-listeners.js'
import { RateBound } from '../rate-bound.js'
import { SessionChanges } from '../session-changes.js'
import { RefreshChecks, Sessions, SlidingRenewal } from '../session/sessions.js'
import type { Sid } from '../session/session.js'
import type { Authenticator } from '../login/authenticator.js'
import { openUserSource } from '../login/user-source.js'
import { redisKeys } from '../redis/keys.js'
import type { CodeStore } from '../store/code-store.js'
import { MemoryCodeStore } from '../store/memory-code-store.js'
import { MemorySessionStore } from '../store/memory-session-store.js'
import type { SessionStore } from '../store/session-store.js'
import type { RedisClient } from '../redis/redis-client.js'
import { RedisCodeStore } from '../store/redis-code-store.js'
import { RedisSessionStore } from '../store/redis-session-store.js'
import { defineScripts } from '../store/define-scripts.js'
import type { Transports } from '../token/presented-token.js'
import { clearCookies, cookieNames } from '../token/token-cookies.js'
import { RefreshTokenProof } from '../token/refresh-token-proof.js'
import type { SigningKey } from '../token/signing-key.js'
import { VerifiedCache } from '../token/verified-cache.js'
import { SignatureBudget } from '../token/signature-budget.js'
import { TokenVerifier } from '../token/token-verifier.js'
import type { VerifiedToken } from '../token/token-verifier.js'
import { createIdentityProof } from '../gateway/identity-proof.js'
import type { CreateSigner, IdentityProof } from '../gateway/identity-proof.js'
import { createMetrics } from '../metrics/metrics.js'
import type { Metrics } from '../metrics/metrics.js'
import type { CreateCounter, Limiter } from '../rate-limit/limiters.js'
import { checkServer } from '../redis/server-checks.js'
import { openRedis } from '../redis/connect.js'
import type { RedisConnection } from '../redis/connect.js'
import { createCoreLimiters } from './core-limiters.js'
import type { CoreLimiter } from './core-limiters.js'
import { openRevocation } from './revocation.js'
import { openKeys, warnOfStore } from './instance-keys.js'
import type { InstanceKeys, JwtFactory } from './instance-keys.js'
import { logEvent } from './log-event.js'
import { describeStore } from './readiness.js'
import type { Readiness } from './readiness.js'
import { watchMemory } from './watch-memory.js'
import { agreedSettings } from './agreed-settings.js'
import { findHorizon } from './horizon.js'
import { watchInstanceSettings } from '../redis/instance-settings.js'
import { createSampler } from '../sample.js'

/** Sessions per second and process that only a refresh token without a good proof may name. */
const MAX_UNPROVEN = 100
/** Sessions without a record that may be entered in the denylist, per second and process. */
const MAX_UNKNOWN = 20

export interface Core {
  readonly settings: PluginSettings
  readonly sessions: Sessions
  /** Verifies the credentials of logins. `undefined` if there is no login route. */
  readonly authenticator: Authenticator | undefined
  readonly verifier: TokenVerifier
  /** Decides for every gate whether a request may pass. */
  readonly admitter: Admitter
  /** The key that signs. `undefined` for an instance that only verifies. */
  readonly key: SigningKey | undefined
  readonly transports: Transports
  readonly identity: IdentityProof
  readonly limiters: Readonly<Record<CoreLimiter, Limiter>>
  readonly metrics: Metrics
  /** The listeners of the host for security events. */
  readonly events: EventListeners
  /** The beginnings and ends of sessions, for their subjects. */
  readonly changes: SessionChanges
  /** Aborted when the server accepts no more connections. Streams of our own must then end. */
  readonly stopping: AbortSignal
  /** Aborts `stopping`. */
  stop(): void
  /** The long-lived connections. Each one ends with its token. */
  readonly live: LongLivedConnections
  /** The connection of the session store. `undefined` with `store: memory` and `none`. */
  readonly redis: RedisClient | undefined
  /** Lists one page of the denylist. */
  listEntries(query: ListQuery): Promise<Listing>
  /** Checks whether the store takes writes and the denylist can decide. Used by `/readyz`. */
  readiness(): Promise<Readiness>
  close(): Promise<void>
}

/**
 * The parts of the core that need a Fastify instance. `src/` doesn't import Fastify, so `plugins/islands.ts` provides
 * them.
 */
export interface Islands extends JwtFactory {
  /** Creates a function that signs JWTs of the type `typ`. */
  readonly createSigner: CreateSigner
  readonly createCounter: CreateCounter
  /** Returns the same text for all addresses of one client. */
  readonly addressKey: (address: string) => string
}

export interface CoreOptions {
  /** True if the metrics also describe the process itself. */
  readonly ofProcess: boolean
  /** Number of processes on this machine that accept logins. Default: 0, for a core that has no clients. */
  readonly loginProcesses?: number
}

export async function createCore(
  settings: PluginSettings,
  log: Log,
  islands: Islands,
  { ofProcess, loginProcesses = 0 }: CoreOptions,
): Promise<Core> {
  const { store } = settings
  const keys = await openKeys(settings, log, islands)
  let redis: RedisConnection | undefined
  try {
    redis = store === 'memory' || store === 'none' ? undefined : await openRedis(store, log)
    const core = await assemble({ settings, log, islands, ofProcess, loginProcesses, keys, redis })
    warnOfStore(settings, keys.signing === undefined, log)
    return core
  } catch (error) {
    redis?.close()
    keys.close()
    throw error
  }
}

interface CoreDependencies {
  readonly settings: PluginSettings
  readonly log: Log
  readonly islands: Islands
  readonly ofProcess: boolean
  readonly loginProcesses: number
  readonly keys: InstanceKeys
  readonly redis: RedisConnection | undefined
}

async function assemble({
  settings,
  log,
  islands,
  ofProcess,
  loginProcesses,
  keys,
  redis,
}: CoreDependencies): Promise<Core> {
  const { issuer, audience, tokens, cookies, accept } = settings
  const key = keys.signing
  const server = redis && (await checkServer(redis.client, log))
  const metrics = createMetrics({ ofProcess })
  const horizon = await findHorizon(settings, redis?.client, { canSign: key !== undefined })
  const life: EntryLifetime = { horizon, leeway: tokens.leeway }
  const clock = systemClock
  const { store, codes } = createStores(redis?.client, settings)
  const tombstone = life.horizon + life.leeway + CLOCK_SLACK
  const identity = await createIdentityProof({ createSigner: islands.createSigner, key, clock, settings })
  const sampleLimited = createSampler()
  const events = new EventListeners(log)
  const changes = new SessionChanges(events)
  const stopping = new AbortController()
  const limiters = await createCoreLimiters(islands.createCounter, settings, redis?.client)
  const users = key && loginProcesses > 0 ? await openUserSource(settings, log, loginProcesses) : undefined
  // Opened last: nothing after it may fail, because it keeps running in the background.
  const revocation = await openRevocation(settings, {
    redis: redis?.client,
    life,
    log,
    metrics,
    mayEvict: () => server?.mayEvict() ?? false,
    endSession: async (sid) => {
      await store.end({ sid: sid as Sid, reason: 'logout', tombstone, now: clock.now() })
    },
  })
  const peers =
    redis &&
    watchInstanceSettings({
      redis: redis.client,
      keys: redisKeys(settings.keyPrefix),
      settings: agreedSettings(settings, key?.kid, life),
      log,
    })
  const { denylist } = revocation
  const memory = redis && (await watchMemory(redis.client, log, metrics))
  const verified = new VerifiedCache<VerifiedToken>(tokens.verifiedCache)
  const live = new LongLivedConnections({ denylist, clock, leeway: tokens.leeway })
  metrics.watchVerified(() => verified.stats)
  metrics.watchStreams(() => live.size)
  const transports: Transports = {
    header: accept.from.includes('header'),
    cookie: cookies.enabled && accept.from.includes('cookie') ? cookieNames(cookies).access : undefined,
    xAccessToken: accept.from.includes('x-access-token'),
    query: accept.from.includes('query'),
    body: accept.from.includes('body'),
  }
  const verifier = new TokenVerifier({
    keys: keys.verifying,
    verified,
    denylist,
    clock,
    settings: { issuer, audience, ...life },
    budget: new SignatureBudget(steadyClock, islands.addressKey, keys.slowest),
  })
  const sessions = new Sessions(
    {
      store,
      codes: settings.codes && { ...settings.codes, store: codes },
      denylist,
      clock,
      sign: keys.sign,
      proof: new RefreshTokenProof(key ? [key.private] : []),
      refreshChecks: users?.onRefresh && new RefreshChecks(users.onRefresh),
      isFull: () => memory?.isShort ?? false,
      bounds: { unproven: new RateBound(MAX_UNPROVEN), unknown: new RateBound(MAX_UNKNOWN) },
      settings: { issuer, audience, ...tokens, ...settings.sessions, tombstone },
      emit: (event, requestId) => {
        metrics.event(event.event)
        if (event.event === 'login_limited') sampleLimited(() => logEvent(log, event, requestId))
        else logEvent(log, event, requestId)
        events.deliver(event, requestId)
      },
    },
    revocation.patience,
  )
  users?.watch((subs, isOutdated) => sessions.endOutdated(subs, isOutdated))
  const renewal = new SlidingRenewal({
    sessions,
    denylist: settings.revocation.check === 'replica' ? denylist : undefined,
    clock,
    log,
    settings: { ...tokens, cookies, prefix: settings.prefix },
  })
  const admitter = new Admitter({
    verifier,
    transports,
    origins: settings.cors.origins,
    clearedCookies: clearCookies(cookies, settings.prefix),
    renewal: tokens.renewUnder > 0 ? renewal : undefined,
    onRefused: (code) => metrics.refusal(code),
  })
  return {
    settings,
    key,
    metrics,
    events,
    changes,
    stopping: stopping.signal,
    stop: () => stopping.abort(),
    live,
    redis: redis?.client,
    verifier,
    admitter,
    sessions,
    authenticator: users?.authenticator,
    transports,
    identity,
    limiters,
    listEntries: (query) => withinDeadline(revocation.list(query)),
    readiness: async () => {
      const isReachable = redis === undefined || (await redis.isReady())
      const isReady = isReachable && revocation.isLive() && keys.isReady()
      return {
        isReady,
        store: describeStore(settings, isReachable, memory?.isShort),
        keys: settings.keys.jwks === undefined ? undefined : keys.isReady() ? 'fetched' : 'missing',
        revocation: revocation.status(),
        redis: server?.checks(),
        differingSettings: peers?.differing(),
      }
    },
    close: async () => {
      live.close()
      keys.close()
      memory?.stop()
      await users?.close()
      await Promise.all([revocation.close(), peers?.close()])
      redis?.close()
    },
  }
}

function createStores(
  redis: RedisClient | undefined,
  { keyPrefix }: PluginSettings,
): { store: SessionStore; codes: CodeStore } {
  if (!redis) return { store: new MemorySessionStore(steadyClock), codes: new MemoryCodeStore() }
  const [scripts, keys] = [defineScripts(redis), redisKeys(keyPrefix)]
  return { store: new RedisSessionStore(redis, scripts, keys), codes: new RedisCodeStore(scripts, keys) }
}
