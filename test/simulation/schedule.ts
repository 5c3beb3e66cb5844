/** A seeded schedule: some instances, clients, and faults for which the protocol's table promises something. */
import type { OnLostHistory } from '../../src/revocation/replica/instance.js'
import {
  boot,
  crash,
  disturb,
  failOver,
  jump,
  lose,
  LOSSES,
  restart,
  sleep,
  step,
  suspend,
} from './faults.js'
import type { Node } from './node.js'
import { checkProgress } from './progress.js'
import { Random } from './random.js'
import { EMPTY } from './server.js'
import type { Data, ServerRule } from './server.js'
import type { SessionRule } from './weak-sessions.js'
import type { InstanceRule } from './weak-instances.js'
import { SessionWorkload } from './session-workload.js'
import { Workload } from './workload.js'
import { World } from './world.js'

/** `durable`: loses nothing. `lossy`: a lone server, or a failover without WAIT. `waited`: a failover with WAIT. */
export type Deployment = 'durable' | 'lossy' | 'waited'

export interface Switches {
  readonly without?: InstanceRule
  readonly sessionsWithout?: SessionRule
  readonly serverWithout?: ReadonlySet<ServerRule>
  readonly trace?: (line: string) => void
}

const PROMISED: readonly [OnLostHistory, Deployment][] = [
  ['reject', 'durable'],
  ['reject', 'lossy'],
  ['reject', 'waited'],
  ['heal', 'durable'],
  ['heal', 'lossy'],
  ['heal', 'lossy'],
  ['heal', 'waited'],
  ['accept', 'durable'],
  ['accept', 'waited'],
]

export class Schedule {
  readonly onLostHistory: OnLostHistory
  readonly deployment: Deployment
  readonly world: World
  readonly #random: Random
  #until: number
  #snapshot: Data = EMPTY
  /** Who is kept from harm while the holders of what was lost bring it back. */
  #spared = new Set<Node>()

  constructor(
    seed: number,
    switches: Switches = {},
    horizons: [number, ...number[]] = [3_000, 20_000, 300_000],
  ) {
    const random = new Random(seed)
    this.#random = random
    ;[this.onLostHistory, this.deployment] = PROMISED[seed % PROMISED.length]!
    const horizon = random.pick(horizons)
    this.world = new World({
      random,
      settings: { lease: 1_000, horizon, tolerance: 2_000, leeway: random.pick([0, 0, 1_000]) },
      onLostHistory: this.onLostHistory,
      page: random.pick([1, 2, 5, 100]),
      waits: this.deployment === 'waited',
      ...switches,
    })
    this.#until = random.between(4_000, 9_000)
    if (horizon === 3_000 && random.chance(0.1)) this.#sleep()
  }

  /** For so long that Redis forgets the log and its state, and every token has expired. */
  #sleep(): void {
    const { world } = this
    const { tolerance, horizon, leeway } = world.options.settings
    const silence = horizon + leeway + 3 * tolerance + 62_000
    this.#until += silence
    world.after(this.#random.between(3_000, 4_000), () => sleep(world, silence))
  }

  get name(): string {
    return `${this.onLostHistory}, ${this.deployment}`
  }

