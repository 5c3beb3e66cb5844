/** One instance: the real state machine, its clocks, and what the sync loop does around it. */
import type { Milliseconds } from '../../src/clock.js'
import { Instance } from '../../src/revocation/replica/instance.js'
import type { Now, Sync } from '../../src/revocation/replica/instance.js'
import type { NewEntry } from '../../src/revocation/entry.js'
import type { SyncReply } from '../../src/revocation/replica/revocation-log.js'
import { Violation } from './checker.js'
import type { Revocation, Token } from './checker.js'
import { BEGINNING } from './clocks.js'
import type { Clocks } from './clocks.js'
import type { Server } from './server.js'
import { WEAK_INSTANCES } from './weak-instances.js'
import type { Link, World } from './world.js'
import { Writer } from './writer.js'

export class Node {
  readonly world: World
  readonly clocks: Clocks
  readonly instance: Instance
  server: Server
  link: Link = 'calm'
  isAlive = true
  /** Gives answers; a node that is about to leave doesn't. */
  isServing = true
  /** Greatest `before` of the entries that a sync brought, by kind and id. */
  readonly known = new Map<string, number>()
  /**
   * A machine that may be suspended, and whose wall clock is therefore never set: both at once is beyond the promise.
   */
  readonly isPortable: boolean
  #pausedUntil = 0
  readonly #deferred: (() => void)[] = []
  #syncing: Sync | undefined
  #nextSyncAt: Milliseconds
  #poll = 1
  #wakeAt = Infinity
  readonly #writer: Writer
  readonly #afterSync: (() => void)[] = []
  #waiting: { readonly token: Token; readonly until: Milliseconds }[] = []

  constructor(world: World, id: string, clocks: Clocks) {
    const { settings, onLostHistory, page, without } = world.options
    this.world = world
    this.clocks = clocks
    this.server = world.server
    const Kind = without === undefined ? Instance : WEAK_INSTANCES[without]
    this.instance = new Kind({ ...settings, id, onLostHistory, page })
    this.#nextSyncAt = this.now.monotonic
    this.#writer = new Writer(this)
    this.isPortable = world.random.chance(0.3)
    world.nodes.push(this)
    world.note(() => `${id} boots`)
    world.after(0, () => this.local(() => {}))
  }

  get id(): string {
    return this.instance.id
  }

  get now(): Now {
    return this.clocks.at(this.world.t)
  }

  get isPaused(): boolean {
    return this.world.t < this.#pausedUntil
  }

  get isLeased(): boolean {
    return this.instance.isLeased(this.now)
  }

  /** Something happens in the process: later, if it is paused, and never, if it has crashed. */
  local(run: () => void): void {
    if (!this.isAlive) return
    if (this.isPaused) return void this.#deferred.push(run)
    run()
    this.#probe()
    this.#step()
  }

