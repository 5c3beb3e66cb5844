/**
 * The real instance less one rule: whether the checker notices is what shows that both the rule and the checker are
 * needed.
 */
import type { Milliseconds, UnixMs } from '../../src/clock.js'
import { Barrier } from '../../src/revocation/replica/revoke-barrier.js'
import { START } from '../../src/revocation/entry.js'
import type { DenylistEntry, Position } from '../../src/revocation/entry.js'
import { EpochReplica } from '../../src/revocation/replica/epoch-replica.js'
import { Publication } from '../../src/revocation/replica/publication.js'
import type { Replica } from '../../src/revocation/replica/replica.js'
import { Instance } from '../../src/revocation/replica/instance.js'
import type { InstanceSettings, Now, Sync } from '../../src/revocation/replica/instance.js'
import type { NewEntry } from '../../src/revocation/entry.js'
import type { RevokeReply, SyncReply } from '../../src/revocation/replica/revocation-log.js'

/** An instance whose revokes wait at barriers of this kind. */
function withBarrier(Weak: typeof Barrier): typeof Instance {
  return class extends Instance {
    protected override newBarrier(entries: readonly NewEntry[], now: Milliseconds): Barrier {
      return new Weak(entries, now, this.lapse)
    }
  }
}

class SettledAnyway extends Barrier {
  protected override isLasting(reply: SyncReply, position: Position, applied: Position): boolean {
    return super.isLasting({ ...reply, settled: true }, position, applied)
  }
}

/** It publishes what another survivor has published already. */
class BlindPublication extends Publication {
  protected override skips(): boolean {
    return false
  }
}

class BlindReplica extends EpochReplica {
  protected override newPublication(...args: ConstructorParameters<typeof Publication>): Publication {
    return new BlindPublication(...args)
  }
}

/** It doesn't publish what was evicted if the log has the session as logged out. */
class MarklessPublication extends Publication {
  protected override skips(former: Replica, entry: DenylistEntry): boolean {
    return super.skips(former, entry.kind === 'sid' ? { ...entry, before: 0 } : entry)
  }
}

class MarklessReplica extends EpochReplica {
  protected override newPublication(...args: ConstructorParameters<typeof Publication>): Publication {
    return new MarklessPublication(...args)
  }
}

type ReplicaArguments = ConstructorParameters<typeof EpochReplica>

class OwnClockReplica extends EpochReplica {
  expireBy(time: UnixMs): void {
    const nothing = {
      entries: [],
      last: undefined,
      members: [],
      epochPrefixes: [],
      epoch: '',
      since: 0,
      waitOk: true,
    }
    this.onSync({ ...nothing, settled: this.isSettled, more: !this.isRead, time })
  }
}

export type InstanceRule =
  | 'barrier'
  | 'lease'
  | 'more'
  | 'margin'
  | 'epoch'
  | 'settled'
  | 'publish'
  | 'published'
  | 'since'
  | 'restart'
  | 'own'
  | 'clock'
  | 'steps'
  | 'iat'
  | 'shared'
  | 'covers'
  | 'left'
  | 'mark'

export const WEAK_INSTANCES: Readonly<Record<InstanceRule, typeof Instance>> = {
  /** A revoke returns when it is written. */
  barrier: withBarrier(
    class extends Barrier {
      override onRevoke(reply: RevokeReply, now: Milliseconds, own: string): void {
        super.onRevoke(reply, now, own)
        this.close('lapse')
      }
    },
  ),
  /** It decides as soon as it knows an epoch. */
  lease: class extends Instance {
    override isLeased(): boolean {
      return this.epoch !== ''
    }
  },
  /** A page that isn't the last grants a lease. */
  more: class extends Instance {
    protected override mayGrant(reply: SyncReply, now: Now): boolean {
      return super.mayGrant({ ...reply, more: false }, now)
    }
  },
  /** W is L: clocks are taken to run alike. */
  margin: class extends Instance {
    readonly #lease: Milliseconds

    constructor(settings: InstanceSettings) {
      super(settings)
      this.#lease = settings.lease
    }

    protected override get lapse(): Milliseconds {
      return this.#lease
    }
  },
  /** A new epoch changes nothing. */
  epoch: class extends Instance {
    #hasEntered = false

    protected override enter(now: Now): void {
      if (!this.#hasEntered) super.enter(now)
      this.#hasEntered = true
    }
  },
  /** Leases are granted, and revokes return, before the epoch is settled. */
  settled: class extends withBarrier(SettledAnyway) {
    protected override mayGrant(reply: SyncReply, now: Now): boolean {
      return super.mayGrant({ ...reply, settled: true }, now)
    }
  },
  /** What earlier epochs had brought isn't published again. */
  publish: class extends Instance {
    override publish(): readonly [] {
      return []
    }

    protected override get isPublished(): boolean {
      return true
    }
  },
  /** It settles the epoch before it has published all. */
  published: class extends Instance {
    protected override get isPublished(): boolean {
      return true
    }
  },
  /** Tokens of a time that nobody remembers are admitted. */
  since: class extends Instance {
    override remembers(): boolean {
      return true
    }
  },
  /** A revoke isn't begun again in a new epoch. */
  restart: withBarrier(
    class extends Barrier {
      override restart(): void {}
    },
  ),
  /** A revoke returns before its own instance knows of it. */
  own: withBarrier(
    class extends Barrier {
      protected override isLasting(reply: SyncReply): boolean {
        return super.isLasting(reply, START, START)
      }
    },
  ),
  /** It forgets by its own wall clock, at each sync that it sends. */
  clock: class extends Instance {
    /** Set by the constructor that it inherits: a field of its own would be made later. */
    declare own: OwnClockReplica | undefined

    protected override newReplica(...args: ReplicaArguments): EpochReplica {
      this.own = new OwnClockReplica(...args)
      return this.own
    }

    override sync(now: Now): Sync {
      this.own?.expireBy(now.wall)
      return super.sync(now)
    }
  },
  /** A lease outlives a wall clock that is set back. */
  steps: class extends Instance {
    #sent = 0

    override sync(now: Now): Sync {
      this.#sent = now.wall
      return super.sync(now)
    }

    override leaseLeft({ monotonic, wall }: Now): Milliseconds {
      return super.leaseLeft({ monotonic, wall: Math.max(wall, this.#sent) })
    }
  },
  /** `iat` is compared with the own wall clock. */
  iat: class extends Instance {
    override latestIssue({ wall }: Now): UnixMs {
      return wall + 1_000
    }
  },
  /** All begin at the same place. */
  shared: class extends Instance {
    protected override newReplica(...[at, options, last]: ReplicaArguments): EpochReplica {
      return new EpochReplica(at, { ...options, walk: { first: 0, step: 1 } }, last)
    }
  },
  /** Each publishes all that it holds, whatever the log has by now. */
  covers: class extends Instance {
    protected override newReplica(...args: ReplicaArguments): EpochReplica {
      return new BlindReplica(...args)
    }
  },
  /** It forgets that a session was evicted which the log of a new epoch has as logged out. */
  mark: class extends Instance {
    protected override newReplica(...args: ReplicaArguments): EpochReplica {
      return new MarklessReplica(...args)
    }
  },
  /** It goes back to an epoch that it has left, as soon as an old primary offers it. */
  left: class extends Instance {
    protected override refuses(): boolean {
      return false
    }
  },
}
