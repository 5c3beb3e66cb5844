/** A client: does one thing after another, as its seed says, until it is stopped. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../simulation/random.js'
import type { Actor } from './actor.js'
import type { Book, Held, HeldSession } from './book.js'
import type { AccessToken, Operation, Scope } from './history.js'
import { isIndeterminate } from './history.js'

export interface ClientOptions {
  readonly actor: Actor
  readonly random: Random
  readonly book: Book
  readonly sub: string
  readonly instances: number
  /** Mean pause between two operations, in ms. */
  readonly pause: number
  /** Longest time, in ms, that a retry of a refresh may come after the first. */
  readonly grace: number
}

type Ended = { readonly operation: Operation; readonly ended: readonly Held[] }

/** Sessions that a subject has at a time. */
const FEWEST_SESSIONS = 3
const MAX_SESSIONS = 6

export class Client {
  readonly #options: ClientOptions
  readonly #deeds: readonly (readonly [weight: number, deed: () => Promise<unknown>])[]

  constructor(options: ClientOptions) {
    this.#options = options
    const { random } = options
    this.#deeds = [
      [30, () => this.#tryEnded()],
      [30, () => this.#use()],
      [12, () => this.#refresh()],
      [3, () => this.#refreshTwice()],
      [3, () => this.#refreshAfterLeaving()],
      [0.7, () => this.#reuse()],
      [4, () => this.#end((at, one, access) => options.actor.logout(at, one, { access }))],
      [2, () => this.#end((at, one) => options.actor.logout(at, one, { refresh: one.refresh.at(-1)! }))],
      [2, () => this.#end((at, { sid }, held) => options.actor.delete(at, held, sid))],
      [2, () => this.#deleteAnother()],
      [1.2, () => this.#end((at, _, held) => options.actor.everywhere(at, held, false))],
      [1.2, () => this.#end((at, _, held) => options.actor.everywhere(at, held, true))],
      [0.8, () => this.#end((at, _, held) => options.actor.changePassword(at, held))],
      [1, () => this.#revoke(({ sid }) => ({ kind: 'sid', sid }))],
      [1, () => this.#revoke(({ jti }) => ({ kind: 'jti', jti }))],
      [0.3, () => this.#revoke(({ sub }) => ({ kind: 'sub', sub }))],
      // Further back than a clock may be: a `before` to come is cut to the instance's now.
      [0.3, () => this.#revoke(({ sub, iat }) => ({ kind: 'sub', sub, before: iat - 3 - random.below(4) }))],
      [0.04, () => this.#revoke(() => ({ kind: 'all' }))],
    ]
  }

  async run(stopping: AbortSignal): Promise<void> {
    const { random, pause, book, sub } = this.#options
    while (!stopping.aborted) {
      await sleep(-Math.log(1 - random.next()) * pause)
      const { length } = book.live(sub)
      if (length < FEWEST_SESSIONS && random.chance(0.5)) await this.#login()
      else if (length < MAX_SESSIONS && random.chance(0.04)) await this.#login()
      else await this.#any()()
    }
  }

  #any(): () => Promise<unknown> {
    let at = this.#options.random.next() * this.#deeds.reduce((sum, [weight]) => sum + weight, 0)
    return this.#deeds.find(([weight]) => (at -= weight) < 0)![1]
  }

  #at(): number {
    return this.#options.random.below(this.#options.instances)
  }

  #session(): HeldSession | undefined {
    const { random, book, sub } = this.#options
    return random.pick(book.live(sub).filter(({ access }) => access.length > 0))
  }

  #login(): Promise<unknown> {
    return this.#options.actor.login(this.#at(), this.#options.sub)
  }

  async #tryEnded(): Promise<void> {
    const held = this.#options.book.pickEnded(this.#options.random)
    if (held) await this.#options.actor.guarded(this.#at(), held)
  }

  async #use(): Promise<void> {
    const held = this.#options.random.pick(this.#session()?.access ?? [])
    if (held) await this.#options.actor.guarded(this.#at(), held)
  }

  async #refresh(): Promise<void> {
    const session = this.#session()
    if (session) await this.#options.actor.refresh(this.#at(), session, session.refresh.at(-1)!)
  }

  /** Two tabs. */
  async #refreshTwice(): Promise<void> {
    const session = this.#session()
    if (!session) return
    const token = session.refresh.at(-1)!
    const tab = () => this.#options.actor.refresh(this.#at(), session, token)
    await Promise.all([tab(), tab()])
  }

  /** The answer is lost, and the same token sent again. */
  async #refreshAfterLeaving(): Promise<void> {
    const { actor, random, grace } = this.#options
    const session = this.#session()
    if (!session) return
    const token = session.refresh.at(-1)!
    await actor.refresh(this.#at(), session, token, Math.ceil(random.between(0, 6)))
    await sleep(random.between(0, grace / 4))
    await actor.refresh(this.#at(), session, token)
  }

  /** Theft. */
  async #reuse(): Promise<void> {
    const { actor, random } = this.#options
    const session = this.#session()
    const old = random.pick(session?.refresh.slice(0, -2) ?? [])
    if (!session || old === undefined) return
    const tokens = [...session.access]
    const { code } = await actor.refresh(this.#at(), session, old)
    if (code === 'refresh_token_reused') await this.#tryAll(tokens)
  }

  async #end(how: (at: number, session: HeldSession, held: Held) => Promise<Ended>): Promise<void> {
    const session = this.#session()
    if (!session) return
    const held = newest(session)
    await this.#follow(() => how(this.#at(), session, held))
  }

  async #deleteAnother(): Promise<void> {
    const { random, book, sub, actor } = this.#options
    const session = this.#session()
    const other = random.pick([...book.live(sub), ...book.unsure(sub)])
    if (!session || !other) return
    const held = newest(session)
    await this.#follow(() => actor.delete(this.#at(), held, other.sid))
  }

  #revoke(scopeOf: (token: AccessToken) => Scope): Promise<void> {
    return this.#end((at, _, { claims }) => this.#options.actor.revoke(at, scopeOf(claims)))
  }

  /** Tries at once what has ended; an end that failed is repeated, or followed by "everywhere", or forgotten. */
  async #follow(end: () => Promise<Ended>): Promise<void> {
    const { random, actor } = this.#options
    const { operation, ended } = await end()
    if (!isIndeterminate(operation)) return this.#tryAll(ended)
    const fate = random.next()
    if (fate < 0.4) return
    await sleep(random.between(200, 3_000))
    if (fate < 0.7) return this.#tryAll((await end()).ended)
    const other = this.#session()
    if (other) await this.#tryAll((await actor.everywhere(this.#at(), newest(other), fate < 0.8)).ended)
  }

  async #tryAll(tokens: readonly Held[]): Promise<void> {
    const { actor } = this.#options
    await Promise.all(tokens.slice(-6).map((held) => actor.guarded(this.#at(), held)))
  }
}

const newest = (session: HeldSession): Held => session.access.at(-1)!
