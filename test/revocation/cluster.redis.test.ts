/** The denylists on a real Redis Cluster of three nodes. */
import t from 'tap'
import type { Test } from 'tap'
import { connect, startCluster, uniquePrefix } from '../support/redis.js'
import { openConnection } from '../support/redis-session-store.js'
import { denylistContract } from './denylist.contract.js'
import { kindsContract } from './kinds.contract.js'
import { openPair } from '../support/denylist-pairs.js'

const { url, urls } = await startCluster(t)
const client = await openConnection(t, url)
const servers = urls.map((node) => connect(t, node))

for (const choice of ['redis', 'replica'] as const) {
  t.test(`check: ${choice}`, async (t) => {
    const open = (t: Test) => openPair(t, choice, { url, servers, client })
    denylistContract(t, open)
    kindsContract(t, open)
  })
}

t.test('the first commands of a connection may reach the same node', async (t) => {
  for (let round = 0; round < 5; round += 1) {
    const fresh = await openConnection(t, url)
    const keys = Array.from({ length: 60 }, () => uniquePrefix())
    const replies = await Promise.allSettled(keys.map((key) => fresh.get(key)))
    t.strictSame([...new Set(replies.map(({ status }) => status))], ['fulfilled'])
  }
})
