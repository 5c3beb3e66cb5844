/**
 * A database that can't be selected, credentials that are refused, a replica: the connection isn't used until that
 * changes, nothing reaches another database, and the log says so.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import fastify from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import { checkServer } from '../../src/redis/server-checks.js'
import { openRedis } from '../../src/redis/connect.js'
import type { RedisConnection, RedisTuning } from '../../src/redis/connect.js'
import { call, isRefused, serveGateway, soon, USERS } from '../support/gateway-process.js'
import { connect, startRedis } from '../support/redis.js'
import type { OwnRedis } from '../support/redis.js'
import { startFakeSentinel } from '../support/fake-sentinel.js'

/** As the log of revocations is opened: ready without an INFO. */
const LOG: RedisTuning = {
  commandTimeout: 1_000,
  socketTimeout: 500,
  enableReadyCheck: false,
  retryStrategy: () => 125,
}

interface Logged {
  readonly event?: string
  readonly reason?: string
  readonly msg: string
}

async function open(t: Test, url: string, tuning?: RedisTuning) {
  const records: Logged[] = []
  const stream = { write: (line: string) => void records.push(JSON.parse(line) as Logged) }
  const { log } = fastify({ logger: { level: 'info', stream } })
  const connection = await openRedis(url, log, tuning)
  t.teardown(connection.close)
  return { ...connection, records, log }
}

/** A user `gate` that may do everything but what is taken away. */
async function addUser(redis: OwnRedis, t: Test, ...rules: string[]) {
  const admin = connect(t, redis.url)
  await admin.call('ACL', 'SETUSER', 'gate', 'on', '>secret', '~*', '&*', '+@all', ...rules)
  return {
    admin,
    change: (...changes: string[]) => admin.call('ACL', 'SETUSER', 'gate', ...changes),
    cut: () => admin.call('CLIENT', 'KILL', 'USER', 'gate'),
  }
}

const write = ({ client }: RedisConnection) => client.set('key', 'value')

/** Writes again and again, for longer than any pause between attempts to connect. */
async function neverWrites(t: Test, connection: RedisConnection): Promise<void> {
  const outcomes = new Set<string>()
  for (let i = 0; i < 80; i++) {
    outcomes.add(await write(connection).catch((error: Error) => error.message))
    await sleep(10)
  }
  const others = [...outcomes].filter((message) => !/writeable|closed|timed out/.test(message))
  t.strictSame(others, [], 'nothing was sent')
}

t.test('a database out of range is not replaced by database 0', async (t) => {
  const redis = await startRedis(t, { args: ['--databases', '4'] })
  for (const tuning of [undefined, LOG]) {
    const connection = await open(t, `${redis.url}/99`, tuning)
    await neverWrites(t, connection)
    t.notOk(await connection.isReady())
    t.equal(await connect(t, redis.url).dbsize(), 0)
    const refusals = connection.records.filter(({ reason }) => reason?.includes('out of range'))
    t.match(refusals[0], { event: 'store_down', msg: /^store: database 99 cannot be selected/ })
    if (!tuning) t.equal(refusals.length, 1, 'logged once')
  }
})

t.test(
  'a user without SELECT gets no connection until it may, also after a reconnect and with Sentinel',
  async (t) => {
    const redis = await startRedis(t)
    const { admin, change, cut } = await addUser(redis, t, '-select')
    const sentinel = await startFakeSentinel(t, redis.port)
    const urls = [
      `redis://gate:secret@127.0.0.1:${redis.port}/3`,
      `redis+sentinel://gate:secret@127.0.0.1:${sentinel.port}/main/3`,
    ]
    for (const url of urls) {
      await change('-select')
      const connection = await open(t, url)
      await neverWrites(t, connection)
      await change('+select')
      await soon('it is ready', connection.isReady)
      await write(connection)
      t.match(connection.records.at(-1), { event: 'store_up' })

      await change('-select')
      await cut()
      const isLogged = () =>
        connection.records.filter(({ reason }) => reason?.includes('NOPERM')).length === 2
      await soon('the second refusal is logged', isLogged)
      await neverWrites(t, connection)
      t.equal(await admin.dbsize(), 0, 'nothing in database 0')
      await change('+select')
      await soon('it is ready again', connection.isReady)
      const third = connect(t, `${redis.url}/3`)
      t.equal(await third.get('key'), 'value', 'in the database of the URL')
      await third.flushdb()
      connection.close()
    }
  },
)

t.test('refused credentials are logged once, also after a lost connection', async (t) => {
  const redis = await startRedis(t)
  const { change, cut } = await addUser(redis, t)
  const connection = await open(t, `redis://gate:secret@127.0.0.1:${redis.port}`)
  await soon('it is ready', connection.isReady)
  await change('resetpass', '>another')
  await cut()
  const refusals = () => connection.records.filter(({ reason }) => reason?.startsWith('WRONGPASS'))
  await soon('the refusal is logged', () => refusals().length > 0)
  await neverWrites(t, connection)
  t.match(refusals(), [{ event: 'store_down', msg: /^store: Redis refuses the connection: WRONGPASS/ }])
  t.equal(refusals().length, 1)
  await change('>secret')
  await soon('it is ready again', connection.isReady)
  t.notMatch(JSON.stringify(connection.records), 'secret')
})

t.test('a replica is not ready until it is promoted, because it refuses writes', async (t) => {
  const primary = await startRedis(t)
  const replica = await startRedis(t, { args: ['--replicaof', '127.0.0.1', String(primary.port)] })
  const connection = await open(t, replica.url)
  await checkServer(connection.client, connection.log)
  const complaint = connection.records.find(({ msg }) => /^store: .* is a replica/.test(msg))
  t.match(complaint, { event: 'redis_check', role: 'replica' })
  t.notOk(await connection.isReady())
  await connect(t, replica.url).call('REPLICAOF', 'NO', 'ONE')
  await soon('it is ready', connection.isReady)
  t.equal(await write(connection), 'OK')
})

t.test('a gateway without its database is unready, admits nobody and writes nowhere', async (t) => {
  const redis = await startRedis(t)
  for (const check of ['replica', 'redis']) {
    const gateway = await serveGateway(t, { store: `${redis.url}/99`, revocation: { check } })
    t.equal((await call(gateway.url, 'GET', '/readyz')).status, 503)
    const json = { username: 'ada', password: USERS.ada }
    isRefused(t, await call(gateway.url, 'POST', '/auth/login', { json }), 503, 'store_unavailable')
    const refusal = gateway.records().find(({ event }) => event === 'store_down')
    t.match(refusal, { msg: /^store: database 99 cannot be selected/ })
    t.equal(await connect(t, redis.url).dbsize(), 0)
    await gateway.stop()
  }
})
