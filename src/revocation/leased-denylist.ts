import type { Milliseconds, UnixMs } from '../clock.js'
import { storeUnavailable } from '../errors.js'
import type { SyncLoop } from './replica/sync-loop.js'
import type { Instance, Now } from './replica/instance.js'
import type { RevocationLog } from './replica/revocation-log.js'
import { withDefaults } from './denylist.js'
import type { NewEntry } from './entry.js'
import type {
  RevocationReason,
  OnOutage,
  OutageDecision,
  RevocableToken,
  Denylist,
  TokenStamp,
} from './denylist.js'
import { createStamp, waitForStamp } from './token-stamp.js'

/** The greatest number of requests that wait for a lease. Further requests get a 503 immediately. */
const MAX_WAITING = 10_000

export interface LeasedDenylistOptions {
  readonly instance: Instance
  readonly syncLoop: Pick<SyncLoop, 'ask' | 'hurry' | 'nextSync'>
  readonly log: Pick<RevocationLog, 'revoke'>
  /** L: the duration of a lease. */
  readonly lease: Milliseconds
  /** H: the longest lifetime of a token. */
  readonly horizon: Milliseconds
  /** G: the time (ms) that an entry outlives its token. */
  readonly grace: Milliseconds
  readonly onLostHistory: 'reject' | 'heal' | 'accept'
  readonly now: () => Now
  /** Receives the duration of each revoke's barrier, and what closed it. */
  readonly onBarrier: (took: Milliseconds, by: 'acknowledgement' | 'lapse') => void
}

/**
 * The denylist with `revocation.check: replica`. It decides from a replica in the memory of this instance, as long as
 * the instance has a lease. Decisions are exact on every instance, and need no request to Redis.
 */
export class LeasedDenylist implements Denylist {
  readonly #options: LeasedDenylistOptions
  #waiting = 0

  constructor(options: LeasedDenylistOptions) {
    this.#options = options
  }

  check(token: RevocableToken): RevocationReason | undefined | Promise<RevocationReason | undefined> {
    const decision = this.#options.instance.decide(token, this.#options.now())
    if (decision.kind === 'no_lease') return this.#checkWhenLeased(token)
    return decision.kind === 'revoked' ? decision.by : undefined
  }

  async #checkWhenLeased(token: RevocableToken): Promise<RevocationReason | undefined> {
    await this.#waitForLease()
    return this.check(token)
  }

  checkInOutage(token: RevocableToken, onOutage: OnOutage): OutageDecision | undefined {
    if (onOutage === 'closed') return undefined
    const { instance, now } = this.#options
    const decision = instance.decideFromReplica(token)
    const reason = decision.kind === 'revoked' ? decision.by : undefined
    if (onOutage === 'open')
      return {
        reason: reason === 'history' ? undefined : reason,
        outage: 'open',
      }
    return instance.leaseLeft(now()) > -onOutage.stale ? { reason, outage: 'stale' } : undefined
  }

  peek(token: RevocableToken): RevocationReason | 'unknown' | undefined {
    const { instance, syncLoop, now } = this.#options
    const decision = instance.decide(token, now())
    if (decision.kind === 'revoked') return decision.by
    if (decision.kind === 'admitted') return undefined
    syncLoop.ask()
    return 'unknown'
  }

  version(): string | undefined {
    const { instance, now } = this.#options
    if (!instance.isLeased(now())) return undefined
    const { ms, seq } = instance.applied
    // `since` is included because a new epoch may cover less of the history, even while its log is empty.
    return `${instance.generation}:${instance.since}:${ms}-${seq}`
  }

  /**
   * Waits until a sync grants a lease.
   *
   * @throws {PortcullisError} `store_unavailable` after half the duration of a lease; immediately if the log was never
   *   read, or if too many requests are waiting
   */
  async #waitForLease(): Promise<void> {
    const { instance, syncLoop, lease, now } = this.#options
    const until = now().monotonic + lease / 2
    if (instance.epoch === '') throw storeUnavailable('this instance has never read the revocation log')
    if (this.#waiting >= MAX_WAITING) throw storeUnavailable('too many requests are waiting for a lease')
    this.#waiting += 1
    try {
      syncLoop.ask()
      while (!instance.isLeased(now())) {
        const left = until - now().monotonic
        if (left <= 0) throw storeUnavailable(`no lease (${instance.state(now())})`)
        await syncLoop.nextSync(left)
      }
    } finally {
      this.#waiting -= 1
    }
  }

  /**
   * Writes the entries, and resolves when its barrier closes: no instance can then admit the tokens.
   *
   * `lost` entries are written with every `onLostHistory`. With `reject`, leases of the new epoch refuse all older tokens
   * anyway, but the entry makes the caller wait until all leases are of the new epoch. With `accept`, a failover may
   * still lose the record of a login, because `WAIT` covers only the log.
   *
   * @throws {PortcullisError} `store_unavailable` at the deadline of the barrier
   */
  async revoke(entries: readonly NewEntry[]): Promise<void> {
    const { instance, syncLoop, log, now, onBarrier } = this.#options
    if (entries.length === 0) return
    const began = now().monotonic
    const barrier = instance.revoke(
      entries.map((entry) => withDefaults(entry, this.#options)),
      now(),
    )
    try {
      for (;;) {
        const { state, deadline } = barrier
        const { monotonic, wall } = now()
        if (state.kind === 'closed') return onBarrier(monotonic - began, state.by)
        if (monotonic >= deadline)
          throw storeUnavailable(
            'the barrier did not close in time, so an instance may still admit the revoked tokens',
          )
        if (state.kind === 'waiting') {
          await syncLoop.nextSync(deadline - monotonic)
        } else {
          const { generation } = instance
          const missing = instance.selectMissing(barrier.entries)
          const reply = await log.revoke(missing, wall)
          const isPartial = missing.length < barrier.entries.length
          instance.onRevoke(barrier, generation, reply, now(), { isPartial })
          syncLoop.hurry()
        }
      }
    } finally {
      instance.abandon(barrier)
    }
  }

  /**
   * Returns a stamp only with a lease, because the clock is then known to be near the clock of Redis. Reads the clock
   * again after each wait for a lease, because the earlier reading may have been wrong.
   */
  async stamp(sub = ''): Promise<TokenStamp> {
    const { instance, now } = this.#options
    return waitForStamp(async () => {
      for (;;) {
        const reading = now()
        const { stamp, token } = createStamp(reading.wall, instance.jtiPrefix, sub)
        const decision = instance.decide(token, reading)
        if (decision.kind !== 'no_lease')
          return { stamp, reason: decision.kind === 'revoked' ? decision.by : undefined }
        await this.#waitForLease()
      }
    })
  }

  latestIssue(): UnixMs {
    return this.#options.instance.latestIssue(this.#options.now())
  }

  trusts(jtiPrefix: string, writtenAt: UnixMs): boolean {
    return this.#options.onLostHistory !== 'reject' || this.#options.instance.remembers(jtiPrefix, writtenAt)
  }
}
