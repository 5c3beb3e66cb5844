import net from 'node:net'
import { Readable } from 'node:stream'
import t from 'tap'
import type { Test } from 'tap'
import type { UpstreamConnection } from '../../src/gateway/http1-client/upstream-connection.js'
import { UpstreamError } from '../../src/gateway/http1-client/upstream-error.js'
import { UpstreamPool } from '../../src/gateway/http1-client/upstream-pool.js'
import type { Connect } from '../../src/gateway/http1-client/upstream-pool.js'
import { createUpstreams } from '../../src/gateway/upstreams.js'
import type { UpstreamOptions } from '../../src/gateway/upstreams.js'
import { ask, rawUpstream, until } from '../support/forwarding.js'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

/** The pool of a server that is given each connection's bytes as they come. */
async function poolOf(
  t: Test,
  onData: (socket: net.Socket, seen: string, at: number) => void,
  options?: UpstreamOptions,
) {
  const upstream = await rawUpstream(t, onData)
  const upstreams = createUpstreams(options)
  t.teardown(() => upstreams.destroy())
  const { pool } = upstreams.get([`http://127.0.0.1:${upstream.port}`], 1000).pick()!
  return { ...upstream, pool, upstreams }
}

const answering = (answer: string) => (socket: net.Socket, seen: string) => {
  if (seen.endsWith('\r\n\r\n')) socket.write(Buffer.from(answer, 'latin1'))
}

