/**
 * Routes that prefer stale answers, or open ones, to none: what they let pass without a lease, and that they say so.
 */
import t from 'tap'
import type { Answer, Tokens } from '../support/gateway-process.js'
import { call, home, isRefused, soon, startUpstream } from '../support/gateway-process.js'
import { freePort, startRedis } from '../support/redis.js'
import type { Instance } from '../support/gateway-instances.js'
import {
  ANSWER_MILLISECONDS,
  LEASE_MILLISECONDS,
  logInOften,
  logout,
  startInstance,
  startInstances,
  untilReady,
} from '../support/gateway-instances.js'

t.setTimeout(120_000)

const upstream = await startUpstream(t)
const route = (path: string, onOutage?: unknown) => ({ path, upstream: upstream.url, onOutage })
const routes = [
  route('/stale', { stale: '30s' }),
  route('/brief', { stale: '1500ms' }),
  route('/open', 'open'),
  { path: '/', upstream: upstream.url },
]
const get = (instance: Instance, path: string, { access_token }: Tokens) =>
  call(instance.url, 'GET', path, { token: access_token })
const outageOf = ({ status, headers }: Answer) => [status, headers['x-portcullis-outage']]
const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Whether its log says that it let somebody pass in this way. */
const tells = (instance: Instance, outage: string) =>
  instance.records().some((record) => record['event'] === 'admitted_in_outage' && record['outage'] === outage)

t.test('requests after the lease has lapsed', async (t) => {
  const redis = await startRedis(t)
  const [a, b] = (await startInstances(t, [redis.url, redis.url], { routes })) as [Instance, Instance]
  const [ended, alive] = (await logInOften([a, b], 2)) as [Tokens, Tokens]
  t.equal((await logout(a, ended.access_token)).status, 204)
  for (const path of ['/stale', '/brief', '/open', '/']) {
    t.strictSame(outageOf(await get(b, path, alive)), [200, undefined], 'with a lease nothing is said')
    t.equal((await get(b, path, ended)).status, 401)
  }

  await redis.freeze()
  await sleep(LEASE_MILLISECONDS + 100)
  for (const [path, outage] of [
    ['/stale', 'stale'],
    ['/open', 'open'],
  ] as const) {
    const answer = await get(b, path, alive)
    t.strictSame(outageOf(answer), [200, outage])
    t.ok(answer.milliseconds < ANSWER_MILLISECONDS)
    isRefused(t, await get(b, path, ended), 401, 'session_ended', 'the replica still denies')
    await soon('the log says so', () => tells(b, outage), 1_000)
  }
  isRefused(t, await get(b, '/', alive), 503, 'store_unavailable')
  await sleep(1_500)
  isRefused(t, await get(b, '/brief', alive), 503, 'store_unavailable', 'for so long, and no longer')
  t.strictSame(outageOf(await get(b, '/stale', alive)), [200, 'stale'])

  await redis.thaw()
  await untilReady([a, b])
  t.strictSame(outageOf(await get(b, '/stale', alive)), [200, undefined])
})

t.test('if there never was a lease, only open routes admit', async (t) => {
  const [port, directory] = [await freePort(), await home(t)]
  const elsewhere = await startInstances(t, [(await startRedis(t)).url], {}, directory)
  const [alive] = (await logInOften(elsewhere, 1)) as [Tokens]
  const instance = await startInstance(t, directory, { routes, store: `redis://127.0.0.1:${port}` })
  t.strictSame(outageOf(await get(instance, '/open', alive)), [200, 'open'])
  for (const path of ['/stale', '/']) isRefused(t, await get(instance, path, alive), 503, 'store_unavailable')
})
