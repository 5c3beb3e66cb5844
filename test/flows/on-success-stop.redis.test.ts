/** The gateway stops, or can't reach Redis, after the client of an `onSuccess` route has left. */
import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import net from 'node:net'
import t from 'tap'
import type { Test } from 'tap'
import { call, home, isRefused, logIn, serveGateway, soon } from '../support/gateway-process.js'
import type { GatewayProcess, Overrides } from '../support/gateway-process.js'
import { listen } from '../support/forwarding.js'
import { startRedis } from '../support/redis.js'

/** The gateway that stops, another one that stays, and an application that answers when it is told to. */
async function rig(t: Test, overrides: Overrides = {}) {
  const redis = await startRedis(t)
  const open: ServerResponse[] = []
  let closed = 0
  const server = createServer((request, response) => {
    response.once('close', () => (closed += 1))
    request.resume().once('end', () => open.push(response))
  })
  const upstream = `http://127.0.0.1:${await listen(t, server)}`
  const directory = await home(t)
  const settings = {
    store: redis.url,
    routes: [{ path: '/', upstream, onSuccess: 'end-other-sessions' }],
  }
  const stays = await serveGateway(t, settings, directory)
  const stops = await serveGateway(t, { ...settings, ...overrides }, directory)
  for (const { url } of [stays, stops]) {
    await soon('it is ready', async () => (await call(url, 'GET', '/readyz')).status === 200)
  }
  const [own, other] = [await logIn(stays.url), await logIn(stays.url)]
  const me = () => call(stays.url, 'GET', '/auth/me', { token: other.access_token })
  const socket = net.connect(Number(new URL(stops.url).port), '127.0.0.1')
  socket.on('error', () => {})
  socket.write(
    `POST /password HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${own.access_token}\r\nContent-Length: 3\r\n\r\nnew`,
  )
  await soon('the upstream has all of it', () => open[0])
  socket.destroy()
  return { redis, stops, me, own, other, response: open[0]!, closed: () => closed }
}

const isRefusing = ({ url }: GatewayProcess) =>
  call(url, 'GET', '/healthz', { headers: { connection: 'close' } }).then(
    () => false,
    () => true,
  )
const failures = ({ records }: GatewayProcess) =>
  records().filter(({ event }) => event === 'on_success_failed')

for (const [what, overrides] of [
  ['one process', {}],
  ['workers', { workers: 2 }],
] as const) {
  t.test(`${what}: a stop waits for the upstream’s head, and the other sessions end`, async (t) => {
    const { stops, me, response } = await rig(t, overrides)
    const stopped = stops.stop('SIGTERM')
    await soon('it takes no new connection', () => isRefusing(stops))
    await new Promise((resolve) => setTimeout(resolve, 500))
    t.notOk(response.destroyed, 'the upstream may still answer')
    t.equal((await me()).status, 200)
    response.end('changed')
    t.equal(await stopped, 0)
    isRefused(t, await me(), 401, 'session_ended')
    t.strictSame(failures(stops), [])
  })
}

t.test(
  'a stop waits no longer than timeouts.shutdown, and logs whose sessions may still be active',
  async (t) => {
    const { stops, me, own, closed } = await rig(t, { timeouts: { shutdown: '300ms' } })
    t.equal(await stops.stop('SIGTERM'), 0)
    await soon('the upstream is let go', () => closed() === 1)
    const logged = { level: 40, sub: 'ada', sid: own.session_id, error: 'upstream_unavailable' }
    t.match(failures(stops), [logged])
    t.equal((await me()).status, 200)
  },
)

t.test('Redis is away when the upstream responds: logged, because nobody gets the 503', async (t) => {
  const { redis, stops, own, response } = await rig(t)
  await redis.freeze()
  response.end('changed')
  const logged = await soon('it is logged', () => failures(stops)[0])
  t.match(logged, { level: 40, sub: 'ada', sid: own.session_id, error: 'store_unavailable' })
  t.notMatch(JSON.stringify(logged), own.access_token)
})
