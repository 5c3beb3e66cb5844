/** A failover by a real Sentinel, without and with `WAIT`: by itself, soon, and nothing revoked is admitted. */
import t from 'tap'
import type { Test } from 'tap'
import { home, isRefused, logIn, soon } from '../support/gateway-process.js'
import type { Tokens } from '../support/gateway-process.js'
import { connect } from '../support/redis.js'
import type { OwnRedis } from '../support/redis.js'
import { LOG } from '../support/lost-data.js'
import type { Instance } from '../support/gateway-instances.js'
import {
  BARRIER_MILLISECONDS,
  LEASE_MILLISECONDS,
  RECOVERY_MILLISECONDS,
  guarded,
  logInOften,
  logout,
  refresh,
  startInstance,
  startInstances,
  untilReady,
} from '../support/gateway-instances.js'
import type { Watched } from '../support/redis-sentinel.js'
import { isolateReplicas, startSentinel } from '../support/redis-sentinel.js'
import { startTraffic } from '../support/traffic.js'

t.jobs = 2
t.setTimeout(120_000)

interface Scene {
  readonly watched: Watched
  readonly directory: string
  readonly settings: Record<string, unknown>
  readonly survivors: readonly [Instance, Instance]
}

async function setUp(t: Test, waitReplicas: number): Promise<Scene> {
  const [watched, directory] = [await startSentinel(t), await home(t)]
  const settings = { revocation: { waitReplicas }, store: watched.url }
  const survivors = await startInstances(t, [watched.url, watched.url], settings, directory)
  return { watched, directory, settings, survivors: survivors as unknown as Scene['survivors'] }
}

const tokensOf = (sessions: readonly Tokens[]) => sessions.map(({ access_token }) => access_token)

/** Kills the primary under traffic, and waits until all are ready on the new one; gives that. */
async function failOver(
  t: Test,
  { watched, survivors }: Scene,
  ended: readonly Tokens[],
  alive: readonly Tokens[],
): Promise<OwnRedis> {
  const traffic = startTraffic(survivors, { revoked: tokensOf(ended), good: tokensOf(alive) })
  await watched.primary.kill()
  await soon('there is another primary', async () => (await watched.primaryPort()) !== watched.primary.port)
  const port = await watched.primaryPort()
  const promoted = watched.replicas.find((replica) => replica.port === port)!
  const client = connect(t, promoted.url)
  await soon('it takes writes', async () => /role:master/.test(await client.info('replication')))
  const isAdmitted = async (instance: Instance) =>
    (await guarded(instance, alive[0]!.access_token)).status === 200
  const begunAt = performance.now()
  await untilReady(survivors)
  for (const each of survivors) await soon('it admits again', () => isAdmitted(each), RECOVERY_MILLISECONDS)
  const took = performance.now() - begunAt
  t.ok(took < RECOVERY_MILLISECONDS, `ready ${took.toFixed(0)} ms after there is a primary`)
  await new Promise((resolve) => setTimeout(resolve, LEASE_MILLISECONDS))
  const { revoked, good, slowestMilliseconds, gapMilliseconds } = await traffic.stop()
  t.ok(Object.keys(revoked).length > 0)
  t.notOk(revoked['admitted'], 'nothing revoked was admitted', { revoked })
  t.ok(slowestMilliseconds < 2_000)
  t.comment(`ready ${took.toFixed(0)} ms after; ${gapMilliseconds.toFixed(0)} ms without an admission`)
  t.comment(`answers to revoked tokens ${JSON.stringify(revoked)}, to good ones ${JSON.stringify(good)}`)
  return promoted
}

/** On those that were there, and on one that knows only what the new primary says. */
async function holds(
  t: Test,
  scene: Scene,
  ended: readonly Tokens[],
  alive: readonly Tokens[],
): Promise<void> {
  const { survivors, directory, settings } = scene
  const newcomer = await startInstance(t, directory, settings)
  await untilReady([newcomer])
  for (const instance of [...survivors, newcomer]) {
    for (const { access_token } of ended)
      isRefused(t, await guarded(instance, access_token), 401, 'session_ended')
    for (const { access_token } of alive) t.equal((await guarded(instance, access_token)).status, 200)
  }
  for (const { refresh_token } of ended) t.equal((await refresh(newcomer, refresh_token)).status, 401)
  const { access_token } = await logIn(survivors[0].url)
  t.equal((await logout(newcomer, access_token)).status, 204)
  for (const each of survivors) isRefused(t, await guarded(each, access_token), 401, 'session_ended')
}

const entries = (t: Test, redis: OwnRedis) => connect(t, redis.url).xlen(LOG)

t.test('without WAIT: entries that the failover lost are published again', async (t) => {
  const scene = await setUp(t, 0)
  const { watched, survivors } = scene
  const [alive, kept, lost] = [
    await logInOften(survivors, 3),
    await logInOften(survivors, 3),
    await logInOften(survivors, 3),
  ]
  for (const { access_token } of kept) t.equal((await logout(survivors[0], access_token)).status, 204)
  const before = await entries(t, watched.primary)
  await soon('the replicas have it', async () => (await entries(t, watched.replicas[0]!)) === before)
  await isolateReplicas(t, watched)
  for (const { access_token } of lost) t.equal((await logout(survivors[0], access_token)).status, 204)
  t.equal(await entries(t, watched.primary), before + lost.length)
  for (const replica of watched.replicas) t.equal(await entries(t, replica), before, 'a replica lacks them')

  const ended = [...kept, ...lost]
  const promoted = await failOver(t, scene, ended, alive)
  const log = JSON.stringify(await connect(t, promoted.url).xrange(LOG, '-', '+'))
  for (const { session_id } of ended) t.ok(log.includes(session_id), 'it is in the log again')
  await holds(t, scene, ended, alive)
})

t.test('with WAIT: nothing is lost, and without replicas there is no lease', async (t) => {
  const scene = await setUp(t, 1)
  const { survivors, watched } = scene
  const [alive, ended] = [await logInOften(survivors, 3), await logInOften(survivors, 6)]
  for (const { access_token } of ended) t.equal((await logout(survivors[0], access_token)).status, 204)
  await failOver(t, scene, ended, alive)
  await holds(t, scene, ended, alive)

  const port = await watched.primaryPort()
  const follower = watched.replicas.find((replica) => replica.port !== port)!
  await follower.freeze()
  await new Promise((resolve) => setTimeout(resolve, LEASE_MILLISECONDS))
  const { access_token } = alive[0]!
  for (const each of survivors) isRefused(t, await guarded(each, access_token), 503, 'store_unavailable')
  const ending = await logout(survivors[0], access_token)
  isRefused(t, ending, 503, 'store_unavailable')
  t.ok(ending.milliseconds < BARRIER_MILLISECONDS)
  await follower.thaw()
  t.comment(`ready ${(await untilReady(survivors)).toFixed(0)} ms after the replica is back`)
})
