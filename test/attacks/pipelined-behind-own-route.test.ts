/**
 * A request behind one of our own, sent ahead on one connection. Forwarded at once, its answer would stand in line
 * behind the other's, and of such a one Node tells neither that its client has gone, nor that it takes nothing: each
 * would hold an upstream connection for good.
 */
import net from 'node:net'
import t from 'tap'
import type { Test } from 'tap'
import { answers, gatewayFor, startLegacyApi } from '../support/legacy-login-api.js'
import type { Behaviour } from '../support/legacy-login-api.js'
import { rawUpstream, until } from '../support/forwarding.js'
import { call } from '../support/gateway-process.js'
import { head } from '../support/wire.js'

const LOGIN = '{"username":"ada","password":"right"}'
const OF_ADA = { data: { user: { id: 'ada', role: 'user' }, scope: 'read' } }
const AHEAD =
  head(
    'POST /auth/login HTTP/1.1',
    'Host: x',
    'Content-Type: application/json',
    `Content-Length: ${LOGIN.length}`,
  ) +
  LOGIN +
  head('GET /big HTTP/1.1', 'Host: x')
const HINT = 'HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n'

/** Logins wait until they are let go. `connections`: to the upstream. */
async function rig(t: Test, connections: number) {
  const held: (() => void)[] = []
  const hold: Behaviour = (...given) => void held.push(() => answers(200, OF_ADA)(...given))
  const legacy = await startLegacyApi(t, hold)
  const upstream = await rawUpstream(t, (socket, seen) => {
    const isBig = seen.slice(seen.lastIndexOf('GET')).startsWith('GET /big')
    const body = isBig ? 'a'.repeat(4_000_000) : 'ok'
    socket.write(`${isBig ? HINT : ''}HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  })
  const routes = [{ path: '/', upstream: `http://127.0.0.1:${upstream.port}`, auth: 'none' }]
  const { url } = await gatewayFor(t, legacy, {}, { routes, upstreams: { connections } })
  const connect = () => {
    const socket = net.connect(Number(new URL(url).port), '127.0.0.1')
    t.teardown(() => socket.destroy())
    const client = { socket, text: '' }
    socket.on('error', () => {}).on('data', (chunk) => (client.text += chunk.toString('latin1')))
    return client
  }
  return { url, held, upstream, connect }
}

t.test('clients that disconnect before their response hold no upstream connection', async (t) => {
  const { url, held, upstream, connect } = await rig(t, 2)
  for (let n = 1; n <= 6; n += 1) {
    const { socket } = connect()
    socket.write(AHEAD)
    await until('the login is under way', () => held.length === n)
    socket.resetAndDestroy()
  }
  for (const release of held) release()
  t.match(await call(url, 'GET', '/small'), { status: 200, text: 'ok' })
  t.notMatch(upstream.seen.join(''), '/big')
})

t.test('nor does a client that disconnects later', async (t) => {
  const { url, held, upstream, connect } = await rig(t, 1)
  const client = connect()
  client.socket.pause().write(AHEAD)
  await until('the login is under way', () => held.length === 1)
  held[0]!()
  await until('the other is', () => upstream.seen.join('').includes('/big'))
  client.socket.resetAndDestroy()
  t.match(await call(url, 'GET', '/small'), { status: 200, text: 'ok' })
})

t.test('answered in order, interim responses included', async (t) => {
  const { held, upstream, connect } = await rig(t, 1)
  const client = connect()
  client.socket.write(AHEAD)
  await until('the login is under way', () => held.length === 1)
  await new Promise((resolve) => setTimeout(resolve, 50))
  t.strictSame(upstream.seen, [], 'nothing is forwarded yet')
  held[0]!()
  await until('all has come', () => client.text.length > 4_000_000)
  t.match(
    client.text,
    /^HTTP\/1\.1 200 OK\r\n[^]*"access_token"[^]*\}HTTP\/1\.1 103 Early Hints\r\n[^]*HTTP\/1\.1 200 OK/,
  )
})
