import { storeUnavailable } from '../../src/errors.js'
import { LeasedDenylist } from '../../src/revocation/leased-denylist.js'
import type { LeasedDenylistOptions } from '../../src/revocation/leased-denylist.js'
import type { OnLostHistory } from '../../src/revocation/replica/instance.js'
import { entryGrace } from '../../src/revocation/replica/revocation-log.js'
import type { RevokeReply } from '../../src/revocation/replica/revocation-log.js'
import type { TokenStamp } from '../../src/revocation/denylist.js'
import type { NewEntry } from '../../src/revocation/entry.js'
import type { Revocation } from './checker.js'
import type { Node } from './node.js'

/** The real leased replica of one instance. Each of its revokes is known to the checker. */
export class SimulatedDenylist extends LeasedDenylist {
  readonly #node: Node
  readonly #onRevocation: (revocation: Revocation) => void

  constructor(node: Node, onRevocation: (revocation: Revocation) => void = () => {}) {
    super(optionsOf(node))
    this.#node = node
    this.#onRevocation = onRevocation
  }

  protected get onLostHistory(): OnLostHistory {
    return this.#node.world.options.onLostHistory
  }

  /** Returns true if the own instance has an entry for the session. */
  protected knows(sid: string): boolean {
    const token = { jti: '', sid, sub: '', kid: '', iat: Number.MAX_SAFE_INTEGER }
    return this.#node.instance.decideFromReplica(token).kind === 'revoked'
  }

  override async revoke(entries: readonly NewEntry[]): Promise<void> {
    const { world, id } = this.#node
    const revocation: Revocation = { origin: id, entries: [], startedAt: world.t, stored: [] }
    world.checker.revocations.push(revocation)
    this.#onRevocation(revocation)
    world.note(
      () => `${id} denies ${entries.map((entry) => `${entry.kind} ${'id' in entry && entry.id}`).join(', ')}`,
    )
    let closedBy: 'acknowledgement' | 'lapse' = 'acknowledgement'
    const replica = new LeasedDenylist({
      ...optionsOf(this.#node, (reply) => (revocation.stored = reply.stored)),
      onBarrier: (_, by) => (closedBy = by),
    })
    try {
      await replica.revoke(entries)
    } catch (error) {
      revocation.hasFailed = true
      throw error
    }
    world.checker.returned(revocation, closedBy, world.t)
  }

  /** Doesn't wait until a denylist entry of the last seconds is past, as that wait isn't by the simulated clock. */
  override async stamp(sub = ''): Promise<TokenStamp> {
    const { instance, now } = this.#node
    if (!instance.isLeased(now)) throw storeUnavailable('no lease')
    const issuedAt = Math.floor(now.wall / 1000)
    const { jtiPrefix } = instance
    const decision = instance.decide({ jti: jtiPrefix, sid: '', sub, kid: '', iat: issuedAt }, now)
    if (decision.kind !== 'admitted') throw storeUnavailable('tokens of now are denied')
    return { issuedAt, jtiPrefix }
  }
}

type Stored = RevokeReply & Pick<Revocation, 'stored'>

function optionsOf(node: Node, onReply: (reply: Stored) => void = () => {}): LeasedDenylistOptions {
  const { world, instance } = node
  const { settings, onLostHistory } = world.options
  const ring = () => world.after(0, () => node.local(() => node.ring()))
  return {
    instance,
    syncLoop: { ask: ring, hurry: ring, nextSync: (patience) => nextSync(node, patience) },
    log: {
      revoke: (entries, wall) =>
        new Promise((resolve, reject) => {
          node.write(entries, wall, (reply) => {
            world.stir()
            if (!reply) return reject(storeUnavailable('the simulated server did not respond'))
            onReply(reply)
            resolve(reply)
          })
        }),
    },
    lease: settings.lease,
    horizon: settings.horizon,
    grace: entryGrace(settings),
    onLostHistory,
    now: () => node.now,
    onBarrier: () => {},
  }
}

function nextSync(node: Node, patience: number): Promise<void> {
  const { world, clocks } = node
  return new Promise((resolve) => {
    const done = () => {
      world.stir()
      resolve()
    }
    node.afterSync(done)
    world.after(Math.max(0.05, patience / clocks.rate), () => node.local(done))
  })
}
