import http from 'node:http'
import net from 'node:net'
import t from 'tap'
import { createUpstreams } from '../../src/gateway/upstreams.js'
import { bodyOf, gateway, get, listen, raw, rawUpstream, settled, until } from '../support/forwarding.js'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

const heads = (seen: string) => seen.split('\r\n\r\n').length - 1

t.test('consecutive requests share a connection', async (t) => {
  const upstream = await rawUpstream(
    t,
    (socket, seen) => void (seen.endsWith('\r\n\r\n') && socket.write(OK)),
  )
  const { port } = await gateway(t, upstream.port)
  for (let n = 0; n < 20; n++) t.equal(bodyOf((await get(port)).text), 'ok')
  t.equal(upstream.sockets.length, 1)
  t.equal(heads(upstream.seen[0]!), 20)
})

t.test('concurrent requests get connections of their own, without pipelining', async (t) => {
  const upstream = await rawUpstream(t, () => {})
  const { port } = await gateway(t, upstream.port)
  const answers = Array.from({ length: 10 }, () => get(port))
  await until('all are there', () => upstream.seen.filter((seen) => heads(seen) === 1).length === 10)
  for (const socket of upstream.sockets) socket.write(OK)
  for (const { text } of await Promise.all(answers)) t.equal(bodyOf(text), 'ok')
  t.strictSame(
    upstream.seen.map(heads),
    Array.from({ length: 10 }, () => 1),
  )
})

t.test('a kept connection that the upstream has closed is not used', async (t) => {
  for (const end of ['end', 'reset'] as const) {
    const upstream = await rawUpstream(
      t,
      (socket, seen) => void (seen.endsWith('\r\n\r\n') && socket.write(OK)),
    )
    const { port, outcomes } = await gateway(t, upstream.port)
    await get(port, 'POST')
    if (end === 'end') upstream.sockets[0]!.end()
    else upstream.sockets[0]!.resetAndDestroy()
    t.equal(bodyOf((await get(port, 'POST')).text), 'ok', `${end}: even a POST, at the next moment`)
    t.equal(upstream.sockets.length, 2)
    t.equal(outcomes.length, 2)
  }
})

/** Closes each connection when its second request arrives, without an answer. */
const closesOnReuse = (end: 'end' | 'reset') => (socket: net.Socket, seen: string) => {
  if (!seen.includes('\r\n\r\n')) return
  if (seen.endsWith('\r\n\r\n') && heads(seen) === 1) socket.write(OK)
  else if (end === 'end') socket.end()
  else socket.resetAndDestroy()
}

t.test('lost on a kept connection: a safe request is sent once more', async (t) => {
  for (const end of ['end', 'reset'] as const) {
    for (const method of ['GET', 'HEAD', 'OPTIONS']) {
      const upstream = await rawUpstream(t, closesOnReuse(end))
      const { port } = await gateway(t, upstream.port)
      await get(port)
      t.match((await get(port, method)).text, /^HTTP\/1\.1 200 /, `${method} ${end}`)
      t.strictSame(
        upstream.seen.map(heads),
        [2, 1],
        'the second request was on the wire, and again on another',
      )
    }
  }
})

t.test('lost on a kept connection: PUT and DELETE without a body are sent once more', async (t) => {
  for (const end of ['end', 'reset'] as const) {
    for (const request of ['PUT', 'DELETE']) {
      const upstream = await rawUpstream(t, closesOnReuse(end))
      const { port } = await gateway(t, upstream.port)
      await get(port)
      t.match((await get(port, request)).text, /^HTTP\/1\.1 200 /, `${request} ${end}`)
      t.strictSame(upstream.seen.map(heads), [2, 1])
    }
  }
})

t.test('lost on a kept connection: any other request is 502 and was sent once', async (t) => {
  for (const request of [
    'POST / HTTP/1.1\r\n',
    'PATCH / HTTP/1.1\r\n',
    'PURGE / HTTP/1.1\r\n',
    'PUT / HTTP/1.1\r\nContent-Length: 2\r\n',
    'DELETE / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n',
  ]) {
    const upstream = await rawUpstream(t, closesOnReuse('reset'))
    const { port } = await gateway(t, upstream.port)
    await get(port)
    const body = request.includes('chunked') ? '0\r\n\r\n' : request.includes('Length') ? 'ab' : ''
    const { text } = await raw(port, `${request}Host: x\r\nConnection: close\r\n\r\n${body}`)
    t.match(text, /^HTTP\/1\.1 502 /, request)
    t.equal(upstream.seen.length, 1)
  }
})

