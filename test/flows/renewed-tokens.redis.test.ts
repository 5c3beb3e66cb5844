/** `tokens.renewUnder` on two instances with one Redis. */
import { setImmediate } from 'node:timers/promises'
import fastify from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import { authenticate, portcullis } from '../../src/index.js'
import { withSecondsLeft } from '../support/aged-token.js'
import { home, sharedSettings, soon } from '../support/gateway-process.js'
import { cleanUp, redisUrl, uniquePrefix } from '../support/redis.js'
import { monitored } from '../support/redis-session-store.js'

const TOKEN = 'x-renewed-access-token'
const ROUNDS = 15

async function openInstances(t: Test) {
  const directory = await home(t)
  const keyPrefix = uniquePrefix()
  cleanUp(t, keyPrefix)
  const open = async () => {
    const app = fastify()
    t.teardown(() => app.close())
    const shared = { ...sharedSettings(directory), store: redisUrl(), keyPrefix }
    await app.register(portcullis, { ...shared, tokens: { renewUnder: '1m' } })
    app.get('/guarded', { onRequest: authenticate }, async (request) => request.auth!.sub)
    await soon('the instance is ready', () => app.portcullis.isReady())
    const get = (token: string) =>
      app.inject({ url: '/guarded', headers: { authorization: `Bearer ${token}` } })
    return { ...app.portcullis, get }
  }
  const instances = [await open(), await open()] as const
  const issueDue = async (sub = 'alice') => {
    const tokens = await instances[0].issue({ sub })
    return { ...tokens, due: await withSecondsLeft(directory, tokens.access_token!, 30) }
  }
  return { instances, issueDue, keyPrefix }
}

t.test('each instance reads the session once for all requests with one token', async (t) => {
  const { instances, issueDue, keyPrefix } = await openInstances(t)
  const { due, session_id: sid, access_token: fresh } = await issueDue()
  const renewed = new Map<number, Set<unknown>>()
  const commands = await monitored(t, redisUrl(), keyPrefix, async () => {
    for (const [i, { get }] of instances.entries()) {
      const parallel = await Promise.all(Array.from({ length: 20 }, () => get(due)))
      const all = [...parallel, await get(due)]
      t.ok(all.every(({ statusCode }) => statusCode === 200))
      renewed.set(i, new Set(all.map(({ headers }) => headers[TOKEN])))
      await get(fresh!)
    }
  })
  const ofSession = commands.filter((args) => args.some((arg) => arg.includes(sid)))
  t.same(
    ofSession.map(([name]) => name),
    ['HMGET', 'HMGET'],
    'one read per instance, and nothing is written',
  )
  for (const tokens of renewed.values()) {
    t.equal(tokens.size, 1)
    for (const token of tokens)
      for (const { get } of instances) t.equal((await get(token as string)).statusCode, 200)
  }
})

for (const everywhere of [false, true]) {
  const kind = everywhere ? 'a logout everywhere' : 'a logout'
  t.test(`${kind} that races sliding renewals on both instances leaves nothing alive`, async (t) => {
    const { instances, issueDue } = await openInstances(t)
    let raced = 0
    for (let round = 0; round < ROUNDS; round += 1) {
      const { due, access_token: accessToken } = await issueDue(`alice-${round}`)
      const given = new Set([due, accessToken!])
      const over = new AbortController()
      const ask = async ({ get }: (typeof instances)[number]) => {
        while (!over.signal.aborted) {
          const { statusCode, headers } = await get(due)
          if (headers[TOKEN] !== undefined) given.add(String(headers[TOKEN]))
          if (statusCode === 401) return
          // Injected requests use no socket, so this loop would keep the event loop from Redis.
          await setImmediate()
        }
      }
      const asking = [ask(instances[1])]
      if (round % 3 === 0) asking.push(ask(instances[0]))
      for (let i = 0; i < round % 5; i += 1) await instances[0].sessions.list('nobody')
      await instances[0].logout({ accessToken: accessToken!, all: everywhere })
      const after = await Promise.all(instances.map(({ get }) => get(due)))
      t.ok(after.every(({ statusCode, headers }) => statusCode === 401 && !(TOKEN in headers)))
      over.abort()
      await Promise.all(asking)
      const statuses = await Promise.all(
        instances.flatMap(({ get }) => [...given].map(async (token) => (await get(token)).statusCode)),
      )
      t.same(new Set(statuses), new Set([401]), `round ${round}: of ${given.size} tokens`)
      if (given.size > 2) raced += 1
    }
    t.ok(raced > 0, `renewals succeeded during ${raced} of the races`)
  })
}
