/** Streams of an instance that hears nothing of its Redis any more. */
import t from 'tap'
import { logIn, soon } from '../support/gateway-process.js'
import { startRedis } from '../support/redis.js'
import { LEASE_MILLISECONDS, guarded, startInstances, untilReady } from '../support/gateway-instances.js'
import type { Instance } from '../support/gateway-instances.js'
import { areCut, goOn, openAll, startTicker } from '../support/long-lived-streams.js'

t.setTimeout(60_000)

const upstream = await startTicker(t)
const routes = [
  { path: '/stale', upstream, rewritePrefix: '/', onOutage: { stale: '30s' } },
  { path: '/brief', upstream, rewritePrefix: '/', onOutage: { stale: '1s' } },
  { path: '/open', upstream, rewritePrefix: '/', onOutage: 'open' },
  { path: '/', upstream },
]

t.test('without a lease connections are cut or continue, as their route says', async (t) => {
  const redis = await startRedis(t)
  const [instance] = (await startInstances(t, [redis.url], { routes })) as [Instance]
  const { access_token } = await logIn(instance.url)
  const open = (path?: string) => openAll(t, instance.url, access_token, path)
  const [closed, stale, brief, always] = await Promise.all([
    open(),
    open('/stale'),
    open('/brief'),
    open('/open'),
  ])

  const before = performance.now()
  await redis.freeze()
  const frozenAt = performance.now()
  const ends = await areCut(t, closed, 'store_unavailable')
  t.ok(
    ends.every(({ at }) => at - before > LEASE_MILLISECONDS / 4),
    'not before the lease is over',
  )
  const middle = ends.map(({ at }) => at - frozenAt).toSorted((a, b) => a - b)[2]!
  t.ok(middle < LEASE_MILLISECONDS + 300, `soon after it: ${middle.toFixed(0)} ms`)
  t.equal((await guarded(instance, access_token)).status, 503, 'as new requests are refused')

  const briefEnds = await areCut(t, brief, 'store_unavailable')
  t.ok(
    briefEnds.every(({ at }) => at - before > 1_000),
    'for so long, and no longer',
  )
  await goOn(t, [...stale, ...always], 'those that may')

  await redis.thaw()
  await untilReady([instance])
  await goOn(t, [...stale, ...always], 'and when it is back')
  for (const stream of await open()) t.ok(stream.ticks() > 1, `${stream.kind}: new ones may begin`)
})

t.test('check: redis: connections are cut if Redis doesn’t respond', async (t) => {
  const redis = await startRedis(t)
  const settings = { routes, revocation: { check: 'redis' } }
  const [instance] = (await startInstances(t, [redis.url], settings)) as [Instance]
  const { access_token } = await logIn(instance.url)
  const closed = await openAll(t, instance.url, access_token)
  const always = await openAll(t, instance.url, access_token, '/open')
  await redis.freeze()
  await areCut(t, closed, 'store_unavailable')
  await goOn(t, always, 'a route that stays open')
  await redis.thaw()
  await soon('a new one is let in', async () => (await guarded(instance, access_token)).status === 200)
})
