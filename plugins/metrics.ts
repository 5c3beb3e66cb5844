import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import type { Milliseconds } from '../src/clock.js'
import type { VerifiedCacheStats } from '../src/token/verified-cache.js'

/** What is counted; in a registry of our own, so that a host's metrics stay its own. */
export interface Metrics {
  readonly registry: Registry
  event(name: string): void
  refusal(code: string): void
  /** How long a revoke's barrier took, in ms, and what closed it. */
  barrier(took: Milliseconds, by: 'acknowledgement' | 'lapse'): void
  applied(entries: number): void
  syncFailure(): void
  epochChange(): void
  /** Lets the replica be asked whenever the metrics are. */
  watchReplica(replica: WatchedReplica): void
  watchVerified(stats: () => VerifiedCacheStats): void
  watchStreams(size: () => number): void
}

export interface WatchedReplica {
  state(): string
  leaseLeft(): Milliseconds
  size(): number
}

const STATES = ['OUT', 'READING', 'SETTLING', 'LEASED', 'LAPSED']

export function createMetrics({ ofProcess }: { ofProcess: boolean }): Metrics {
  const registry = new Registry()
  if (ofProcess) collectDefaultMetrics({ register: registry, prefix: 'portcullis_' })
  const events = new Counter({
    name: 'portcullis_events_total',
    help: 'Security events, by name (login, login_failed, session_ended, refresh_token_reused …)',
    labelNames: ['event'],
    registers: [registry],
  })
  const refusals = new Counter({
    name: 'portcullis_refusals_total',
    help: 'Requests that a guard refused, by the code of the error',
    labelNames: ['code'],
    registers: [registry],
  })
  const registers = [registry]
  const barriers = new Histogram({
    name: 'portcullis_barrier_seconds',
    help: 'How long a revoke took until no instance could admit what it denies, by what it waited for',
    labelNames: ['by'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 3],
    registers,
  })
  const counter = (name: string, help: string) => new Counter({ name: `portcullis_${name}`, help, registers })
  const applied = counter('entries_applied_total', 'Denials that the log has brought')
  const syncFailures = counter('sync_failures_total', 'Syncs with the log that failed')
  const epochChanges = counter('epoch_changes_total', 'How often Redis began a new life')
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
    watchStreams: (size) =>
      gauge(registry, 'live_streams', 'Answers that go on, each tied to its token', size),
  }
}

function watchReplica(registry: Registry, { state, leaseLeft, size }: WatchedReplica): void {
  const registers = [registry]
  gauge(
    registry,
    'lease_left_seconds',
    'How long the lease still lasts; 0: there is none',
    () => Math.max(0, leaseLeft()) / 1000,
    'min',
  )
  gauge(registry, 'replica_entries', 'Denials in the replica', size, 'max')
  void new Gauge({
    name: 'portcullis_replica_state',
    help: '1 for the state that the replica is in',
    labelNames: ['state'],
    registers,
    collect() {
      const current = state()
      for (const one of STATES) this.set({ state: one }, one === current ? 1 : 0)
    },
  })
}

/** The hit rate is hits ÷ all of them. */
function watchVerified(registry: Registry, stats: () => VerifiedCacheStats): void {
  void new Counter({
    name: 'portcullis_verified_tokens_total',
    help: 'Access tokens by whether their signature was known to be good (hit) or had to be verified (miss)',
    labelNames: ['result'],
    registers: [registry],
    collect() {
      const { hits, misses } = stats()
      this.reset()
      this.inc({ result: 'hit' }, hits)
      this.inc({ result: 'miss' }, misses)
    },
  })
  gauge(
    registry,
    'verified_tokens',
    'Access tokens whose signature need not be verified again',
    () => stats().size,
  )
}

/** `aggregator`: what several workers' values become. */
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