  run(): World {
    const { world } = this
    this.#begin(new Workload(world))
    world.run(this.#until)
    if (this.#random.chance(0.25)) checkProgress(world)
    return world
  }

  /** With clients whose sessions end by the real code. */
  async play(): Promise<World> {
    const { world } = this
    this.#begin(new SessionWorkload(world, (node) => this.#stopEnd(node)))
    await world.play(this.#until)
    return world
  }

  #begin(workload: { run(until: number): void }): void {
    const count = 2 + this.#random.below(3)
    for (let i = 0; i < count; i += 1) boot(this.world)
    workload.run(this.#until)
    this.#faults()
  }

  /** An end stops between its two steps: its process dies, or reaches the server no more. */
  #stopEnd(node: Node): void {
    const { world } = this
    const random = this.#random
    if (!node.isAlive || node.link !== 'calm' || this.#spared.has(node)) return
    world.strike('half-ended')
    if (random.chance(0.3)) crash(node, random.between(10, 1_500))
    else disturb(node, 'cut', random.between(300, 2_000))
  }

  #faults(): void {
    const { world } = this
    const random = this.#random
    world.after(random.between(50, 700), () => {
      if (world.t >= this.#until) return
      if (world.t < world.asleepUntil) return this.#faults()
      if (random.chance(0.3)) this.#snapshot = world.server.data
      if (random.chance(0.25)) this.#strikeServer()
      else this.#strikeNode()
      this.#faults()
    })
  }

  #strikeNode(node = this.#random.pick(this.world.alive)): void {
    const random = this.#random
    if (!node || node.isPaused || this.#spared.has(node)) return
    const x = random.next()
    if (x < 0.2) node.pause(random.between(50, 2_500))
    else if (x < 0.4) {
      if (node.isPortable) suspend(node, random.between(50, 2_500))
      else if (random.chance(0.5)) step(node)
      else {
        const { horizon } = this.world.options.settings
        const by = random.pick([1, -1]) * random.between(3_000, 2 * horizon + 20_000)
        jump(node, by, random.pick([random.between(1, 50), random.between(50, 3_000)]))
      }
    } else if (x < 0.55) disturb(node, random.pick(['rough', 'slow']), random.between(300, 3_000))
    else if (x < 0.75) disturb(node, random.pick(['cut', 'silent']), random.between(300, 3_000))
    else if (x < 0.85) crash(node, random.between(10, 1_500))
    else if (this.world.alive.length < 5) boot(this.world)
    else node.leave()
  }

  #strikeServer(): void {
    const { world } = this
    const random = this.#random
    if (this.deployment === 'durable') {
      if (this.#spared.size === 0) restart(world, random.between(0, 1_500))
    } else if (this.deployment === 'waited') {
      const old = world.server
      if (!old.replica.isAttached) return
      // The replica is cut off some time before it takes over.
      world.fault(random.between(0, 500), () => world.server === old && (old.replica.isAttached = false))
      world.fault(
        random.between(500, 1_000),
        () => world.server === old && failOver(world, { isIsolated: random.chance(0.6) }),
      )
    } else if (this.onLostHistory === 'reject') lose(world, random.pick(LOSSES), this.#snapshot)
    else this.#loseAndHeal()
  }

  /** Data are lost, but for each revocation one holder is at hand to bring it back within W. */
  #loseAndHeal(): void {
    const { world } = this
    const random = this.#random
    if (this.#spared.size > 0) return
    const spared = world.alive.filter((node) => !node.isPaused && node.link === 'calm' && random.chance(0.7))
    this.#spared = new Set(spared)
    // By then what the spared have under way is over, also what was slow.
    const quiet = 2_200
    world.fault(quiet, () => {
      if (spared.some((node) => node.isPaused || node.link !== 'calm') || !this.#areHeld(spared))
        this.#spared.clear()
      else {
        lose(world, random.pick(LOSSES), this.#snapshot)
        world.after(3_000, () => this.#spared.clear())
      }
    })
  }

  /** Whether each revocation that has returned has a holder among them; what hasn't returned is promised to no one. */
  #areHeld(holders: readonly Node[]): boolean {
    for (const revocation of this.world.checker.revocations) {
      const { stored, origin, returnedAt, hasFailed } = revocation
      const isHeld = stored.every(({ kind, id, before }) =>
        holders.some((node) => (node.known.get(`${kind} ${id}`) ?? -1) >= before),
      )
      if (isHeld || hasFailed || revocation.isExempt) continue
      if (returnedAt !== undefined) return false
      if (!holders.some(({ id }) => id === origin)) revocation.isExempt = true
    }
    return holders.length > 0
  }
}
