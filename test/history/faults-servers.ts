/** Faults of a Sentinel's servers, of a Cluster's nodes, and of a gateway's workers. */
import { soon } from '../support/gateway-process.js'
import { LOG } from '../support/lost-data.js'
import type { OwnRedis } from '../support/redis.js'
import type { FaultKind, Rig } from './faults.js'
import { anyGateway, hold, on } from './faults.js'

const LOSES = { loses: true } as const
const FAILOVER_MILLISECONDS = 30_000

async function failover(rig: Rig, begin: (primary: OwnRedis) => Promise<unknown>): Promise<OwnRedis> {
  const sentinels = rig.store.sentinels!
  const before = await sentinels.primary()
  await begin(before)
  await soon(
    'another server is the primary',
    async () => (await sentinels.primary()) !== before,
    FAILOVER_MILLISECONDS,
  )
  return before
}

/** The dead one comes back as a replica, as its operator would start it. */
const primaryKilled: FaultKind = {
  name: 'primary killed',
  weight: 3,
  async run(rig) {
    const dead = await failover(rig, (primary) => primary.kill())
    await dead.start()
    const { port } = await rig.store.sentinels!.primary()
    await on(dead, (client) => client.call('REPLICAOF', '127.0.0.1', port))
    await rig.store.sentinels!.whole()
    return LOSES
  },
}

const primaryFrozen: FaultKind = {
  name: 'primary frozen',
  weight: 1,
  async run(rig) {
    const frozen = await failover(rig, (primary) => primary.freeze())
    await hold(rig, 0, 1_500)
    await frozen.thaw()
    await rig.store.sentinels!.whole()
    return { ...LOSES, thaws: true }
  },
}

const plannedFailover: FaultKind = {
  name: 'planned failover',
  weight: 2,
  async run(rig) {
    await failover(rig, () => rig.store.sentinels!.failover())
    await rig.store.sentinels!.whole()
    return LOSES
  },
}

export const failovers: readonly FaultKind[] = [primaryKilled, primaryFrozen, plannedFailover]

/** Moves the slot of the log to another node, as `redis-cli --cluster reshard` does: nothing is lost. */
export const slotMoved: FaultKind = {
  name: 'slot moved',
  weight: 2,
  async run({ store: { servers }, random }) {
    const slot = Number(await on(servers[0]!, (client) => client.call('CLUSTER', 'KEYSLOT', LOG)))
    const ids = await Promise.all(
      servers.map((server) => on(server, async (client) => String(await client.call('CLUSTER', 'MYID')))),
    )
    const owners = (await on(servers[0]!, (client) => client.call('CLUSTER', 'SLOTS'))) as [
      number,
      number,
      [string, number, string],
    ][]
    const owner = owners.find(([first, last]) => first <= slot && slot <= last)![2][2]
    const from = ids.indexOf(owner)
    const to = (from + 1 + random.below(servers.length - 1)) % servers.length
    await on(servers[to]!, (client) => client.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids[from]!))
    await on(servers[from]!, async (client) => {
      await client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids[to]!)
      for (;;) {
        const keys = (await client.call('CLUSTER', 'GETKEYSINSLOT', slot, 50)) as string[]
        if (keys.length === 0) break
        await client.call('MIGRATE', '127.0.0.1', servers[to]!.port, '', 0, 5_000, 'KEYS', ...keys)
      }
    })
    for (const server of [servers[to]!, servers[from]!, ...servers])
      await on(server, (client) => client.call('CLUSTER', 'SETSLOT', slot, 'NODE', ids[to]!))
  },
}

/** Shorter than the time after which the others call a node failed. */
export const nodeFrozen: FaultKind = {
  name: 'node frozen',
  weight: 3,
  async run(rig) {
    const node = rig.random.pick(rig.store.servers)!
    await node.freeze()
    await hold(rig, 200, 2_500)
    await node.thaw()
  },
}

export const workerKilled: FaultKind = {
  name: 'worker killed',
  weight: 3,
  async run(rig) {
    const gateway = anyGateway(rig)
    const victim = rig.random.pick(gateway.workers())!
    gateway.signal('SIGKILL', victim)
    await soon('another worker runs', () => {
      const workers = gateway.workers()
      return workers.length === 2 && !workers.includes(victim)
    })
    return { instance: gateway.index }
  },
}

export const workerFrozen: FaultKind = {
  name: 'worker frozen',
  weight: 3,
  async run(rig) {
    const gateway = anyGateway(rig)
    const worker = rig.random.pick(gateway.workers())!
    gateway.signal('SIGSTOP', worker)
    await hold(rig, 300, 3_000)
    gateway.signal('SIGCONT', worker)
    return { instance: gateway.index }
  },
}
