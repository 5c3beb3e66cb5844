/** `timeouts.drain`: the real process, from SIGTERM to its end. */
import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import net from 'node:net'
import t from 'tap'
import type { Test } from 'tap'
import { call, logIn, serveGateway, soon } from '../support/gateway-process.js'
import type { Overrides } from '../support/gateway-process.js'
import { listen } from '../support/forwarding.js'
import { client, handshake, isHead, switching } from '../support/websocket-handshakes.js'

/** A gateway whose drain doesn't end by itself, before an upstream that answers `/slow` when it is told to. */
async function rig(t: Test, overrides: Overrides = {}) {
  const open: ServerResponse[] = []
  const server = createServer((request, response) => {
    if (request.url === '/slow') open.push(response)
    else response.end('from the upstream')
  })
  server.on('upgrade', (_request, socket) => {
    socket.write(switching())
    socket.pipe(socket)
  })
  const upstream = `http://127.0.0.1:${await listen(t, server)}`
  const gateway = await serveGateway(t, {
    routes: [
      { path: '/guarded', upstream },
      { path: '/', upstream, auth: 'none' },
    ],
    timeouts: { drain: '10m' },
    admin: { host: '127.0.0.1', port: 0 },
    ...overrides,
  })
  const port = Number(new URL(gateway.url).port)
  const isDraining = () =>
    call(gateway.url, 'GET', '/readyz', { headers: { connection: 'close' } }).then(
      ({ status, body }) => status === 503 && body.draining === true,
      () => false,
    )
  const stages = () =>
    gateway
      .records()
      .map(({ event }) => event)
      .filter((event) => ['draining', 'listener_closed', 'stopped'].includes(String(event)))
  return { gateway, port, open, isDraining, stages }
}

const isRefusing = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = net.connect(port, '127.0.0.1')
    socket.once('connect', () => void [socket.destroy(), resolve(false)])
    socket.once('error', () => resolve(true))
  })

t.test(
  'while draining, the gateway is unready, accepts connections, and every response closes its own',
  async (t) => {
    const { gateway, port, open, isDraining, stages } = await rig(t)
    const { access_token: token } = await logIn(gateway.url)
    t.equal((await call(gateway.url, 'GET', '/readyz')).status, 200)
    const before = call(gateway.url, 'GET', '/slow')
    const kept = client(t, port, 'GET /x HTTP/1.1\r\nHost: x\r\n\r\n')
    await kept.got('it was answered', (text) => text.endsWith('from the upstream'))
    t.notMatch(kept.text, /connection: close/i)
    await soon('the upstream has it', () => open[0])

    const stopped = gateway.stop('SIGTERM')
    await soon('it drains', isDraining)
    for (const [method, path, options, status] of [
      ['GET', '/x', {}, 200],
      ['GET', '/guarded', { token }, 200],
      ['GET', '/guarded', {}, 401],
      ['GET', '/readyz', {}, 503],
      ['GET', '/healthz', {}, 200],
      ['GET', '/auth/me', { token }, 200],
      [
        'GET',
        '/auth/verify',
        { token, headers: { 'x-forwarded-uri': '/x', 'x-forwarded-method': 'GET' } },
        200,
      ],
      ['POST', '/auth/nothing', {}, 404],
      ['GET', '/a%2F..%2Fb', {}, 400],
      ['POST', '/auth/logout', { token }, 204],
    ] as const) {
      const answer = await call(gateway.url, method, path, options)
      t.match(answer, { status, headers: { connection: 'close' } }, `${method} ${path}`)
    }
    kept.socket.write('GET /x HTTP/1.1\r\nHost: x\r\n\r\n')
    t.equal(await kept.ended(), 'end')
    t.match(kept.text, /200 OK[^]*200 OK[^]*connection: close/i, 'one that was kept, too')
    open[0]!.end('late')
    t.match(await before, { status: 200, text: 'late', headers: { connection: 'close' } }, 'begun before')
    t.equal((await call(gateway.adminUrl!, 'GET', '/metrics')).status, 200, 'the admin listener stays')
    t.strictSame(stages(), ['draining'])

    // The second signal ends the drain.
    const late = call(gateway.url, 'GET', '/slow')
    await soon('the upstream has it', () => open[1])
    void gateway.stop('SIGTERM')
    await soon('no new connection is taken', () => isRefusing(port))
    t.equal((await call(gateway.adminUrl!, 'GET', '/metrics')).status, 200, 'the admin listener stays')
    open[1]!.end('later')
    t.match(await late, { status: 200, text: 'later' })
    t.equal(await stopped, 0)
    t.strictSame(stages(), ['draining', 'listener_closed', 'stopped'])
  },
)

t.test('a drain ends by itself', async (t) => {
  const { gateway, stages } = await rig(t, { timeouts: { drain: '600ms', shutdown: '10s' } })
  t.equal(await gateway.stop('SIGINT'), 0)
  t.strictSame(stages(), ['draining', 'listener_closed', 'stopped'])
  const closed = gateway.records().find(({ event }) => event === 'listener_closed')
  t.ok(Number(closed!['afterMilliseconds']) >= 600)
})

t.test('WebSockets are accepted while draining, and have timeouts.shutdown afterwards', async (t) => {
  const { gateway, port, isDraining } = await rig(t, { timeouts: { drain: '10m', shutdown: '500ms' } })
  const earlier = client(t, port, handshake())
  await earlier.got('it is open', isHead)
  const stopped = gateway.stop('SIGTERM')
  await soon('it drains', isDraining)
  const later = client(t, port, handshake())
  t.match(await later.got('it is open', isHead), /^HTTP\/1\.1 101 /)
  for (const { socket } of [earlier, later]) socket.write('hello')
  for (const one of [earlier, later]) await one.got('its echo', (text) => text.endsWith('hello'))
  void gateway.stop('SIGTERM')
  t.equal(await stopped, 0)
  await Promise.all([earlier.ended(), later.ended()])
})

t.test('without a drain a second signal ends the process at once', async (t) => {
  const { gateway, port, open } = await rig(t, { timeouts: { shutdown: '10m' } })
  const lost = call(gateway.url, 'GET', '/slow').catch(() => 'lost')
  await soon('the upstream has it', () => open[0])
  const stopped = gateway.stop('SIGTERM')
  await soon('no new connection is taken', () => isRefusing(port))
  void gateway.stop('SIGINT')
  t.equal(await stopped, 1)
  t.equal(await lost, 'lost')
})
