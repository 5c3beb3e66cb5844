/**
 * Failovers by real Sentinels, one after another: killed, frozen and planned. Three gateways come back by themselves,
 * with every connection.
 *
 * FAILOVERS=30,10,10 sets how many of each there are, and prints how long they took. Times are only judged then: they
 * say little on a machine that does something else.
 */
import t from 'tap'
import type { Test } from 'tap'
import { logIn, soon } from '../support/gateway-process.js'
import { connect } from '../support/redis.js'
import type { OwnRedis } from '../support/redis.js'
import { RECOVERY_MILLISECONDS, guarded, readyz, startInstances, tell } from '../support/gateway-instances.js'
import type { Instance } from '../support/gateway-instances.js'
import { startSentinel } from '../support/redis-sentinel.js'
import type { Watched } from '../support/redis-sentinel.js'

const REQUESTED = process.env['FAILOVERS']
const COUNTS = (REQUESTED ?? '1,1,1').split(',').map(Number)
const PER_FAILOVER_MILLISECONDS = 60_000
/** The store's, the log's and the bell's. */
const CONNECTIONS_PER_INSTANCE = 3

t.setTimeout(120_000 + PER_FAILOVER_MILLISECONDS * COUNTS.reduce((sum, count) => sum + count, 0))

type Fault = 'killed' | 'frozen' | 'planned'

const FAULTS: Record<
  Fault,
  { strike(watched: Watched, old: OwnRedis): Promise<void>; mend(old: OwnRedis): Promise<void> }
> = {
  killed: { strike: (_, old) => old.kill(), mend: (old) => old.start() },
  frozen: { strike: (_, old) => old.freeze(), mend: (old) => old.thaw() },
  planned: { strike: (watched) => watched.failOver(), mend: async () => {} },
}

const serversOf = ({ primary, replicas }: Watched) => [primary, ...replicas]

/** As Sentinel names it. */
async function currentPrimary(watched: Watched): Promise<OwnRedis> {
  const port = await watched.primaryPort()
  return serversOf(watched).find((server) => server.port === port)!
}

const roleOf = async (t: Test, { url }: OwnRedis) => {
  const client = connect(t, url)
  const info = await client.info('replication').catch(() => '')
  client.disconnect()
  return /role:(\w+)/.exec(info)?.[1]
}

/** Resolves when another server than `old` has become a primary. */
async function promotion(t: Test, watched: Watched, old: OwnRedis): Promise<void> {
  const others = serversOf(watched).filter((server) => server !== old)
  const isPromoted = async () => (await Promise.all(others.map((each) => roleOf(t, each)))).includes('master')
  await soon('a replica is promoted', isPromoted)
}

/** Has a lease, verifies, and writes a new session. */
async function isBack(instance: Instance, token: string): Promise<boolean> {
  if ((await readyz(instance)).status !== 200) return false
  if ((await guarded(instance, token)).status !== 200) return false
  return logIn(instance.url).then(
    () => true,
    () => false,
  )
}

/** The gateways' connections, as the server lists them. */
async function connectionsTo(t: Test, server: OwnRedis): Promise<string[]> {
  const client = connect(t, server.url)
  const list = String(await client.client('LIST'))
  client.disconnect()
  return list.split('\n').filter((line) => / name=portcullis /.test(line))
}

/** Gives the time from the promotion until all instances were back, and until all connections were. */
async function failOver(t: Test, fault: Fault, watched: Watched, instances: readonly Instance[]) {
  await watched.settle()
  const old = await currentPrimary(watched)
  const { access_token } = await soon('a login', () => logIn(instances[0]!.url).catch(() => undefined))
  await FAULTS[fault].strike(watched, old)
  await promotion(t, watched, old)
  const promotedAt = performance.now()
  const coming = instances.map((each) => soon('an instance is back', () => isBack(each, access_token)))
  await Promise.all(coming)
  const back = performance.now() - promotedAt
  const all = CONNECTIONS_PER_INSTANCE * instances.length
  let open: string[] = []
  const isWhole = async () => (open = await connectionsTo(t, await currentPrimary(watched))).length === all
  await soon('all connections are open', isWhole).catch((error: unknown) => {
    throw new Error(`${open.length} of ${all} connections:\n${open.join('\n')}`, { cause: error })
  })
  const connected = performance.now() - promotedAt
  await FAULTS[fault].mend(old)
  // Sentinel would do it after ten seconds.
  await connect(t, old.url).call('REPLICAOF', '127.0.0.1', await watched.primaryPort())
  return { back, connected }
}

t.test('three gateways recover after each failover by themselves', async (t) => {
  const watched = await startSentinel(t, { sentinels: 3 })
  const instances = await startInstances(t, [watched.url, watched.url, watched.url])
  for (const [index, fault] of (['killed', 'frozen', 'planned'] as const).entries()) {
    const times: { back: number; connected: number }[] = []
    for (let i = 0; i < COUNTS[index]!; i++) {
      const time = await failOver(t, fault, watched, instances)
      if (REQUESTED)
        t.comment(
          `${fault} ${i + 1}: back ${time.back.toFixed(0)}, connected ${time.connected.toFixed(0)} ms`,
        )
      times.push(time)
    }
    t.equal(times.length, COUNTS[index], `${fault}: all came back`)
    tell(
      t,
      `${fault}: back after the promotion`,
      times.map(({ back }) => back),
    )
    tell(
      t,
      `${fault}: all connections open`,
      times.map(({ connected }) => connected),
    )
    if (REQUESTED)
      t.ok(
        times.every(({ back }) => back < RECOVERY_MILLISECONDS),
        'within 5 s each',
      )
  }
})