t.test('a connection is kept after every response with a known end', async (t) => {
  for (const [method, answer] of [
    ['GET', OK],
    ['GET', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
    ['GET', 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok'],
    ['GET', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['GET', `HTTP/1.1 103 Early Hints\r\n\r\n${OK}`],
    ['GET', `${OK}\r\n`],
  ] as const) {
    const { pool, sockets } = await poolOf(t, answering(answer))
    for (let n = 0; n < 3; n++) t.match(await ask(pool, { method }), /^200 (?:ok)?$/, answer)
    t.equal(sockets.length, 1, answer)
  }
})

t.test('and after no other response', async (t) => {
  for (const answer of [
    'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok',
    'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok',
    'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok',
    `${OK}\r\n\r\n`,
    'HTTP/1.1 204 No Content\r\n\r\n',
    'HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n',
    'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n',
  ]) {
    const { pool, sockets } = await poolOf(t, answering(answer))
    for (let n = 1; n <= 2; n++) {
      t.match(await ask(pool), /^20[04] (?:ok)?$/)
      t.equal(sockets.length, n, answer)
      await until('it is closed', () => sockets.every(({ destroyed }) => destroyed))
    }
    await until('none is left', () => pool.size === 0)
  }
})

t.test('the number of connections is limited, and waiting requests are served in order', async (t) => {
  const waiting: net.Socket[] = []
  const { pool, sockets } = await poolOf(t, (socket) => void waiting.push(socket), { connections: 2 })
  const order: number[] = []
  const answers = Array.from({ length: 6 }, async (_, at) => {
    const answer = await ask(pool)
    order.push(at)
    return answer
  })
  for (let left = 6; left > 0; left--) {
    await until('one is asked', () => waiting.length > 0)
    waiting.shift()!.write(OK)
  }
  t.strictSame(new Set(await Promise.all(answers)), new Set(['200 ok']))
  t.strictSame(order, [0, 1, 2, 3, 4, 5])
  t.equal(sockets.length, 2)
})

t.test('an idle connection is closed after four seconds, or sooner if the server says so', async (t) => {
  for (const [header, before, after] of [
    ['', 3_000, 4_000],
    ['Keep-Alive: timeout=60\r\n', 3_000, 4_000],
    ['Keep-Alive: max=9, timeout=3\r\n', 1_000, 2_000],
  ] as const) {
    const { pool, sockets } = await poolOf(t, answering(OK.replace('Content', `${header}Content`)))
    let shift = 0
    const real = performance.now.bind(performance)
    performance.now = () => real() + shift
    t.equal(await ask(pool), '200 ok')
    shift = before
    t.equal(await ask(pool), '200 ok')
    shift += before
    await new Promise((resolve) => setTimeout(resolve, 350))
    t.equal(pool.size, 1, 'kept')
    shift += after - before
    await until('it is closed', () => pool.size === 0)
    await until('the server hears of it', () => sockets[0]!.destroyed)
    t.equal(sockets.length, 1)
    performance.now = real
  }
})

t.test('attack: a line break in a value would be another header, or another request', async (t) => {
  const { pool, sockets } = await poolOf(t, answering(OK))
  for (const bad of ['\r\nX-Evil: 1', '\nX-Evil: 1', '\r', '\0']) {
    t.equal(await ask(pool, { target: `/${bad}` }), 'line_break')
    t.equal(await ask(pool, { host: `x${bad}` }), 'line_break')
    t.equal(await ask(pool, { headers: ['X-A', `1${bad}`] }), 'line_break')
  }
  t.equal(sockets.length, 0)
})

t.test('a request that has waited too long fails, and the rest continue', async (t) => {
  const { pool, sockets } = await poolOf(t, () => {}, { connections: 1 })
  const first = ask(pool)
  await until('the first is sent', () => sockets.length === 1)
  t.equal(await ask(pool, { timeouts: { headers: 300, body: 0 } }), 'in_line')
  sockets[0]!.write(OK)
  t.equal(await first, '200 ok')
})

t.test('destroy fails everything in progress, queued or added later', async (t) => {
  const { pool, sockets, upstreams } = await poolOf(t, () => {}, { connections: 1 })
  const answers = [ask(pool), ask(pool)]
  await until('the first is sent', () => sockets.length === 1)
  await upstreams.destroy()
  t.strictSame(await Promise.all([...answers, ask(pool)]), ['destroyed', 'destroyed', 'destroyed'])
  await until('its connection is closed', () => sockets[0]!.destroyed)
  t.equal(sockets.length, 1)
})

t.test('a request that nobody waits for is not sent', async (t) => {
  const { pool, sockets, seen } = await poolOf(t, answering(OK), { connections: 1 })
  const given = { isSettled: false }
  const dropped = ask(pool, { target: '/dropped' }, given)
  given.isSettled = true
  t.equal(await ask(pool), '200 ok')
  t.notMatch(seen.join(''), '/dropped')
  t.equal(sockets.length, 1)
  t.equal(await Promise.race([dropped, 'nothing is told']), 'nothing is told')
})

t.test('aborting a finished request doesn’t affect the connection’s next user', async (t) => {
  const { pool, sockets } = await poolOf(t, (socket, seen) => {
    if (seen.endsWith('GET /1 HTTP/1.1\r\nhost: x\r\nconnection: keep-alive\r\n\r\n')) socket.write(OK)
  })
  const given: Parameters<typeof ask>[2] = {}
  t.equal(await ask(pool, { target: '/1' }, given), '200 ok')
  const second = ask(pool, { target: '/2' })
  await until('the second is sent', () => pool.size === 1 && sockets[0]!.bytesRead > 100)
  given.connection!.abort(given.handler!)
  sockets[0]!.write(OK)
  t.equal(await second, '200 ok')
  t.equal(sockets.length, 1)
})

t.test('a failed connection is reported to one waiting request and blocks no other', async (t) => {
  const { port } = await rawUpstream(t, (socket, seen) => {
    if (seen.slice(seen.lastIndexOf('GET')).includes('/served')) socket.write(OK)
  })
  const made: Parameters<Connect>[0][] = []
  const pool = new UpstreamPool({ connect: (done) => void made.push(done), most: 10 })
  t.teardown(() => pool.destroy())
  const works = () => {
    const socket = net.connect(port, '127.0.0.1')
    t.teardown(() => socket.destroy())
    return socket
  }
  const fails = new UpstreamError('unreachable', 'ECONNREFUSED')

  const [first, second] = [ask(pool, { target: '/served' }), ask(pool, { target: '/second' })]
  await until('both have one made', () => made.length === 2)
  made[1]!(null, works())
  t.equal(await first, '200 ok', 'whoever waits first gets what is there first')
  made[0]!(fails, null)
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(
    await Promise.race([second, 'nothing is told']),
    'nothing is told',
    'it got the first one’s connection',
  )
  pool.destroy()

  const other = new UpstreamPool({ connect: (done) => void made.push(done), most: 10 })
  t.teardown(() => other.destroy())
  const holder = ask(other, { target: '/holds' })
  const waits = ask(other, { target: '/waits' })
  await until('both have one made', () => made.length === 4)
  made[3]!(null, works())
  made[2]!(fails, null)
  t.equal(await waits, 'ECONNREFUSED', 'nothing else is being made for it')
  t.equal(await Promise.race([holder, 'nothing is told']), 'nothing is told')
})

t.test('refused connections cost linear work, however many requests wait', async (t) => {
  const requests = 2_000
  const made: Parameters<Connect>[0][] = []
  const pool = new UpstreamPool({ connect: (done) => void made.push(done), most: requests })
  t.teardown(() => pool.destroy())
  let reads = 0
  const given = () => ({
    get isSettled() {
      reads += 1
      return false
    },
  })
  const responses = Array.from({ length: requests }, () => ask(pool, {}, given()))
  await until('a connection is being made for each request', () => made.length === requests)
  for (const done of made.slice()) done(new UpstreamError('unreachable', 'ECONNREFUSED'), null)
  t.strictSame(new Set(await Promise.all(responses)), new Set(['ECONNREFUSED']))
  t.ok(reads >= requests && reads <= 10 * requests, `${reads} reads for ${requests} requests`)
  t.equal(made.length, requests, 'no connection is made for requests that have failed')
  t.equal(pool.size, 0)
})

t.test(
  'a response with a paused reader is delivered complete even if its connection ends, which isn’t reused',
  async (t) => {
    for (const end of ['end', 'resetAndDestroy'] as const) {
      let isFirst = true
      const { pool, sockets } = await poolOf(t, (socket) => {
        socket.write(OK)
        // Later, as a reset would overtake the answer.
        if (isFirst) setTimeout(() => socket[end](), 50)
        isFirst = false
      })
      const paused = new Promise<UpstreamConnection>((resolve) => {
        const onData = (connection: UpstreamConnection) => {
          connection.pause()
          resolve(connection)
        }
        void ask(pool, {}, { onData }).then((answer) => t.equal(answer, '200 ok', end))
      })
      const connection = await paused
      await until('the upstream has closed it', () => sockets[0]!.destroyed)
      await new Promise((resolve) => setTimeout(resolve, 50))
      connection.resume()
      t.equal(await ask(pool), '200 ok', 'the next')
      t.equal(sockets.length, 2, 'has a connection of its own')
    }
  },
)

t.test('attack: unrequested data behind a response isn’t a response for a waiting request', async (t) => {
  for (const behind of [OK.replace('ok', 'no'), undefined]) {
    const { pool, sockets } = await poolOf(
      t,
      (socket) => {
        socket.setNoDelay(true).write(OK)
        if (behind === undefined) socket.end()
        else socket.write(behind)
      },
      { connections: 1 },
    )
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(pool, { method: 'POST' })))
    t.strictSame(new Set(answers), new Set(['200 ok']))
    t.equal(sockets.length, 20)
  }
})

t.test(
  'a request that isn’t fully sent when its response has come makes the connection unusable',
  async (t) => {
    const { pool, sockets } = await poolOf(t, (socket, seen) => {
      if (!seen.includes('GET')) socket.pause()
      socket.write(OK)
    })
    const body = Readable.from([Buffer.alloc(32 << 20)])
    const framing = { kind: 'sized', bytes: 32 << 20 } as const
    t.equal(await ask(pool, { method: 'POST', framing, body }), '200 ok')
    t.equal(await ask(pool), '200 ok')
    t.equal(sockets.length, 2)
  },
)
