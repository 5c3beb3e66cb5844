/** A Redis that loses what it had acknowledged. */
import { copyFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { FaultKind, Rig } from './faults.js'
import { everywhereBy, hold, on } from './faults.js'

const LOSES = { loses: true } as const
const MARK = 'a key that was deleted after the dump'

const serverOf = ({ store }: Rig) => store.servers[0]!

async function dumpFile(rig: Rig): Promise<string> {
  return on(serverOf(rig), async (client) => {
    const [dir, name] = [await client.config('GET', 'dir'), await client.config('GET', 'dbfilename')]
    return join((dir as string[])[1]!, (name as string[])[1]!)
  })
}

const flushed: FaultKind = {
  name: 'FLUSHALL',
  weight: 2,
  async run(rig) {
    const replies = await on(serverOf(rig), (client) => client.multi([['dbsize'], ['flushall']]).exec())
    if (Number(replies?.[0]?.[1]) === 0) throw new Error('there was nothing to lose')
    return LOSES
  },
}

const emptied: FaultKind = {
  name: 'Redis killed, empty again',
  weight: 1,
  async run(rig) {
    const file = await dumpFile(rig)
    await serverOf(rig).kill()
    await rm(file, { force: true })
    await hold(rig, 0, 1_000)
    await serverOf(rig).start()
    return LOSES
  },
}

const restored: FaultKind = {
  name: 'restored from an older dump',
  weight: 2,
  async run(rig) {
    const server = serverOf(rig)
    const file = await dumpFile(rig)
    await on(server, async (client) => {
      await client.set(MARK, '1')
      await client.save()
      await client.del(MARK)
    })
    await copyFile(file, `${file}.old`)
    await hold(rig, 500, 4_000)
    await server.kill()
    await copyFile(`${file}.old`, file)
    await server.start()
    if ((await on(server, (client) => client.exists(MARK))) !== 1) throw new Error('it is not the old data')
    return LOSES
  },
}

/** The records of two sessions are lost; then one of them ends "everywhere", or itself. */
const forgotten: FaultKind = {
  name: 'FLUSHALL, then everywhere',
  weight: 2,
  async run(rig) {
    const { actor, random, subjects, gateways } = rig
    const sub = random.pick(subjects)!
    const at = () => random.below(gateways.length)
    const [first, second] = [await actor.login(at(), sub), await actor.login(at(), sub)]
    // Taken now: clients drop the tokens of a session that was refused.
    const [token, other] = [first?.access[0], second?.access[0]]
    await on(serverOf(rig), (client) => client.flushall())
    await rig.settle()
    if (!first || !token || !other) return LOSES
    await actor.delete(at(), token, first.sid)
    await everywhereBy(rig, other)
    await Promise.all(gateways.map(({ index }) => actor.guarded(index, token)))
    return LOSES
  },
}

export const losses: readonly FaultKind[] = [flushed, emptied, restored, forgotten]
