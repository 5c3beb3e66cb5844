/** A Cluster of three: a logout reaches all, and its slot may move. */
import t from 'tap'
import type { Test } from 'tap'
import type { Redis } from 'ioredis'
import { isRefused, logIn, soon } from '../support/gateway-process.js'
import { connect, startCluster } from '../support/redis.js'
import { LOG, STATE } from '../support/lost-data.js'
import type { Instance } from '../support/gateway-instances.js'
import {
  RECOVERY_MILLISECONDS,
  guarded,
  logInOften,
  logout,
  logoutAtLast,
  startInstances,
  tell,
  untilReady,
} from '../support/gateway-instances.js'
import { startTraffic } from '../support/traffic.js'

t.setTimeout(120_000)

const cluster = await startCluster(t)
const instances = (await startInstances(t, [cluster.url, cluster.url])) as [Instance, Instance]
const [a, b] = instances
const nodes = cluster.nodes.map(({ url }) => connect(t, url))

t.test('a token logged out on one instance is accepted by none', async (t) => {
  const times: number[] = []
  for (const { access_token } of await logInOften(instances, 200)) {
    t.equal((await guarded(b, access_token)).status, 200)
    const { status, milliseconds } = await logout(a, access_token)
    t.strictSame([status, (await guarded(b, access_token)).status], [204, 401])
    times.push(milliseconds)
  }
  tell(t, 'logout', times)
})

/** Moves a slot with all its keys, as `redis-cli --cluster reshard` does. */
async function moveSlot(slot: number, from: Redis, to: Redis, toPort: number): Promise<number> {
  const [fromId, toId] = [
    String(await from.call('CLUSTER', 'MYID')),
    String(await to.call('CLUSTER', 'MYID')),
  ]
  await to.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId)
  await from.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId)
  let moved = 0
  for (;;) {
    const keys = (await from.call('CLUSTER', 'GETKEYSINSLOT', slot, 50)) as string[]
    if (keys.length === 0) break
    await from.call('MIGRATE', '127.0.0.1', toPort, '', 0, 5_000, 'KEYS', ...keys)
    moved += keys.length
  }
  for (const node of [to, from, ...nodes.filter((one) => one !== to && one !== from)])
    await node.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId)
  return moved
}

async function isOwner(node: Redis, slot: number): Promise<boolean> {
  const id = String(await node.call('CLUSTER', 'MYID'))
  const slots = (await node.call('CLUSTER', 'SLOTS')) as [number, number, [string, number, string]][]
  return slots.some(([first, last, [, , owner]]) => first <= slot && slot <= last && owner === id)
}

async function move(t: Test, slot: number): Promise<void> {
  const owners = await Promise.all(nodes.map((node) => isOwner(node, slot)))
  const [source, target] = [owners.indexOf(true), (owners.indexOf(true) + 1) % nodes.length]
  const epoch = await nodes[source]!.hget(STATE, 'epoch')
  const moved = await moveSlot(slot, nodes[source]!, nodes[target]!, cluster.nodes[target]!.port)
  t.ok(moved > 2, `${moved} keys have moved`)
  t.ok(await isOwner(nodes[target]!, slot), 'the slot is elsewhere')
  const isNew = async () => {
    const [now, settled] = await nodes[target]!.hmget(STATE, 'epoch', 'settled')
    return now !== epoch && settled === '1'
  }
  await soon('a new epoch is settled there', isNew, RECOVERY_MILLISECONDS)
}

t.test('moving the slot of the log under load loses nothing', async (t) => {
  const slot = Number(await nodes[0]!.call('CLUSTER', 'KEYSLOT', LOG))
  const alive = await logInOften(instances, 3)
  for (let round = 0; round < 2; round += 1) {
    const [ended, ending] = [await logInOften(instances, 5), await logInOften(instances, 20)]
    for (const { access_token } of ended) t.equal((await logout(a, access_token)).status, 204)
    const traffic = startTraffic(instances, {
      revoked: ended.map(({ access_token }) => access_token),
      good: alive.map(({ access_token }) => access_token),
    })
    const endAll = async () => {
      let refusals = 0
      for (const { access_token } of ending) {
        refusals += (await logoutAtLast(a, access_token)).refusals
        t.not((await guarded(b, access_token)).status, 200)
      }
      return refusals
    }
    const [refusals] = await Promise.all([endAll(), move(t, slot)])
    t.comment(`ready ${(await untilReady(instances)).toFixed(0)} ms after; ${refusals} logouts were repeated`)
    const { revoked, good, gapMilliseconds } = await traffic.stop()
    t.notOk(revoked['admitted'], 'nothing revoked was admitted', { revoked })
    t.notOk(good['401 token_revoked'], 'nothing good was refused', { good })
    t.comment(`${gapMilliseconds.toFixed(0)} ms without an admission; ${JSON.stringify({ revoked, good })}`)
    for (const { access_token } of [...ended, ...ending])
      for (const each of instances) isRefused(t, await guarded(each, access_token), 401, 'session_ended')
    for (const { access_token } of alive) t.equal((await guarded(b, access_token)).status, 200)
  }
  const { access_token } = await logIn(a.url)
  t.equal((await logout(b, access_token)).status, 204)
})
