/**
 * The denylist can't be written for a while, after records can: an end fails between its two steps. A later end of all
 * sessions of the subject, by any way in, ends that session, too.
 */
import { join } from 'node:path'
import fastify from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import portcullis from '../../plugins/portcullis.js'
import type { Tokens } from '../support/gateway-process.js'
import { USERS, call, home, isRefused, logIn, startUpstream } from '../support/gateway-process.js'
import { connect, startRedis } from '../support/redis.js'
import type { OwnRedis } from '../support/redis.js'
import { guarded, logout, startInstances, untilReady } from '../support/gateway-instances.js'
import type { Instance } from '../support/gateway-instances.js'
import { LOG } from '../support/lost-data.js'

t.jobs = 2
t.setTimeout(120_000)

const FAULTS = {
  'an ACL without +xadd': {
    begin: ['acl', 'setuser', 'default', '-xadd'],
    end: ['acl', 'setuser', 'default', '+xadd'],
  },
} as const

interface Scene {
  readonly redis: OwnRedis
  readonly directory: string
  readonly instances: readonly Instance[]
}

async function setUp(t: Test): Promise<Scene> {
  const [redis, directory, upstream] = await Promise.all([startRedis(t), home(t), startUpstream(t)])
  const routes = [
    { path: '/all', methods: ['POST'], upstream: upstream.url, onSuccess: 'end-all-sessions' },
    { path: '/others', methods: ['POST'], upstream: upstream.url, onSuccess: 'end-other-sessions' },
  ]
  const instances = await startInstances(
    t,
    [redis.url, redis.url],
    { routes, sessions: { perSubject: 3 } },
    directory,
  )
  return { redis, directory, instances }
}

const endAll = ({ url }: Instance, token: string, json: object = { all: true }) =>
  call(url, 'POST', '/auth/logout', { token, json })

/** Ends the first of two sessions while the fault lasts, by `end`; the fault is over when it returns. */
async function endHalfWay(
  t: Test,
  { redis, instances }: Scene,
  name: keyof typeof FAULTS,
  end: (one: Instance, half: Tokens, second: Tokens) => Promise<{ status: number }>,
): Promise<{ half: Tokens; second: Tokens }> {
  const [one, two] = instances as [Instance, Instance]
  const [half, second] = [await logIn(one.url), await logIn(two.url)]
  const client = connect(t, redis.url)
  const { begin, end: undo } = FAULTS[name]
  await client.call(begin[0], ...begin.slice(1))
  t.equal((await end(one, half, second)).status, 503)
  await client.call(undo[0], ...undo.slice(1))
  t.equal(await client.hget(`portcullis:session:${half.session_id}`, 'ended'), 'logout', 'the first step')
  const log = JSON.stringify(await client.xrange(LOG, '-', '+'))
  t.notOk(log.includes(half.session_id), 'and not the second')
  await untilReady(instances)
  t.equal((await guarded(one, half.access_token)).status, 200, 'its token is alive')
  return { half, second }
}

async function areDead(t: Test, { instances }: Scene, ...dead: Tokens[]): Promise<void> {
  for (const { access_token } of dead)
    for (const each of instances) isRefused(t, await guarded(each, access_token), 401, 'session_ended')
}

const byLogout = (one: Instance, { access_token }: Tokens) => logout(one, access_token)
const byId = (one: Instance, { session_id }: Tokens, { access_token }: Tokens) =>
  call(one.url, 'DELETE', `/auth/sessions/${session_id}`, { token: access_token })

for (const fault of Object.keys(FAULTS) as (keyof typeof FAULTS)[]) {
  t.test(fault, async (t) => {
    const scene = await setUp(t)
    const [one, two] = scene.instances as [Instance, Instance]

    t.test('after a failed logout, all: true by another session ends it', async (t) => {
      const { half, second } = await endHalfWay(t, scene, fault, byLogout)
      t.equal((await endAll(two, second.access_token)).status, 204)
      await areDead(t, scene, half, second)
    })

    t.test('after a failed DELETE of a session, all but the current ends it', async (t) => {
      const { half, second } = await endHalfWay(t, scene, fault, byId)
      t.equal((await endAll(two, second.access_token, { all: true, keepCurrent: true })).status, 204)
      await areDead(t, scene, half)
      t.equal((await endAll(two, second.access_token)).status, 204)
    })

    for (const path of ['/all', '/others']) {
      t.test(`after a failed logout, onSuccess of ${path} ends it`, async (t) => {
        const { half, second } = await endHalfWay(t, scene, fault, byLogout)
        t.equal((await call(two.url, 'POST', path, { token: second.access_token })).status, 200)
        await areDead(t, scene, half)
        t.equal((await guarded(one, second.access_token)).status, path === '/all' ? 401 : 200)
      })
    }

    t.test('after a failed logout, sessions.endAll of the plugin ends it', async (t) => {
      const { half, second } = await endHalfWay(t, scene, fault, byLogout)
      const app = fastify()
      t.teardown(() => app.close())
      await app.register(portcullis, {
        issuer: 'https://issuer.example',
        audience: 'https://api.example',
        keys: { dir: join(scene.directory, 'plugin-keys') },
        store: scene.redis.url,
      })
      await app.ready()
      await app.portcullis.sessions.endAll('ada')
      await areDead(t, scene, half, second)
    })

    t.test('after a failed logout, a login that must evict ends it', async (t) => {
      const { half, second } = await endHalfWay(t, scene, fault, byLogout)
      const json = { username: 'ada', password: USERS.ada }
      for (let i = 0; i < 2; i += 1)
        t.equal((await call(two.url, 'POST', '/auth/login', { json })).status, 200)
      await areDead(t, scene, half)
      t.equal((await guarded(one, second.access_token)).status, 200)
    })

    t.test('after “everywhere” failed, its retry with the same token ends all', async (t) => {
      const { half, second } = await endHalfWay(t, scene, fault, (first, mine) =>
        endAll(first, mine.access_token),
      )
      t.equal((await endAll(one, half.access_token)).status, 204)
      await areDead(t, scene, half, second)
    })
  })
}
