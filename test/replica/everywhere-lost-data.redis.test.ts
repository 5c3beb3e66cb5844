/** "Log out everywhere" after Redis has lost its data, records and index included, while survivors vouch for tokens. */
import t from 'tap'
import type { Test } from 'tap'
import type { Tokens } from '../support/gateway-process.js'
import { call, home, isRefused, logIn, soon, startUpstream } from '../support/gateway-process.js'
import { connect, startRedis } from '../support/redis.js'
import type { OwnRedis } from '../support/redis.js'
import { FAULTS, stateOf } from '../support/lost-data.js'
import { guarded, logout, startInstances, untilReady } from '../support/gateway-instances.js'
import type { Instance } from '../support/gateway-instances.js'

t.jobs = 2
t.setTimeout(120_000)

const everywhere = ({ url }: Instance, { access_token }: Tokens, more: object = {}) =>
  call(url, 'POST', '/auth/logout', { token: access_token, json: { all: true, ...more } })

interface Scene {
  readonly redis: OwnRedis
  readonly instances: readonly Instance[]
  readonly adas: readonly Tokens[]
  readonly bobs: Tokens
}

/** Sessions of two subjects, a Redis that has lost them, and survivors that admit their tokens. */
async function afterLoss(t: Test): Promise<Scene> {
  const [redis, directory, upstream] = await Promise.all([startRedis(t), home(t), startUpstream(t)])
  const routes = [{ path: '/', upstream: upstream.url, onSuccess: 'end-all-sessions' }]
  const settings = { revocation: { onLostHistory: 'heal' }, routes }
  const instances = await startInstances(t, [redis.url, redis.url], settings, directory)
  const adas = [
    await logIn(instances[0]!.url),
    await logIn(instances[1]!.url),
    await logIn(instances[0]!.url),
  ]
  const bobs = await logIn(instances[0]!.url, 'bob')
  const { epoch } = await stateOf(t, redis)
  await FAULTS.find(({ name }) => name === 'FLUSHALL')!.strike(t, redis)
  await soon('a new epoch is settled', async () => {
    const now = await stateOf(t, redis)
    return now.epoch !== epoch && now.settled === '1'
  })
  await untilReady(instances)
  for (const each of instances) {
    for (const { access_token } of [...adas, bobs])
      await soon('survivors vouch', async () => (await guarded(each, access_token)).status === 200)
  }
  t.equal(await connect(t, redis.url).exists('portcullis:subject:ada'), 0, 'the index is lost')
  return { redis, instances, adas, bobs }
}

async function onlyBobIsLeft(t: Test, { instances, adas, bobs }: Scene): Promise<void> {
  for (const each of instances) {
    for (const { access_token } of adas) t.equal((await guarded(each, access_token)).status, 401)
    t.equal((await guarded(each, bobs.access_token)).status, 200, 'another subject’s token')
  }
}

t.test('all: true ends every earlier token of the subject on all instances', async (t) => {
  const scene = await afterLoss(t)
  const [one, two] = scene.instances as [Instance, Instance]
  t.equal((await everywhere(two, scene.adas[0]!)).status, 204)
  await onlyBobIsLeft(t, scene)
  isRefused(t, await guarded(one, scene.adas[0]!.access_token), 401, 'session_ended')
  isRefused(t, await guarded(one, scene.adas[1]!.access_token), 401, 'token_revoked')
  const again = await logIn(one.url)
  // At once: within what the clocks may differ by since the loss.
  t.equal((await guarded(two, again.access_token)).status, 200, 'a login afterwards is good')
  const other = await logIn(one.url)
  t.equal((await everywhere(two, again, { keepCurrent: true })).status, 204)
  t.equal((await guarded(one, again.access_token)).status, 200, 'a session from after the loss can be kept')
  t.equal((await guarded(one, other.access_token)).status, 401)
})

t.test('all but the current session also ends older tokens of the current session', async (t) => {
  const scene = await afterLoss(t)
  t.equal((await everywhere(scene.instances[1]!, scene.adas[0]!, { keepCurrent: true })).status, 204)
  await onlyBobIsLeft(t, scene)
})

t.test('onSuccess: end-all-sessions does the same', async (t) => {
  const scene = await afterLoss(t)
  const { access_token } = scene.adas[0]!
  t.equal((await call(scene.instances[0]!.url, 'GET', '/x', { token: access_token })).status, 200)
  await onlyBobIsLeft(t, scene)
})

t.test(
  'the caller ends its own session by id after its record is lost; another lost session is not found',
  async (t) => {
    const { instances, adas } = await afterLoss(t)
    const [one, two] = instances as [Instance, Instance]
    const [own, other] = adas as [Tokens, Tokens]
    const end = ({ session_id }: Tokens) =>
      call(one.url, 'DELETE', `/auth/sessions/${session_id}`, { token: own.access_token })
    isRefused(t, await end(other), 404, 'not_found')
    t.equal((await guarded(two, other.access_token)).status, 200)
    t.equal((await end(own)).status, 204)
    isRefused(t, await guarded(two, own.access_token), 401, 'session_ended')
  },
)

t.test('in an epoch older than any token, “everywhere” writes no entry for the subject', async (t) => {
  const redis = await startRedis(t)
  const [one] = (await startInstances(t, [redis.url], {})) as [Instance]
  const client = connect(t, redis.url)
  await client.hset('{portcullis}:state', 'born', Date.now() - 3_600_000)
  const [own, other] = [await logIn(one.url), await logIn(one.url)]
  t.equal((await everywhere(one, own, { keepCurrent: true })).status, 204)
  t.equal((await guarded(one, own.access_token)).status, 200)
  isRefused(t, await guarded(one, other.access_token), 401, 'session_ended')
  t.equal(await client.exists('{portcullis}:deny:lost:ada'), 0)
  t.equal((await logout(one, own.access_token)).status, 204)
})
