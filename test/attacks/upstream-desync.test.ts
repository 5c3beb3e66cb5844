/**
 * Upstreams that send a response at the wrong time: before the request, again, or as the body of a response that has
 * none. A client that reuses the connection gives it to the next user.
 */
import net from 'node:net'
import { PassThrough } from 'node:stream'
import t from 'tap'
import type { Test } from 'tap'
import { createUpstreams } from '../../src/gateway/upstreams.js'
import { ask, bodyOf, gateway, get, listen, raw, rawUpstream, until } from '../support/forwarding.js'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const EVIL = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'

/** The pool of an upstream that is given each connection's bytes as they arrive. */
async function startPool(t: Test, onData: (socket: net.Socket, seen: string, connection: number) => void) {
  const upstream = await rawUpstream(t, onData)
  const upstreams = createUpstreams()
  t.teardown(() => upstreams.destroy())
  const { pool } = upstreams.get([`http://127.0.0.1:${upstream.port}`], 1000).pick()!
  return { ...upstream, pool }
}

for (const [method, head] of [
  ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 45\r\n\r\n'],
  ['HEAD', 'HTTP/1.1 200 OK\r\n\r\n'],
  ['GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
  ['POST', 'HTTP/1.1 204 No Content\r\n\r\n'],
  ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 45\r\n\r\n'],
  ['GET', 'HTTP/1.1 304 Not Modified\r\n\r\n'],
] as const) {
  t.test(`the late body of ${JSON.stringify(`${method} ${head}`)} is not the next response`, async (t) => {
    let sendBody = () => {}
    const { port, sockets, seen } = await rawUpstream(t, (socket, received, at) => {
      if (!received.endsWith('\r\n\r\n')) return
      if (at === 0 && received.split('\r\n\r\n').length === 2) {
        socket.write(head)
        sendBody = () => void socket.write(EVIL)
      } else {
        // The upstream sends the late body when the next request has arrived.
        if (at === 0) sendBody()
        else socket.write(OK)
      }
    })
    const { port: gatewayPort } = await gateway(t, port)
    t.match((await get(gatewayPort, method)).text, /^HTTP\/1\.1 (200|204|304) /)
    const { text } = await get(gatewayPort)
    t.equal(bodyOf(text), 'ok')
    t.equal(sockets.length, 2, 'the next request has a connection of its own')
    if (method === 'HEAD')
      t.match(seen[0], /\r\nconnection: close\r\n/, 'the upstream expects no other request')
  })
}

t.test(
  'a response that arrives before the first byte of an upload was sent is no response to it',
  async (t) => {
    const { pool, sockets, seen } = await startPool(t, (socket, received) => {
      if (received.endsWith('\r\n\r\n') || received.endsWith('body')) socket.write(OK)
    })
    t.equal(await ask(pool), '200 ok')
    const body = new PassThrough()
    const framing = { kind: 'sized', bytes: 4 } as const
    const response = ask(pool, { method: 'POST', framing, body })
    // The pool has had time to assign a connection.
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    sockets[0]!.write(EVIL)
    await until('the connection is closed', () => sockets[0]!.destroyed)
    t.notMatch(seen.join(''), 'POST', 'no byte of the upload was sent before that')
    body.end('body')
    t.not(await response, '200 evil')
  },
)

t.test('a response that arrives on a new connection is no response to the first request', async (t) => {
  const server = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.write(EVIL)
  })
  const origin = `http://127.0.0.1:${await listen(t, server)}`
  const upstreams = createUpstreams()
  t.teardown(() => upstreams.destroy())
  const { pool } = upstreams.get([origin], 1000).pick()!
  t.not(await ask(pool, { method: 'POST' }), '200 evil')
})

t.test(
  'the second of two responses is not the response to a request that is sent in the same turn',
  async (t) => {
    const { pool, sockets } = await startPool(t, (socket) => {
      socket.setNoDelay(true).write(OK)
      socket.write(EVIL)
    })
    for (let n = 0; n < 50; n += 1) t.equal(await ask(pool, { method: 'POST' }), '200 ok')
    t.equal(sockets.length, 50)
  },
)

t.test('the body of a GET is not the next request to an upstream that ignores it', async (t) => {
  const heads: string[] = []
  const { port } = await rawUpstream(t, (socket, seen) => {
    // Reads no body, so the body is the next request.
    const [head = '', next = ''] = seen.split('\r\n\r\n')
    if (socket.writableEnded || !seen.includes('\r\n\r\n')) return
    heads.push(head)
    socket.write(OK)
    if (head.includes('\r\nconnection: close')) return void socket.end()
    if (!next.includes('GET /smuggled')) return
    heads.push(next)
    socket.write(EVIL)
  })
  const { port: gatewayPort } = await gateway(t, port)
  const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'
  for (const method of ['GET', 'DELETE', 'OPTIONS']) {
    for (const body of [
      `Content-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
      `Transfer-Encoding: chunked\r\n\r\n${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`,
    ]) {
      const { text } = await raw(
        gatewayPort,
        `${method} / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${body}`,
      )
      t.equal(bodyOf(text), 'ok', method)
      t.equal(bodyOf((await get(gatewayPort)).text), 'ok')
    }
  }
  t.notMatch(heads.join('\n'), '/smuggled', 'the upstream has executed nothing that was not admitted')
})

t.test('a stray line end between two responses is dropped, and no more than one', async (t) => {
  for (const [pieces, connections] of [
    [[`${OK}\r\n`], 1],
    [[OK, '\r\n'], 1],
    [[OK, '\r', '\n'], 1],
    [[`${OK}\r`, '\n'], 1],
    [[`${OK}\n`], 3],
    [[`${OK}\r\n\r\n`], 3],
    [[OK, '\r\n', '\r\n'], 3],
    [[`${OK}\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`], 3],
  ] as const) {
    const { pool, sockets } = await startPool(t, (socket) => {
      const [first, ...more] = pieces
      socket.setNoDelay(true).write(first)
      more.forEach((piece, at) => setTimeout(() => socket.write(piece), 20 * (at + 1)))
    })
    for (let n = 0; n < 3; n += 1) {
      t.equal(await ask(pool), '200 ok', JSON.stringify(pieces))
      await new Promise((resolve) => setTimeout(resolve, 20 * pieces.length + 20))
    }
    t.equal(sockets.length, connections, JSON.stringify(pieces))
  }
})
