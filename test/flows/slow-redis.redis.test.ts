/** A Redis whose answers come late, or never, or are lost: by a TCP proxy between it and the gateways. */
import { once } from 'node:events'
import net from 'node:net'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import type { Test } from 'tap'
import type { Answer, Tokens } from '../support/gateway-process.js'
import {
  USERS,
  call,
  home,
  isRefused,
  logIn,
  soon,
  startGateway,
  startUpstream,
} from '../support/gateway-process.js'
import { connect, startRedis } from '../support/redis.js'

const BOUND_MILLISECONDS = 2_000

interface SlowRedis {
  readonly url: string
  /** How late each reply is. */
  delayMilliseconds: number
  /** Replies are read and forgotten. */
  swallows: boolean
  /** With the first reply to a script whose key has this in it, the connection is cut instead: done, but not told. */
  cutsAfter: string | undefined
  /** How many replies were late, lost or cut. */
  harmed: number
}

async function slowRedis(t: Test): Promise<SlowRedis> {
  const redis = await startRedis(t)
  const state: SlowRedis = { url: '', delayMilliseconds: 0, swallows: false, cutsAfter: undefined, harmed: 0 }
  const sockets = new Set<net.Socket>()
  const server = net.createServer((client) => {
    const upstream = net.connect(redis.port, '127.0.0.1')
    let isDoomed = false
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.once('close', () => (sockets.delete(socket), other.destroy()))
    }
    client.on('data', (bytes) => {
      const isScript = /\r\neval(?:sha)?\r\n/.test(bytes.toString('latin1'))
      if (state.cutsAfter !== undefined && isScript && bytes.includes(state.cutsAfter)) isDoomed = true
      upstream.write(bytes)
    })
    upstream.on('data', (bytes) => {
      if (state.swallows || isDoomed || state.delayMilliseconds > 0) state.harmed++
      if (isDoomed) {
        state.cutsAfter = undefined
        client.destroy()
      } else if (!state.swallows) {
        setTimeout(() => client.writable && client.write(bytes), state.delayMilliseconds)
      }
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return Object.assign(state, { url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}` })
}

async function rig(t: Test) {
  const redis = await slowRedis(t)
  const upstream = await startUpstream(t)
  const directory = await home(t)
  const settings = {
    store: redis.url,
    revocation: { check: 'redis' },
    rateLimit: {
      refresh: { perAddress: { max: 10_000 } },
      login: { perAccount: { failures: 1_000 }, perAddress: { failures: 1_000 } },
    },
    routes: [{ path: '/', upstream: upstream.url }],
  }
  const [one, two] = [await startGateway(t, settings, directory), await startGateway(t, settings, directory)]
  // Both: each has connections of its own to come back to.
  const isReady = async () => {
    const answers = [one, two].map(({ url }) => call(url, 'GET', '/readyz'))
    return (await Promise.all(answers)).every(({ status }) => status === 200)
  }
  return { redis, here: one.url, there: two.url, isReady }
}

const isAlive = async (base: string, token: string) =>
  (await call(base, 'GET', '/guarded', { token })).status === 200

/** Each way in, by all of the sessions at once; gives what was answered. */
async function storm(t: Test, here: string, there: string, sessions: readonly Tokens[]) {
  const wrong = { json: { username: 'ada', password: 'wrong' } }
  const right = { json: { username: 'ada', password: USERS.ada } }
  const ways: Record<string, (base: string, session: Tokens) => Promise<Answer>> = {
    login: (base) => call(base, 'POST', '/auth/login', right),
    'wrong password': (base) => call(base, 'POST', '/auth/login', wrong),
    refresh: (base, { refresh_token }) => call(base, 'POST', '/auth/refresh', { json: { refresh_token } }),
    guarded: (base, { access_token: token }) => call(base, 'GET', '/guarded', { token }),
    sessions: (base, { access_token: token }) => call(base, 'GET', '/auth/sessions', { token }),
    ready: (base) => call(base, 'GET', '/readyz'),
    logout: (base, { access_token: token }) => call(base, 'POST', '/auth/logout', { token }),
  }
  const late: Record<string, number> = {}
  const seen: Record<string, Record<number, number>> = {}
  const ended: Tokens[] = []
  const note = (what: string, session: Tokens, { status, milliseconds }: Answer) => {
    if (milliseconds >= BOUND_MILLISECONDS) late[what] = Math.max(late[what] ?? 0, Math.round(milliseconds))
    const counts = (seen[what] ??= {})
    counts[status] = (counts[status] ?? 0) + 1
    if (what === 'logout' && status === 204) ended.push(session)
  }
  for (const [what, way] of Object.entries(ways)) {
    const crowd = sessions.map(async (session, i) =>
      note(what, session, await way(i % 2 ? here : there, session)),
    )
    await Promise.all(crowd)
  }
  t.strictSame(late, {}, 'every answer came within 2 s')
  t.comment(JSON.stringify(seen))
  return { seen, ended }
}

const MANY = 20

t.test('every reply 100 ms late: everything still works', async (t) => {
  const { redis, here, there } = await rig(t)
  redis.delayMilliseconds = 100
  const { access_token: token, refresh_token } = await logIn(here)
  t.ok(redis.harmed > 0, 'the fault took place')
  t.ok(await isAlive(there, token))
  t.equal((await call(there, 'POST', '/auth/refresh', { json: { refresh_token } })).status, 200)
  t.equal((await call(here, 'GET', '/auth/sessions', { token })).body.sessions.length, 1)
  const logout = await call(here, 'POST', '/auth/logout', { token })
  t.equal(logout.status, 204)
  t.ok(logout.milliseconds >= 200, 'it waits for both, the record and the denylist entry')
  t.notOk((await isAlive(here, token)) || (await isAlive(there, token)))
})

t.test('every reply 350 ms late: all respond in time, and an acknowledged logout holds', async (t) => {
  const { redis, here, there, isReady } = await rig(t)
  const sessions = await Promise.all(Array.from({ length: MANY }, () => logIn(here)))
  redis.delayMilliseconds = 350
  const begin = performance.now()
  await connect(t, redis.url).ping()
  t.ok(performance.now() - begin >= 350, 'the fault took place')
  const { ended } = await storm(t, here, there, sessions)
  redis.delayMilliseconds = 0
  await soon('it is ready again', isReady, 5_000)
  for (const { access_token: token } of ended) {
    t.notOk((await isAlive(here, token)) || (await isAlive(there, token)), 'dead on both')
  }
})

t.test('no replies: 503 in time, nothing claimed, and recovery by itself', async (t) => {
  const { redis, here, there, isReady } = await rig(t)
  const sessions = await Promise.all(Array.from({ length: MANY }, () => logIn(here)))
  redis.swallows = true
  await t.rejects(connect(t, redis.url, { commandTimeout: 200 }).ping(), 'the fault took place')
  const { seen } = await storm(t, here, there, sessions)
  for (const [what, statuses] of Object.entries(seen)) {
    t.strictSame(statuses, what === 'wrong password' ? { 401: MANY } : { 503: MANY }, what)
  }
  redis.swallows = false
  await soon('it is ready again', isReady, 5_000)
  const [{ access_token: token }] = sessions as [Tokens]
  t.equal((await call(there, 'POST', '/auth/logout', { token })).status, 204, 'repeated, the logout succeeds')
  t.notOk((await isAlive(here, token)) || (await isAlive(there, token)))
})

t.test('a rotation with a lost response can be retried with the same token on any instance', async (t) => {
  const { redis, here, there, isReady } = await rig(t)
  for (const retryAt of [here, there]) {
    const { refresh_token, session_id } = await logIn(here)
    const before = redis.harmed
    redis.cutsAfter = `:session:${session_id}`
    const json = { refresh_token }
    isRefused(t, await call(here, 'POST', '/auth/refresh', { json }), 503, 'store_unavailable')
    t.ok(redis.harmed > before, 'the reply was lost')
    await soon('it is ready again', isReady, 5_000)
    const count = await connect(t, redis.url).hget(`portcullis:session:${session_id}`, 'count')
    t.equal(count, '1', 'and the rotation had taken place')
    const retried = await call(retryAt, 'POST', '/auth/refresh', { json })
    t.equal(retried.status, 200)
    const next = { json: { refresh_token: retried.body.refresh_token as string } }
    t.equal((await call(there, 'POST', '/auth/refresh', next)).status, 200, 'the successor is good')
  }
})

t.test('a logout with a lost response is 503, and its retry holds', async (t) => {
  const { redis, here, there, isReady } = await rig(t)
  for (const key of [':session:', ':deny:sid:']) {
    const { access_token: token, session_id } = await logIn(here)
    redis.cutsAfter = `${key}${session_id}`
    isRefused(t, await call(here, 'POST', '/auth/logout', { token }), 503, 'store_unavailable', key)
    t.equal(redis.cutsAfter, undefined, 'the reply was lost')
    await soon('it is ready again', isReady, 5_000)
    t.equal((await call(there, 'POST', '/auth/logout', { token })).status, 204)
    t.notOk((await isAlive(here, token)) || (await isAlive(there, token)))
  }
})
