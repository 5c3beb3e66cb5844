import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import type { Milliseconds } from '../clock.js'
import { packageVersion } from '../package-version.js'
import type { VerifiedCacheStats } from '../token/verified-cache.js'

/** The metrics. They have a registry of their own, apart from the host's metrics. */
export interface Metrics {
  readonly registry: Registry
  /** Counts a security event. */
  event(name: string): void
  /** Counts a refused request by its error code. */
  refusal(code: string): void
  /** Records how long the barrier of a revoke took, in ms, and why it closed. */
  barrier(took: Milliseconds, by: 'acknowledgement' | 'lapse'): void
  /** Counts denylist entries that a sync has read from the log. */
  applied(entries: number): void
  syncFailure(): void
  epochChange(): void
  /** Reads the replica's state whenever metrics are collected. */
  watchReplica(replica: WatchedReplica): void
  /** Reads the statistics of the cache of verified tokens whenever metrics are collected. */
  watchVerified(stats: () => VerifiedCacheStats): void
  /** Reads the used part of Redis' `maxmemory` whenever metrics are collected. */
  watchMemory(usage: () => number): void
  /** Reads the number of long-lived connections whenever metrics are collected. */
  watchStreams(size: () => number): void
}

export interface WatchedReplica {
  state(): string
  /** Time until the lease ends. Zero or negative without a lease. */
  leaseLeft(): Milliseconds
  /** Number of denylist entries in the replica. */
  size(): number
}

const STATES = ['OUT', 'READING', 'SETTLING', 'LEASED', 'LAPSED']

export function createMetrics({ ofProcess }: { ofProcess: boolean }): Metrics {
  const registry = new Registry()
  if (ofProcess) collectDefaultMetrics({ register: registry })
  const buildInfo = new Gauge({
    name: 'portcullis_build_info',
    help: '1, with the versions of Portcullis and Node as labels',
    labelNames: ['version', 'node'],
    aggregator: 'first',
    registers: [registry],
  })
  buildInfo.set({ version: packageVersion(), node: process.version }, 1)
  const events = new Counter({
    name: 'portcullis_events_total',
    help: 'Security events, by name, such as login, login_failed, session_ended or refresh_token_reused',
    labelNames: ['event'],
    registers: [registry],
  })
  const refusals = new Counter({
    name: 'portcullis_refusals_total',
    help: 'Refused requests, by error code',
    labelNames: ['code'],
    registers: [registry],
  })
  const registers = [registry]
  const barriers = new Histogram({
    name: 'portcullis_barrier_seconds',
    help: 'Seconds that a revoke waited until no instance could admit the revoked tokens, by what ended the wait (acknowledgement or lapse)',
    labelNames: ['by'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 3],
    registers,
  })
  const counter = (name: string, help: string) => new Counter({ name: `portcullis_${name}`, help, registers })
  const applied = counter('entries_applied_total', 'Denylist entries received from the revocation log')
  const syncFailures = counter('sync_failures_total', 'Failed syncs with the revocation log')
  const epochChanges = counter(
    'epoch_changes_total',
    'Changes of the epoch, after Redis was restarted, failed over or lost data',
  )
  return {
    registry,
    event: (event) => events.inc({ event }),
    refusal: (code) => refusals.inc({ code }),
    barrier: (took, by) => barriers.observe({ by }, took / 1000),
    applied: (entries) => applied.inc(entries),
    syncFailure: () => syncFailures.inc(),
    epochChange: () => epochChanges.inc(),
    watchReplica: (replica) => watchReplica(registry, replica),
    watchVerified: (stats) => watchVerified(registry, stats),
    watchMemory: (usage) =>
      gauge(
        registry,
        'redis_memory_ratio',
        'Used part of the maxmemory of Redis (of the fullest primary in a Cluster), 0 without a limit; above 0.9 logins are refused',
        usage,
        'max',
      ),
    watchStreams: (size) =>
      gauge(
        registry,
        'live_streams',
        'Forwarded responses in progress and long-lived connections that are tied to a token',
        size,
      ),
  }
}

function watchReplica(registry: Registry, { state, leaseLeft, size }: WatchedReplica): void {
  const registers = [registry]
  gauge(
    registry,
    'lease_left_seconds',
    'Seconds until the lease ends, 0 without a lease',
    () => Math.max(0, leaseLeft()) / 1000,
    'min',
  )
  gauge(registry, 'replica_entries', 'Denylist entries in the replica', size, 'max')
  void new Gauge({
    name: 'portcullis_replica_state',
    help: '1 for the current state of the replica, 0 for the other states',
    labelNames: ['state'],
    registers,
    collect() {
      const current = state()
      for (const one of STATES) this.set({ state: one }, one === current ? 1 : 0)
    },
  })
}

/** The hit rate is `hits / (hits + misses)`. */
function watchVerified(registry: Registry, stats: () => VerifiedCacheStats): void {
  void new Counter({
    name: 'portcullis_verified_tokens_total',
    help: 'Verifications of access tokens, by result: hit (signature known to be good) or miss (signature verified)',
    labelNames: ['result'],
    registers: [registry],
    collect() {
      const { hits, misses } = stats()
      this.reset()
      this.inc({ result: 'hit' }, hits)
      this.inc({ result: 'miss' }, misses)
    },
  })
  gauge(registry, 'verified_tokens', 'Access tokens whose signature is known to be good', () => stats().size)
}

/** Registers a gauge. `aggregator` says how the values of several workers are combined. */
function gauge(
  registry: Registry,
  name: string,
  help: string,
  value: () => number,
  aggregator: 'sum' | 'min' | 'max' = 'sum',
): void {
  void new Gauge({
    name: `portcullis_${name}`,
    help,
    aggregator,
    registers: [registry],
    collect() {
      this.set(value())
    },
  })
}
