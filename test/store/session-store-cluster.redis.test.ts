import t from 'tap'
import { connect, startCluster } from '../support/redis.js'
import { begin, end, someone, use, living } from '../support/session-store.js'
import { keysOf, openConnection, redisHarness } from '../support/redis-session-store.js'
import { sessionStoreContract } from './session-store.contract.js'

const cluster = await startCluster(t)
const client = await openConnection(t, cluster.url)
const servers = cluster.urls.map((url) => connect(t, url))

sessionStoreContract(t, async () => redisHarness(client, servers))

t.test('the sessions of one subject are spread over the nodes and are all found', async (t) => {
  const harness = redisHarness(client, servers)
  const sub = someone()
  const begun = await Promise.all(Array.from({ length: 90 }, () => begin(harness, { sub })))
  const counts = await Promise.all(
    servers.map(async (server) => (await keysOf(server, `${harness.prefix}:session:`)).length),
  )
  t.equal(
    counts.reduce((sum, count) => sum + count),
    begun.length,
  )
  const nodes = String(await servers[0]!.cluster('NODES'))
  t.ok(
    counts.every((count) => count > 0),
    `spread as ${counts.join(', ')}`,
    { nodes },
  )
  t.equal((await living(harness.store, sub, harness.clock.now())).length, begun.length)
  const uses = await Promise.all(begun.map(({ token }) => use(harness, token)))
  t.strictSame([...new Set(uses.map(({ outcome }) => outcome.kind))], ['rotated'])
  const ends = await Promise.all(begun.map(({ session }) => end(harness, session.sid)))
  t.strictSame([...new Set(ends.map(({ kind }) => kind))], ['ended'])
  t.same(await living(harness.store, sub, harness.clock.now()), [])
})
