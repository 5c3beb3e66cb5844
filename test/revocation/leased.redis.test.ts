/** `revocation.check: replica`: two instances, whose revokes are in force on the other the moment they return. */
import t from 'tap'
import type { Test } from 'tap'
import { redisKeys } from '../../src/redis/keys.js'
import { cleanUp, connect, redisUrl, startRedis } from '../support/redis.js'
import { dump, monitored, openConnection } from '../support/redis-session-store.js'
import { denylistContract, minted, MINUTE } from './denylist.contract.js'
import { kindsContract } from './kinds.contract.js'
import { openPair } from '../support/denylist-pairs.js'

async function open(t: Test) {
  const server = connect(t)
  const client = await openConnection(t)
  const harness = await openPair(t, 'replica', { url: redisUrl(), servers: [server], client })
  cleanUp(t, harness.prefix)
  return { ...harness, server, keys: redisKeys(harness.prefix) }
}

denylistContract(t, open)
kindsContract(t, open)

t.test('a revoke on one instance is in force in the memory of the other when it returns', async (t) => {
  const { instances, denylist } = await open(t)
  for (let round = 0; round < 100; round += 1) {
    const [here, there] = round % 2 === 0 ? instances : instances.toReversed()
    const token = await minted({ denylist })
    t.equal(there!.check(token), undefined, 'it is asked without waiting')
    await here!.revoke([{ kind: 'sid', id: token.sid }])
    t.equal(there!.check(token), 'sid')
    t.equal(here!.check(token), 'sid')
  }
})

t.test('entries are also denylist keys, for programs without a replica', async (t) => {
  const { denylist, server, keys } = await open(t)
  await denylist.revoke([
    { kind: 'sid', id: 's', reason: 'logout' },
    { kind: 'sub', id: 'u', before: 5, reason: 'a new password' },
    { kind: 'jti', id: 'j', until: Date.now() + MINUTE },
  ])
  t.match(await dump(server, keys.deny('', '').slice(0, -1)), {
    [keys.deny('sid', 's')]: [/^0 \d+ logout$/],
    [keys.deny('sub', 'u')]: [/^5 \d+ a new password$/],
    [keys.deny('jti', 'j')]: [/^0 \d+ $/],
  })
})

t.test('checks cause no Redis command', async (t) => {
  const own = await startRedis(t)
  const client = await openConnection(t, own.url)
  const servers = [connect(t, own.url)]
  const { prefix, instances, denylist } = await openPair(t, 'replica', { url: own.url, servers, client })
  const token = await minted({ denylist })
  await denylist.revoke([{ kind: 'sid', id: 'another' }])
  const run = await monitored(t, own.url, prefix, async () => {
    for (let turn = 0; turn < 100; turn += 1) {
      const answers = Array.from({ length: 100 }, (_, i) => instances[i % 2]!.check(token))
      t.strictSame(new Set(answers), new Set([undefined]), 'admitted, a hundred times, without waiting')
      // The syncs need their turn, or the lease would lapse.
      await new Promise((resolve) => setImmediate(resolve))
    }
  })
  const asked = run.filter((command) => command.some((part) => part.includes(':deny:')))
  t.strictSame(asked, [], 'no name of a denylist entry was sent')
  t.ok(run.length < 100, `${run.length} commands in all: what syncs cost`)
})
