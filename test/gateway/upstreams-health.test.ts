import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'
import t from 'tap'
import type { Test } from 'tap'
import { createUpstreams } from '../../src/gateway/upstreams.js'
import { authority } from '../support/certificates.js'
import { canned, gateway, get, listen, rawUpstream, until } from '../support/forwarding.js'

type Change = readonly [origin: string, isUp: boolean, reason: string]

function record() {
  const changes: Change[] = []
  return { changes, onHealth: (...change: Change) => void changes.push(change) }
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

function group(t: Test, ...names: readonly string[]) {
  const upstreams = createUpstreams()
  t.teardown(() => upstreams.destroy())
  const upstream = upstreams.get(
    names.map((name) => `http://${name}`),
    1000,
  )
  const targets = Object.fromEntries(upstream.targets.map((target) => [target.host, target]))
  return {
    upstream,
    pick: (...tried: string[]) => upstream.pick(tried.map((name) => targets[name]!))?.host,
    down: (name: string) => targets[name]!.health.unreachable('a test'),
  }
}

t.test('servers take turns: untried ones first, those that are down last', async (t) => {
  const { upstream, pick, down } = group(t, 'a', 'b', 'c')
  t.equal(upstream.name, 'http://a, http://b, http://c')
  t.strictSame([pick(), pick(), pick(), pick()], ['a', 'b', 'c', 'a'])
  t.equal(pick('b'), 'c')
  t.equal(pick('a', 'b', 'c'), undefined)
  down('b')
  const six = Array.from({ length: 6 }, () => pick())
  t.strictSame(six.toSorted(), ['a', 'a', 'a', 'c', 'c', 'c'])
  t.equal(pick('a', 'c'), 'b', 'where no other is left, one that is down')
  down('a')
  down('c')
  t.strictSame([pick(), pick(), pick()].toSorted(), ['a', 'b', 'c'], 'all are down')
})

t.test('a server is tried once, and an origin listed twice is one server', (t) => {
  const { pick, down, upstream } = group(t, 'a', 'a')
  t.equal(upstream.targets.length, 1)
  t.equal(pick(), 'a')
  t.equal(pick('a'), undefined)
  down('a')
  t.equal(pick(), 'a', 'down, but the only one')
  t.throws(() => createUpstreams().get([], 1000), /origin/)
  t.end()
})

t.test('refused: down at once and logged once; up again when it listens', async (t) => {
  const { changes, onHealth } = record()
  const target = await freePort()
  const { port } = await gateway(t, target, { upstreams: { onHealth } })
  await Promise.all([get(port), get(port), get(port, 'POST')])
  const origin = `http://127.0.0.1:${target}`
  t.strictSame(changes, [[origin, false, 'ECONNREFUSED']])
  const connections: net.Socket[] = []
  const server = net.createServer((socket) => void connections.push(socket.resume()))
  await once(server.listen(target, '127.0.0.1'), 'listening')
  t.teardown(() => server.close())
  await until('it is up', () => changes.length === 2)
  t.strictSame(changes[1], [origin, true, 'connected'])
  t.equal(connections.length, 1, 'by one look, no request')
  await until('which is over', () => connections[0]!.destroyed)
})

t.test('an untrusted certificate: down, although TCP connects', async (t) => {
  const { changes, onHealth } = record()
  const { cert, key } = authority('unknown').issue('localhost')
  let looks = 0
  const server = tls.createServer({ cert, key }).on('connection', () => (looks += 1))
  server.on('tlsClientError', () => {})
  const target = await listen(t, server)
  const { port } = await gateway(t, [`https://localhost:${target}`], { upstreams: { onHealth } })
  await get(port)
  await until('it was looked at twice more', () => looks >= 3)
  t.match(changes, [[`https://localhost:${target}`, false, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE']])
})

t.test('three timeouts in a row: down for five seconds, although it accepts connections', async (t) => {
  const { changes, onHealth } = record()
  const hung = await canned(t, '')
  const { port } = await gateway(t, hung.port, { upstreams: { onHealth }, timeouts: { headers: 200 } })
  await Promise.all([get(port), get(port)])
  t.strictSame(changes, [])
  await get(port)
  const begin = performance.now()
  const origin = `http://127.0.0.1:${hung.port}`
  t.strictSame(changes, [[origin, false, 'headers_timeout']])
  await until('it is up', () => changes.length === 2)
  t.ok(performance.now() - begin > 4900)
  t.strictSame(changes[1], [origin, true, 'connected'])
})

t.test('lost requests count as failures, and a response resets the count', async (t) => {
  const { changes, onHealth } = record()
  let answers = false
  const upstream = await rawUpstream(t, (socket) => {
    if (answers) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    else socket.destroy()
  })
  const { port } = await gateway(t, upstream.port, { upstreams: { onHealth } })
  for (const isAnswered of [false, false, true, false, false, true]) {
    answers = isAnswered
    await get(port, 'POST')
  }
  t.strictSame(changes, [])
  answers = false
  for (let n = 0; n < 3; n++) await get(port, 'POST')
  t.match(changes, [[/./, false, /closed|ECONNRESET/]])
})

t.test('after close, nothing is probed or reported', async (t) => {
  const { changes, onHealth } = record()
  const upstreams = createUpstreams({ onHealth })
  let looks = 0
  const target = await listen(
    t,
    net.createServer(() => (looks += 1)),
  )
  const { health } = upstreams.get([`http://127.0.0.1:${target}`], 1000).pick()!
  health.unreachable('a test')
  await upstreams.destroy()
  health.unreachable('a test')
  await new Promise((resolve) => setTimeout(resolve, 1500))
  t.equal(changes.length, 1)
  t.equal(looks, 0)
})
