/** Faults of processes and networks: nothing is lost by them. Each proves that it took place. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../simulation/random.js'
import { connect } from '../support/redis.js'
import type { OwnRedis } from '../support/redis.js'
import type { Actor } from './actor.js'
import type { Book } from './book.js'
import type { Gateway } from './gateway.js'
import type { Fault } from './history.js'
import type { Store } from './store.js'

/** All that the nemesis has its hands on. */
export interface Rig {
  readonly gateways: readonly Gateway[]
  readonly store: Store
  readonly actor: Actor
  readonly book: Book
  readonly subjects: readonly string[]
  readonly random: Random
  /** Resolves when all gateways are ready, or after a while. */
  settle(): Promise<unknown>
}

export interface FaultKind {
  readonly name: string
  readonly weight: number
  /** Begins it, holds it and ends it; gives what the history must know besides. */
  run(rig: Rig): Promise<Partial<Fault> | void>
}

/** Pauses for a random time between the two, in ms. */
export const hold = ({ random }: Rig, low: number, high: number) => sleep(random.between(low, high))

export const anyGateway = ({ gateways, random }: Rig): Gateway => random.pick(gateways)!

/** Runs `work` on a connection of its own. */
export async function on<T>(
  { url }: OwnRedis,
  work: (client: ReturnType<typeof connect>) => Promise<T>,
): Promise<T> {
  const client = connect({ teardown: () => {} }, url)
  try {
    return await work(client)
  } finally {
    client.disconnect()
  }
}

export const gatewayFrozen: FaultKind = {
  name: 'gateway frozen',
  weight: 3,
  async run(rig) {
    const gateway = anyGateway(rig)
    gateway.signal('SIGSTOP')
    await hold(rig, 300, 4_000)
    const wasStill = !(await gateway.isReady())
    gateway.signal('SIGCONT')
    if (!wasStill) throw new Error('a frozen gateway answered')
    return { instance: gateway.index }
  },
}

export const gatewayKilled: FaultKind = {
  name: 'gateway killed',
  weight: 2,
  async run(rig) {
    const gateway = anyGateway(rig)
    await gateway.kill()
    await hold(rig, 0, 1_500)
    await gateway.start()
    return { instance: gateway.index }
  },
}

/** Several logouts are under way when the gateway dies: some have done half of their work. */
export const gatewayKilledInLogouts: FaultKind = {
  name: 'gateway killed in logouts',
  weight: 2,
  async run(rig) {
    const { actor, book, random, subjects } = rig
    const gateway = anyGateway(rig)
    const sub = random.pick(subjects)!
    while (book.live(sub).length < 8 && (await actor.login(gateway.index, sub)));
    const [keeper, ...victims] = book.live(sub).filter(({ access }) => access.length > 0)
    const logouts = victims.map((one) => actor.logout(gateway.index, one, { access: one.access.at(-1)! }))
    await sleep(random.between(0, 12))
    await gateway.kill()
    await Promise.all(logouts)
    await gateway.start()
    await rig.settle()
    if (keeper?.state === 'live') await everywhereBy(rig, keeper.access.at(-1)!)
    return { instance: gateway.index }
  },
}

/** "Everywhere", repeated until it has succeeded, and then a look at what it ended, on every instance. */
export async function everywhereBy(
  { actor, gateways, book }: Rig,
  held: Parameters<Actor['everywhere']>[1],
): Promise<void> {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const { operation, ended } = await actor.everywhere(attempt % gateways.length, held, false)
    if (operation.status === 204) {
      const tokens = ended.length > 0 ? ended.slice(-12) : book.lastEnded(5)
      await Promise.all(tokens.flatMap((token) => gateways.map(({ index }) => actor.guarded(index, token))))
      return
    }
    if (operation.status === 401) return
    await sleep(300)
  }
}

export const connectionsKilled: FaultKind = {
  name: 'CLIENT KILL',
  weight: 2,
  async run(rig) {
    let killed = 0
    for (let round = 1 + rig.random.below(3); round > 0; round -= 1) {
      for (const server of rig.store.servers)
        killed += Number(await on(server, (client) => client.call('CLIENT', 'KILL', 'TYPE', 'normal')))
      await hold(rig, 0, 200)
    }
    if (killed === 0) throw new Error('CLIENT KILL found nobody')
  },
}

export const redisFrozen: FaultKind = {
  name: 'Redis frozen',
  weight: 2,
  async run(rig) {
    const server = rig.random.pick(rig.store.servers)!
    await server.freeze()
    await hold(rig, 200, 3_000)
    await server.thaw()
  },
}

/** For a Redis that writes each change to its disk. */
export const redisRestarted: FaultKind = {
  name: 'Redis killed, all kept',
  weight: 1,
  async run(rig) {
    const [server] = rig.store.servers
    const size = () => on(server!, (client) => client.dbsize())
    const before = await size()
    await server!.kill()
    await hold(rig, 0, 800)
    await server!.start()
    if (before > 20 && (await size()) === 0) throw new Error('the Redis came back empty')
  },
}

export const linkCut: FaultKind = {
  name: 'gateway cut off',
  weight: 3,
  async run(rig) {
    const gateway = anyGateway(rig)
    const link = rig.store.links[gateway.index]!
    link.partition()
    await hold(rig, 300, 3_500)
    link.heal()
    return { instance: gateway.index }
  },
}

export const linkSlow: FaultKind = {
  name: 'gateway slowed',
  weight: 2,
  async run(rig) {
    const gateway = anyGateway(rig)
    const link = rig.store.links[gateway.index]!
    link.delay(rig.random.between(10, 350))
    await hold(rig, 1_000, 3_000)
    link.delay(0)
    return { instance: gateway.index }
  },
}
