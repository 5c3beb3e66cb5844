/** What clients with sessions do, by chance. */
import type { Node } from './node.js'
import { SessionClients } from './session-clients.js'
import type { ClientSession } from './session-clients.js'
import type { World } from './world.js'

const SUBJECTS = ['anna', 'ben'] as const
const EVERY = 15

export class SessionWorkload {
  readonly #world: World
  readonly #clients: SessionClients
  readonly #stopEnd: (node: Node) => void

  /** @param stopEnd Keeps an instance from finishing the end that it has begun. */
  constructor(world: World, stopEnd: (node: Node) => void) {
    this.#world = world
    this.#clients = new SessionClients(world)
    this.#stopEnd = stopEnd
  }

  /** Every so many milliseconds, on some instance, something, until the time is over. */
  run(until: number): void {
    const world = this.#world
    if (world.t >= until) return
    const node = world.random.pick(world.alive)
    if (node && world.t >= world.asleepUntil && !(node.isPaused && world.random.chance(0.9))) this.#act(node)
    world.after(world.random.between(0, 2 * EVERY), () => this.run(until))
  }

  #act(node: Node): void {
    const { random } = this.#world
    const clients = this.#clients
    const x = random.next()
    const session = random.pick(clients.sessions.slice(-8))
    if (x < 0.1 || !session) clients.login(node, random.pick(SUBJECTS))
    else if (x < 0.25) clients.refresh(node, session)
    else if (x < 0.3) this.#end(node, session)
    else if (x < 0.32) this.#everywhere(node, session)
    else this.#request(node)
  }

  #end(node: Node, session: ClientSession): void {
    const { random } = this.#world
    const other = random.pick(this.#clients.sessions.filter(({ sub }) => sub === session.sub))
    const own = random.chance(0.5) ? session.sid : other?.sid
    this.#clients.end(node, session, { own, onEnded: this.#hook(node) })
  }

  #everywhere(node: Node, { sub, sid }: ClientSession): void {
    const own = this.#world.random.pick([{ own: sid }, { except: sid }, {}])
    this.#clients.everywhere(node, sub, own, this.#hook(node))
  }

  /** Some ends are stopped when a record has ended. */
  #hook(node: Node): () => void {
    const isStopped = this.#world.random.chance(0.2)
    return () => isStopped && this.#stopEnd(node)
  }

  #request(node: Node): void {
    const { random, checker } = this.#world
    const { tokens, condemned } = checker
    const list = random.chance(0.3) ? condemned : tokens
    const token = list[list.length - 1 - random.below(Math.min(list.length, 30))]
    if (token) node.request(token)
  }
}
