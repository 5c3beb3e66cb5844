/**
 * What an instance writes to the log: revokes of its own, which wait at their barriers, and what it publishes again.
 */
import type { Milliseconds, UnixMs } from '../../src/clock.js'
import type { Barrier } from '../../src/revocation/replica/revoke-barrier.js'
import type { Now } from '../../src/revocation/replica/instance.js'
import type { NewEntry } from '../../src/revocation/entry.js'
import type { Revocation } from './checker.js'
import type { Node } from './node.js'
import type { Sid } from '../../src/session/session.js'
import type { Server } from './server.js'
import { endRecord, tombstoneLife } from './sessions.js'
import type { World } from './world.js'

interface Pending {
  readonly revocation: Revocation
  readonly barrier: Barrier
  /** Its script is under way. */
  isSent: boolean
  retryAt: Milliseconds
}

export class Writer {
  readonly #node: Node
  readonly #world: World
  readonly #pending = new Set<Pending>()
  #publishAt: Milliseconds = 0

  constructor(node: Node) {
    this.#node = node
    this.#world = node.world
  }

  /** Whatever is due. */
  step(now: Now): void {
    for (const pending of this.#pending) this.#advance(pending, now)
    if (now.monotonic >= this.#publishAt) this.#publish()
  }

  /** A sync's reply may have closed barriers. */
  settle(): void {
    for (const pending of this.#pending) this.#conclude(pending)
  }

  revoke(entries: readonly NewEntry[]): Revocation {
    const revocation: Revocation = { origin: this.#node.id, entries, startedAt: this.#world.t, stored: [] }
    this.#world.checker.revocations.push(revocation)
    this.#world.note(
      () => `${this.#node.id} revokes ${entries.map(({ kind, id }) => `${kind} ${id}`).join(', ')}`,
    )
    const sids = entries.filter(({ kind }) => kind === 'sid').map(({ id }) => id)
    const begin = () => {
      const barrier = this.#node.instance.revoke(entries, this.#node.now)
      this.#pending.add({ revocation, barrier, isSent: false, retryAt: 0 })
    }
    if (sids.length === 0) this.#node.local(begin)
    else {
      this.#endSessions(sids, (hasEnded) => {
        if (hasEnded) begin()
        else revocation.hasFailed = true
      })
    }
    return revocation
  }

  #endSessions(sids: readonly string[], done: (hasEnded: boolean) => void): void {
    const end = (server: Server) => {
      for (const sid of sids) this.#end(server, sid)
      return true
    }
    this.#node.ask(end, (hasEnded) => done(hasEnded ?? false))
  }

  #end(server: Server, sid: string): void {
    const tombstone = tombstoneLife(this.#world.options.settings)
    server.onSessions(endRecord({ sid: sid as Sid, reason: 'logout', tombstone, now: 0 }), this.#world.t)
  }

  /** A pending revoke whose barrier has closed returns. */
  #conclude(pending: Pending): void {
    const { revocation, barrier } = pending
    if (barrier.state.kind !== 'closed') return
    this.#pending.delete(pending)
    const { by } = barrier.state
    this.#world.note(
      () =>
        `${this.#node.id} returns from ${revocation.entries[0]!.kind} ${revocation.entries[0]!.id} by ${by}`,
    )
    const covered = this.#world.checker.returned(revocation, by, this.#world.t)
    for (const node of this.#world.alive)
      if (!node.isPaused) for (const token of covered.slice(-3)) node.judge(token)
  }

  #advance(pending: Pending, now: Now): void {
    const { revocation, barrier } = pending
    if (now.monotonic >= barrier.deadline) {
      this.#node.instance.abandon(barrier)
      this.#pending.delete(pending)
      revocation.hasFailed = true
      return
    }
    if (barrier.state.kind !== 'writing' || pending.isSent || now.monotonic < pending.retryAt) return
    pending.isSent = true
    const { generation } = this.#node.instance
    this.write(barrier.entries, now.wall, (reply) => {
      pending.isSent = false
      if (!reply) return void (pending.retryAt = this.#node.now.monotonic + 20)
      revocation.stored = reply.stored
      this.#node.instance.onRevoke(barrier, generation, reply, this.#node.now)
      this.#conclude(pending)
      this.#node.ring()
    })
  }

  write(
    entries: readonly NewEntry[],
    wall: UnixMs,
    done: (reply: ReturnType<Server['revoke']> | undefined) => void,
  ): void {
    this.#node.ask(
      (server) => this.#noteWritten(server, server.revoke(entries, wall, this.#world.t)),
      (reply) => done(reply),
    )
  }

  #noteWritten(server: Server, reply: ReturnType<Server['revoke']>) {
    this.#world.checker.stored(reply.stored)
    this.#world.note(
      () =>
        `server writes ${reply.stored.length} for ${this.#node.id} as ${reply.position.ms % 1e6}-${reply.position.seq}`,
    )
    for (const node of this.#world.alive)
      if (node.server === server && (this.#world.isCalm || this.#world.random.chance(0.9)))
        this.#world.after(this.#world.random.between(0.2, 3), () => node.local(() => node.ring()))
    return reply
  }

  #publish(): void {
    const { now, instance } = this.#node
    let page = instance.publish()
    for (let i = 0; i < 5 && page.length === 0 && instance.isReviewing; i += 1) page = instance.publish()
    if (page.length === 0) return
    this.#publishAt = Infinity
    const { generation } = instance
    this.#world.note(
      () => `${this.#node.id} publishes ${page.map(({ kind, id }) => `${kind} ${id}`).join(', ')}`,
    )
    this.#node.ask(
      (server) => {
        for (const { kind, id } of page) if (kind === 'sid') this.#end(server, id)
        return this.#noteWritten(server, server.publish(page, now.wall, this.#world.t))
      },
      (reply) => {
        this.#publishAt = reply ? 0 : this.#node.now.monotonic + 20
        if (reply) instance.onPublish(generation, reply, this.#node.now)
        this.#node.ring()
      },
    )
  }
}
