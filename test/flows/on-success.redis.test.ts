import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import type { Test } from 'tap'
import { call, home, isRefused, logIn, soon, startGateway } from '../support/gateway-process.js'
import { startRedis } from '../support/redis.js'

/** Two instances in front of a legacy application, on a Redis of their own. `meanwhile` runs before it answers 200. */
async function rig(t: Test, meanwhile: () => Promise<void> = async () => {}) {
  const redis = await startRedis(t)
  const legacy = { answered: 0, meanwhile }
  const server = createServer(async (_request, response) => {
    await legacy.meanwhile()
    legacy.answered += 1
    response.end('as you wish')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const upstream = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const routes = [
    { path: '/password', methods: ['POST'], upstream, onSuccess: 'end-other-sessions' },
    { path: '/', upstream },
  ]
  const directory = await home(t)
  const settings = { store: redis.url, routes }
  const [one, two] = [await startGateway(t, settings, directory), await startGateway(t, settings, directory)]
  const isReady = async () => {
    const answers = [one, two].map(({ url }) => call(url, 'GET', '/readyz'))
    return (await Promise.all(answers)).every(({ status }) => status === 200)
  }
  await soon('both are ready', isReady)
  return { redis, legacy, one: one.url, two: two.url, isReady }
}

t.test('when the response arrives, no instance accepts a token of the other sessions', async (t) => {
  const { one, two } = await rig(t)
  for (let round = 0; round < 5; round++) {
    const [own, other] = [await logIn(one), await logIn(two)]
    for (const url of [one, two])
      t.equal((await call(url, 'GET', '/x', { token: other.access_token })).status, 200)
    const answer = await call(one, 'POST', '/password', { token: own.access_token })
    t.match(answer, { status: 200, text: 'as you wish' })
    for (const url of [two, one]) {
      isRefused(t, await call(url, 'GET', '/x', { token: other.access_token }), 401, 'session_ended')
      t.equal((await call(url, 'GET', '/x', { token: own.access_token })).status, 200)
    }
  }
})

t.test('if the sessions can’t be ended, the response is 503 although the upstream said 200', async (t) => {
  const { redis, legacy, one, two, isReady } = await rig(t)
  const [own, other] = [await logIn(one), await logIn(two)]
  legacy.meanwhile = () => redis.freeze()
  const answer = await call(one, 'POST', '/password', { token: own.access_token })
  t.equal(legacy.answered, 1, 'the upstream has answered, with Redis frozen')
  isRefused(t, answer, 503, 'store_unavailable')
  t.notMatch(answer.text, 'as you wish')

  await redis.thaw()
  legacy.meanwhile = async () => {}
  await soon('both are ready again', isReady)
  const again = await call(one, 'POST', '/password', { token: own.access_token })
  t.match(again, { status: 200, text: 'as you wish' }, 'and may be repeated')
  isRefused(t, await call(two, 'GET', '/x', { token: other.access_token }), 401, 'session_ended')
})
