/** The denylist as a leased replica (`revocation.check: replica`): exact on every instance, and asked without Redis. */
import type { Milliseconds, UnixMs } from '../clock.js'
import { storeUnavailable } from '../errors.js'
import type { SyncLoop } from './replica/sync-loop.js'
import type { Instance, Now } from './replica/instance.js'
import type { RevocationLog } from './replica/revocation-log.js'
import { toNewEntry } from './denylist.js'
import type {
  DenialReason,
  Revocation,
  OnOutage,
  OutageDecision,
  RevocableToken,
  Denylist,
  TokenStamp,
} from './denylist.js'
import { stampPastDenials } from './token-stamp.js'

/** How many requests may wait for a lease at once; one more is refused at once. */
const MAX_WAITING = 10_000

export interface LeasedDenylistOptions {
  readonly instance: Instance
  readonly follower: Pick<SyncLoop, 'ask' | 'hurry' | 'nextSync'>
  readonly log: Pick<RevocationLog, 'revoke'>
  /** L */
  readonly lease: Milliseconds
  /** G: what an entry outlives its token by. */
  readonly grace: Milliseconds
  readonly onLostHistory: 'reject' | 'heal' | 'accept'
  readonly now: () => Now
  /** How long a revoke's barrier took, and what closed it. */
  readonly onBarrier: (took: Milliseconds, by: 'acknowledgement' | 'lapse') => void
}

export class LeasedDenylist implements Denylist {
  readonly #options: LeasedDenylistOptions
  #waiting = 0

  constructor(options: LeasedDenylistOptions) {
    this.#options = options
  }

  check(token: RevocableToken): DenialReason | undefined | Promise<DenialReason | undefined> {
    const decision = this.#options.instance.decide(token, this.#options.now())
    if (decision.kind === 'no_lease') return this.#checkLater(token)
    return decision.kind === 'denied' ? decision.by : undefined
  }

  async #checkLater(token: RevocableToken): Promise<DenialReason | undefined> {
    await this.#leased()
    return this.check(token)
  }

  checkInOutage(token: RevocableToken, onOutage: OnOutage): OutageDecision | undefined {
    if (onOutage === 'closed') return undefined
    const { instance, now } = this.#options
    const decision = instance.decideFromReplica(token)
    const denial = decision.kind === 'denied' ? decision.by : undefined
    if (onOutage === 'open')
      return {
        denial: denial === 'history' ? undefined : denial,
        outage: 'open',
      }
    return instance.leaseLeft(now()) > -onOutage.stale ? { denial, outage: 'stale' } : undefined
  }

  peek(token: RevocableToken): DenialReason | 'unknown' | undefined {
    const { instance, follower, now } = this.#options
    const decision = instance.decide(token, now())
    if (decision.kind === 'denied') return decision.by
    if (decision.kind === 'admitted') return undefined
    follower.ask()
    return 'unknown'
  }

  version(): string | undefined {
    const { instance, now } = this.#options
    if (!instance.isLeased(now())) return undefined
    const { ms, seq } = instance.applied
    // A new epoch's lease may know less of the past than the one before, though its log has nothing yet.
    return `${instance.generation}:${instance.since}:${ms}-${seq}`
  }

  /** All that find no lease wait together for the next sync that grants one. */
  async #leased(): Promise<void> {
    const { instance, follower, lease, now } = this.#options
    const until = now().monotonic + lease / 2
    if (instance.epoch === '') throw storeUnavailable('the log of revocations was never read')
    if (this.#waiting >= MAX_WAITING) throw storeUnavailable('too many requests wait for a lease')
    this.#waiting += 1
    try {
      follower.ask()
      while (!instance.isLeased(now())) {
        const left = until - now().monotonic
        if (left <= 0) throw storeUnavailable(`no lease (${instance.state(now())})`)
        await follower.nextSync(left)
      }
    } finally {
      this.#waiting -= 1
    }
  }

  /**
   * Entries of the kind `lost` count with each `onLostHistory`. With `reject` older tokens are refused anyway, but only
   * by leases of the new epoch: the entry makes its caller wait for these. With `accept` a failover may still lose the
   * record of a login, because only the log is waited for (`WAIT`).
   */
  async revoke(entries: readonly Revocation[]): Promise<void> {
    const { instance, follower, log, now, grace, onBarrier } = this.#options
    if (entries.length === 0) return
    const began = now().monotonic
    const barrier = instance.revoke(
      entries.map((entry) => toNewEntry(entry, grace)),
      now(),
    )
    try {
      for (;;) {
        const { state, deadline } = barrier
        const { monotonic, wall } = now()
        if (state.kind === 'closed') return onBarrier(monotonic - began, state.by)
        if (monotonic >= deadline) throw storeUnavailable('not every instance could be sure of it in time')
        if (state.kind === 'waiting') {
          await follower.nextSync(deadline - monotonic)
        } else {
          const { generation } = instance
          const reply = await log.revoke(barrier.entries, wall)
          instance.onRevoke(barrier, generation, reply, now())
          follower.hurry()
        }
      }
    } finally {
      instance.abandon(barrier)
    }
  }

  /** Only with a lease: then this clock is near that of Redis. */
  async stamp(sub?: string): Promise<TokenStamp> {
    const { instance, now } = this.#options
    if (!instance.isLeased(now())) await this.#leased()
    return stampPastDenials(
      () => ({ wall: now().wall, mark: instance.mark }),
      (token) => this.check(token),
      sub,
    )
  }

  latestIssue(): UnixMs {
    return this.#options.instance.latestIssue(this.#options.now())
  }

  trusts(mark: string, writtenAt: UnixMs): boolean {
    return this.#options.onLostHistory !== 'reject' || this.#options.instance.remembers(mark, writtenAt)
  }
}
