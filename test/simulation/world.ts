/** What all instances of a simulation share: the true time, the network, and the servers. */
import { setImmediate } from 'node:timers/promises'
import type { Milliseconds } from '../../src/clock.js'
import type { OnLostHistory } from '../../src/revocation/replica/instance.js'
import type { LogSettings } from '../../src/revocation/replica/revocation-log.js'
import { Checker } from './checker.js'
import { Events } from './events.js'
import type { Node } from './node.js'
import type { Random } from './random.js'
import { Server } from './server.js'
import type { Data, ServerRule } from './server.js'
import type { SessionRule } from './weak-sessions.js'
import type { InstanceRule } from './weak-instances.js'

export interface WorldOptions {
  readonly random: Random
  readonly settings: LogSettings
  readonly onLostHistory: OnLostHistory
  /** Entries a page. */
  readonly page: number
  /** Whether the log is on a primary with one replica, and syncs wait for it. */
  readonly waits?: boolean
  readonly without?: InstanceRule
  readonly sessionsWithout?: SessionRule
  readonly serverWithout?: ReadonlySet<ServerRule>
  readonly trace?: (line: string) => void
}

/**
 * `slow`: steadily so. `rough`: slow, sometimes beyond every timeout, and losing. `cut`: refuses at once. `silent`:
 * swallows.
 */
export type Link = 'calm' | 'slow' | 'rough' | 'cut' | 'silent'

export class World {
  t: Milliseconds = 0
  readonly options: WorldOptions
  readonly random: Random
  readonly checker = new Checker()
  readonly nodes: Node[] = []
  /** Every fault is switched off. */
  isCalm = false
  /** Nobody does anything before. */
  asleepUntil: Milliseconds = 0
  /** How often each fault took place. */
  readonly faults = new Map<string, number>()
  readonly #events = new Events()
  #isStirred = false
  #server: Server

  constructor(options: WorldOptions) {
    this.options = options
    this.random = options.random
    this.#server = this.#newServer({})
  }

  get server(): Server {
    return this.#server
  }

  get alive(): Node[] {
    return this.nodes.filter((node) => node.isAlive)
  }

  #newServer(start: { data?: Data; offset?: number }): Server {
    const { settings, serverWithout = new Set<ServerRule>() } = this.options
    return new Server(settings, this.random, { ...start, without: serverWithout })
  }

  after(milliseconds: Milliseconds, run: () => void): void {
    this.#events.add(this.t + milliseconds, run)
  }

  run(until: Milliseconds): void {
    for (let event = this.#events.take(until); event; event = this.#events.take(until)) {
      this.t = event.at
      event.run()
    }
    this.t = until
  }

  /** Code that awaited something is to be resumed before the next event. */
  stir(): void {
    this.#isStirred = true
  }

  /** As `run`, with code that awaits: it runs as far as it can before the next event. */
  async play(until: Milliseconds): Promise<void> {
    for (let event = this.#events.take(until); event; event = this.#events.take(until)) {
      this.t = event.at
      event.run()
      if (!this.#isStirred) continue
      this.#isStirred = false
      // All microtasks come before it.
      await setImmediate()
    }
    this.t = until
  }

  /** Counts a fault that took place. */
  strike(fault: string): void {
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1)
  }

  /** Something goes wrong, unless faults are switched off by then. */
  fault(milliseconds: Milliseconds, run: () => void): void {
    this.after(milliseconds, () => this.isCalm || this.t < this.asleepUntil || run())
  }

  note(text: () => string): void {
    this.options.trace?.(`${this.t.toFixed(2).padStart(9)} ${text()}`)
  }

  /** Takes a command to the server that the node talks to; `done` has no reply when it failed and the node can know. */
  send<T>(
    node: Node,
    run: (server: Server) => T,
    done: (reply: T | undefined, waitOk: boolean) => void,
  ): void {
    const { server } = node
    const there = this.#delay(node.link)
    const back = this.#delay(node.link)
    const fail = () => this.after(0.2, () => node.local(() => done(undefined, false)))
    if (node.link === 'cut') return fail()
    if (there === undefined) return
    this.after(there, () => {
      if (!server.isUp) return fail()
      let reply: T | undefined
      try {
        reply = run(server)
      } catch (error) {
        this.note(() => `server answers ${node.id}: ${String(error)}`)
        return fail()
      }
      this.#replicate(server, (waitOk) => {
        if (back !== undefined) this.after(back, () => node.local(() => done(reply, waitOk)))
      })
    })
  }

  #delay(link: Link): Milliseconds | undefined {
    if (link === 'silent') return undefined
    if (link === 'slow') return this.random.between(30, 120)
    if (link !== 'rough') return this.random.between(0.1, 1.5)
    const kind = this.random.next()
    if (kind < 0.05) return undefined
    if (kind < 0.6) return this.random.between(0.1, 10)
    return kind < 0.9 ? this.random.between(5, 250) : this.random.between(200, 1_800)
  }

  /** Brings what was written to the replica, and says whether WAIT is content. */
  #replicate(server: Server, done: (waitOk: boolean) => void): void {
    if (!this.options.waits) return done(true)
    const { data, offset, replica } = server
    const patience = this.options.settings.lease / 4
    const lag =
      this.isCalm || this.random.chance(0.9)
        ? this.random.between(0.1, 2)
        : this.random.between(1, 2 * patience)
    this.after(lag, () => {
      if (replica.isAttached && offset > replica.offset) Object.assign(replica, { data, offset })
      if (lag <= patience) done(replica.offset >= offset)
    })
    if (lag > patience) this.after(patience, () => done(false))
  }

  /** The replica takes over with what it has; who still talks to the old primary goes on doing so until it is moved. */
  promote(offset = 0): Server {
    const { data } = this.#server.replica
    const lost = this.#server.offset - this.#server.replica.offset
    this.strike(lost > 0 ? 'failover with lost writes' : 'failover')
    this.#server.replica.isAttached = false
    this.#server = this.#newServer({ data, offset })
    this.#server.replica = { data, offset: 0, isAttached: false }
    this.note(() => `a replica takes over with ${data.log?.rows.length ?? 0} rows`)
    return this.#server
  }

  /** The server starts again, with these data. */
  restart(data: Data): void {
    this.#server.boot = this.random.id()
    this.#server.data = data
    this.note(() => `the server starts with ${data.log?.rows.length ?? 0} rows`)
  }
}
