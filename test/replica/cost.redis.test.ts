/** What a guarded request costs Redis: nothing. */
import t from 'tap'
import { Pool } from 'undici'
import { logIn } from '../support/gateway-process.js'
import { connect, startRedis } from '../support/redis.js'
import { logout, startInstances } from '../support/gateway-instances.js'

const REQUESTS = 10_000
const CONNECTIONS = 20
const INSTANCES = 2
/** L/4 apart. */
const SYNCS_A_SECOND = 4
/** The bell waits for 4L. */
const BELLS_A_SECOND = 1 / 4

const { url } = await startRedis(t)
const instances = await startInstances(
  t,
  Array.from({ length: INSTANCES }, () => url),
)
const observer = connect(t, url)

/** How often each command has run, in scripts too; ours to look with are left out. */
async function commandCounts(): Promise<Map<string, number>> {
  const text = await observer.info('commandstats')
  const found = [...text.matchAll(/cmdstat_([\w|]+):calls=(\d+)/g)].map(
    ([, name, calls]) => [name!, Number(calls)] as const,
  )
  return new Map(found)
}

/** The commands that ran meanwhile, by name. */
async function during(
  work: () => Promise<unknown>,
): Promise<{ counts: Map<string, number>; seconds: number }> {
  const [before, begunAt] = [await commandCounts(), performance.now()]
  await work()
  const seconds = (performance.now() - begunAt) / 1000
  const after = await commandCounts()
  const counts = new Map<string, number>()
  for (const [name, calls] of after) {
    const more = calls - (before.get(name) ?? 0)
    if (more > 0) counts.set(name, more)
  }
  const comparisons = counts.get('eval') ?? 0
  for (const name of COMPARISON) {
    const left = (counts.get(name) ?? 0) - comparisons
    if (left > 0) counts.set(name, left)
    else counts.delete(name)
  }
  return { counts, seconds }
}

/** The commands of one comparison of settings, which is due every 30 s. */
const COMPARISON = ['eval', 'time', 'hset', 'pexpire', 'hgetall']

const sum = (counts: Map<string, number>) => [...counts.values()].reduce((all, one) => all + one, 0)

t.test(`${REQUESTS} guarded requests cause no Redis command`, async (t) => {
  const { access_token } = await logIn(instances[1]!.url)
  const ended = await logIn(instances[0]!.url)
  t.equal((await logout(instances[0]!, ended.access_token)).status, 204)
  const statuses = new Map<number, number>()
  const ask = async (pool: Pool, token: string) => {
    const headers = { authorization: `Bearer ${token}` }
    const { statusCode, body } = await pool.request({ method: 'GET', path: '/auth/me', headers })
    await body.dump()
    statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1)
  }
  const load = async () => {
    const pools = instances.map((one) => new Pool(one.url, { connections: CONNECTIONS / INSTANCES }))
    const workers = Array.from({ length: CONNECTIONS }, async (_, i) => {
      for (let asked = 0; asked < REQUESTS / CONNECTIONS; asked += 1)
        await ask(pools[i % INSTANCES]!, asked % 2 ? ended.access_token : access_token)
    })
    await Promise.all(workers)
    await Promise.all(pools.map((pool) => pool.close()))
  }
  const idle = await during(() => new Promise((resolve) => setTimeout(resolve, 2_000)))
  const busy = await during(load)
  t.strictSame(
    statuses,
    new Map([
      [200, REQUESTS / 2],
      [401, REQUESTS / 2],
    ]),
    'both kinds were decided',
  )

  const syncs = ({ counts }: typeof idle) => counts.get('evalsha') ?? 0
  t.ok(syncs(idle) > 0, 'syncs are counted')
  const commandsOfSync = (sum(idle.counts) - (idle.counts.get('xread') ?? 0)) / syncs(idle)
  const atMost = (aSecond: number) => INSTANCES * (aSecond * busy.seconds + 2)
  t.ok(syncs(busy) <= atMost(SYNCS_A_SECOND), `${syncs(busy)} syncs in ${busy.seconds.toFixed(1)} s`)
  const { xread: bells = 0, ...rest } = Object.fromEntries(busy.counts)
  t.ok(bells <= atMost(BELLS_A_SECOND), `${bells} times the bell has waited in vain`)
  const others = Object.keys(rest).filter((name) => !idle.counts.has(name))
  t.strictSame(others, [], 'no command that syncs do not have')
  const besides = sum(busy.counts) - bells - syncs(busy) * commandsOfSync
  t.ok(besides < 2 * commandsOfSync, `${besides.toFixed(0)} commands besides the syncs`)
  t.comment(`idle: ${JSON.stringify(Object.fromEntries(idle.counts))}`)
  t.comment(`busy, ${busy.seconds.toFixed(1)} s: ${JSON.stringify(Object.fromEntries(busy.counts))}`)
})