  /** SIGSTOP or a long collection of garbage. The requests that wait in the kernel come first afterwards. */
  pause(milliseconds: Milliseconds): void {
    this.world.strike('pause')
    this.world.note(() => `${this.id} stops for ${milliseconds.toFixed(0)} ms`)
    this.#pausedUntil = Math.max(this.#pausedUntil, this.world.t + milliseconds)
    this.world.after(milliseconds, () => {
      if (!this.isAlive || this.isPaused) return
      this.#probe(10)
      for (const run of this.#deferred.splice(0)) this.local(run)
      this.local(() => {})
    })
  }

  crash(): void {
    this.world.note(() => `${this.id} crashes`)
    this.isAlive = false
  }

  /** Shuts down in order: gives no answer any more, then leaves the log. */
  leave(): void {
    this.world.strike('leave')
    this.world.note(() => `${this.id} leaves`)
    this.isServing = false
    const { id } = this
    this.world.send(
      this,
      (server) => server.leave(id),
      () => {},
    )
    this.isAlive = false
  }

  /** The bell, or a request without a lease: sync now. */
  ring(): void {
    this.#nextSyncAt = Math.min(this.#nextSyncAt, this.now.monotonic)
  }

  /** A request of a client. */
  request(token: Token): void {
    this.local(() => {
      if (this.judge(token) || this.instance.epoch === '') return
      this.ring()
      const until = this.now.monotonic + this.world.options.settings.lease / 2
      if (this.#waiting.length < 20) this.#waiting.push({ token, until })
    })
  }

  /** Whether it was decided. */
  judge(token: Token): boolean {
    const { settings } = this.world.options
    const { now } = this
    const isGood =
      now.wall < token.exp * 1000 + settings.leeway && token.iat * 1000 <= this.instance.latestIssue(now)
    if (!isGood || !this.isServing) {
      const ahead = token.iat * 1000 - BEGINNING - this.world.t
      if (this.isLeased && token.iat * 1000 > this.instance.latestIssue(now) && ahead <= 1_400)
        throw new Violation(
          'denied',
          `${this.id} denies ${token.jti}, whose iat is ${ahead.toFixed(0)} ms ahead`,
        )
      return true
    }
    const decision = this.instance.decide(token, now)
    this.world.checker.decided(token, decision, { id: this.id, jtiPrefix: this.instance.jtiPrefix })
    return decision.kind !== 'no_lease'
  }

  /** Some of what is revoked is asked for at every step. */
  #probe(count = 2): void {
    const { condemned } = this.world.checker
    const recent = Math.min(condemned.length, 40)
    for (let i = 0; i < Math.min(count, recent); i += 1)
      this.judge(condemned[condemned.length - 1 - this.world.random.below(recent)]!)
  }

  /** Begins a revoke: the sessions end first. */
  revoke(entries: readonly NewEntry[]): Revocation {
    return this.#writer.revoke(entries)
  }

  /** Runs a revoke's script. */
  write(...args: Parameters<Writer['write']>): void {
    this.#writer.write(...args)
  }

  /** Calls back once, after the next sync. */
  afterSync(run: () => void): void {
    this.#afterSync.push(run)
  }

  #step(): void {
    const { now } = this
    this.#writer.step(now)
    if (!this.#syncing && now.monotonic >= this.#nextSyncAt) this.#sync()
    this.#wake(Math.max(this.#nextSyncAt - now.monotonic, 0.05))
  }

  #wake(milliseconds: Milliseconds): void {
    const at = this.world.t + milliseconds / this.clocks.rate
    if (this.#syncing || at >= this.#wakeAt) return
    this.#wakeAt = at
    this.world.after(at - this.world.t, () => {
      if (this.#wakeAt === at) this.#wakeAt = Infinity
      this.local(() => {})
    })
  }

  /** Calls back once: with a reply, or without one when it failed or has taken too long. */
  ask<T>(run: (server: Server) => T, done: (reply: T | undefined, waitOk: boolean) => void): void {
    let isOver = false
    const once = (reply: T | undefined, waitOk: boolean) => {
      if (isOver) return
      isOver = true
      done(reply, waitOk)
    }
    this.world.send(this, run, once)
    const patience = this.world.options.settings.lease / this.clocks.rate
    this.world.after(patience, () => isOver || this.local(() => once(undefined, false)))
  }

  #sync(): void {
    const { settings } = this.world.options
    const sync = this.instance.sync(this.now)
    this.#syncing = sync
    this.#nextSyncAt = sync.sent.monotonic + settings.lease / 4
    const over = () => {
      if (this.#syncing === sync) this.#syncing = undefined
    }
    // An answer that is late is handed over all the same, for the state machine to ignore.
    const { wall } = sync.sent
    this.world.send(
      this,
      (server) => server.sync(sync.request, wall, this.world.t),
      (reply, waitOk) => {
        over()
        if (reply) this.#onSync(sync, { ...reply, waitOk })
      },
    )
    this.world.after(settings.lease / this.clocks.rate, () => this.#syncing === sync && this.local(over))
  }

  #onSync(sync: Sync, reply: SyncReply): void {
    const { checker } = this.world
    checker.since = Math.max(checker.since, reply.since)
    const outcome = this.instance.onSync(sync, reply, this.now)
    this.world.note(() => `${this.id} ${this.instance.state(this.now)} ${describe(reply, outcome.granted)}`)
    if (outcome.applied > 0)
      for (const { kind, id, before } of reply.entries) {
        const key = `${kind} ${id}`
        this.known.set(key, Math.max(before, this.known.get(key) ?? 0))
      }
    this.#writer.settle()
    if (outcome.again) this.ring()
    else if (this.instance.isWaiting) {
      this.#nextSyncAt = Math.min(this.#nextSyncAt, this.now.monotonic + this.#poll)
      this.#poll = Math.min(10, (this.#poll * 4) / 3)
    } else this.#poll = 1
    if (outcome.granted) for (const { token } of this.#waiting.splice(0)) this.judge(token)
    for (const run of this.#afterSync.splice(0)) run()
    this.#waiting = this.#waiting.filter(({ until }) => this.now.monotonic < until)
  }
}

function describe({ epoch, settled, more, entries, members, waitOk }: SyncReply, granted: boolean): string {
  const seen = entries.map(({ kind, id }) => `${kind} ${id}`).join(', ')
  const flags = [settled && 'settled', more && 'more', waitOk || 'unwaited', granted && 'granted'].filter(
    Boolean,
  )
  return `in ${epoch}: ${flags.join(' ')} [${seen}] ${members.map(({ id }) => id).join(' ')}`
}