t.test('lost on a new connection: PUT and DELETE are sent once', async (t) => {
  for (const method of ['PUT', 'DELETE']) {
    const upstream = await rawUpstream(t, (socket) => socket.resetAndDestroy())
    const { port } = await gateway(t, upstream.port)
    t.match((await get(port, method)).text, /^HTTP\/1\.1 502 /)
    t.equal(upstream.sockets.length, 1)
  }
})

t.test('an upstream that always closes gets a GET twice, not more', async (t) => {
  const upstream = await rawUpstream(t, (socket) => socket.resetAndDestroy())
  const { port, outcome } = await gateway(t, upstream.port)
  t.match((await get(port)).text, /^HTTP\/1\.1 502 /)
  t.match(await outcome(), { kind: 'failed', error: 'upstream_unavailable' })
  t.equal(upstream.sockets.length, 2)
})

t.test('data that an upstream sends without a request is nobody’s response', async (t) => {
  const upstream = await rawUpstream(t, (socket, seen, at) => {
    if (!seen.endsWith('\r\n\r\n')) return
    // A second answer, for whoever comes next.
    socket.write(at === 0 ? `${OK}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil` : OK)
  })
  const { port } = await gateway(t, upstream.port)
  t.equal(bodyOf((await get(port)).text), 'ok')
  t.equal(bodyOf((await get(port)).text), 'ok')
  t.equal(upstream.sockets.length, 2, 'the connection was given up')
})

t.test('a client that reads slowly slows the upstream and doesn’t fill memory', async (t) => {
  let written = 0
  let freed = false
  const size = 256 << 20
  const upstream = http.createServer((_request, response) => {
    response.on('close', () => (freed = true))
    response.writeHead(200, { 'content-length': size })
    const piece = Buffer.alloc(1 << 16)
    const more = () => {
      while (written < size) {
        written += piece.length
        if (!response.write(piece)) return
      }
    }
    response.on('drain', more)
    more()
  })
  const { port, outcome } = await gateway(t, await listen(t, upstream))
  const client = net.connect(port, '127.0.0.1')
  client.pause()
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  const stopped = await settled(() => written)
  t.ok(stopped > 0 && stopped < size / 4, `the upstream stopped after ${stopped >> 10} KB`)
  const once = new Promise((resolve) => client.once('data', resolve))
  client.resume()
  await once
  await until('it goes on', () => written > stopped + (32 << 20))
  client.destroy()
  t.strictSame(await outcome(), { kind: 'aborted' }, 'left within the download')
  await until('the upstream is let go', () => freed)
})

t.test('a client that stops reading is disconnected, within a response and at its end', async (t) => {
  for (const size of [64 << 20, 8 << 20]) {
    const upstream = http.createServer((_request, response) => response.end(Buffer.alloc(size)))
    const { port, outcome, server } = await gateway(t, await listen(t, upstream), { limits: { idle: 400 } })
    const client = net.connect(port, '127.0.0.1').on('error', () => {})
    client.pause()
    client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    t.strictSame(await outcome(), { kind: 'aborted' })
    t.equal(await new Promise((resolve) => server.getConnections((_error, count) => resolve(count))), 0)
    client.destroy()
  }
})

t.test('there is one pool per origin and connect timeout', async (t) => {
  const upstreams = createUpstreams()
  const origin = 'http://127.0.0.1:2'
  const one = upstreams.get([origin], 1000).pick()!
  t.equal(upstreams.get(['http://127.0.0.1:1', origin], 1000).targets[1], one)
  const other = upstreams.get([origin], 500).pick()!
  t.not(other.pool, one.pool)
  t.equal(other.health, one.health)
  t.equal(one.host, '127.0.0.1:2')
})
