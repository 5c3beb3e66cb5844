import net from 'node:net'
import t from 'tap'
import { bodyOf, gateway, get, raw, rawUpstream, settled, until } from '../support/forwarding.js'
import { upstreamProcess } from '../support/upstream-process.js'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const upload = (path: string, body: string) =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`

/** Records what `onHealth` tells, as `up` or `down` and the origin. */
function recorded() {
  const changes: string[] = []
  const onHealth = (origin: string, isUp: boolean) => void changes.push(`${isUp ? 'up' : 'down'} ${origin}`)
  return { changes, upstreams: { onHealth } }
}

t.test('upstream servers take turns', async (t) => {
  const [a, b] = [await upstreamProcess(t, 'a'), await upstreamProcess(t, 'b')]
  const { port } = await gateway(t, [a.origin, b.origin])
  const names: string[] = []
  for (let n = 0; n < 6; n++) names.push(bodyOf((await get(port)).text))
  t.strictSame(names, ['a', 'b', 'a', 'b', 'a', 'b'])
})

t.test('one of two servers is killed under load: no GET fails, and it returns by itself', async (t) => {
  const a = await upstreamProcess(t, 'a')
  const b = await upstreamProcess(t, 'b')
  const { changes, upstreams } = recorded()
  const { port, outcomes } = await gateway(t, [a.origin, b.origin], { upstreams })
  const names: string[] = []
  const ask = async (times: number) => {
    for (let n = 0; n < times; n++) {
      const { text } = await get(port)
      t.match(text, /^HTTP\/1\.1 200 /)
      names.push(bodyOf(text))
    }
  }
  await ask(10)
  // In the midst of them: kept connections break, new ones are refused.
  await Promise.all([ask(50), a.kill()])
  await until('it is down', () => changes.length === 1)
  t.strictSame(changes, [`down ${a.origin}`])
  names.length = 0
  await ask(10)
  t.notOk(names.includes('a'))
  const again = await upstreamProcess(t, 'a again', a.port)
  await until('it is up', () => changes.length === 2)
  t.strictSame(changes[1], `up ${again.origin}`)
  names.length = 0
  await ask(10)
  t.strictSame(new Set(names), new Set(['a again', 'b']))
  t.ok(outcomes.every(({ kind }) => kind === 'answered'))
})

t.test(
  'refused: any method goes to the next server with its body intact, and each server is tried once',
  async (t) => {
    const a = await upstreamProcess(t, 'a')
    const b = await upstreamProcess(t, 'b')
    await a.kill()
    for (const order of [
      [a.origin, b.origin],
      [b.origin, a.origin],
    ]) {
      const { port } = await gateway(t, order)
      for (let n = 0; n < 3; n++) {
        const { text } = await raw(port, upload('/a', 'thing'))
        t.match(text, /^HTTP\/1\.1 200 /)
        t.equal(bodyOf(text), 'bthing')
      }
    }
    t.equal((await b.seen()).length, 6)
    await b.kill()
    const { port, outcome } = await gateway(t, [a.origin, b.origin])
    t.match((await raw(port, upload('/a', 'thing'))).text, /^HTTP\/1\.1 502 /)
    t.strictSame(await outcome(), { kind: 'failed', error: 'upstream_unavailable', reason: 'ECONNREFUSED' })
  },
)

t.test(
  'all servers down: all are tried anyway, and one that is back answers before its health check',
  async (t) => {
    const a = await upstreamProcess(t, 'a')
    const b = await upstreamProcess(t, 'b')
    await Promise.all([a.kill(), b.kill()])
    const { port } = await gateway(t, [a.origin, b.origin])
    t.match((await get(port)).text, /^HTTP\/1\.1 502 /)
    await upstreamProcess(t, 'b', b.port)
    t.equal(bodyOf((await get(port)).text), 'b')
  },
)

/** Answers the first request on a connection, and closes it when the second is there. */
const closesOnReuse = (socket: net.Socket, seen: string) => {
  if (!seen.endsWith('\r\n\r\n')) return
  if (seen.split('\r\n\r\n').length === 2) socket.write(OK)
  else socket.resetAndDestroy()
}

t.test('lost on a kept connection: a GET goes to another server, a POST to none', async (t) => {
  const a = await rawUpstream(t, closesOnReuse)
  const b = await rawUpstream(t, closesOnReuse)
  const { port, outcomes } = await gateway(
    t,
    [a.port, b.port].map((at) => `http://127.0.0.1:${at}`),
  )
  await get(port)
  await get(port)
  t.match((await get(port, 'POST')).text, /^HTTP\/1\.1 502 /)
  t.equal([...a.seen, ...b.seen].join('').split('POST').length, 2, 'sent once')
  t.match(outcomes.at(-1), { kind: 'failed', error: 'upstream_unavailable' })
  const before = a.sockets.length
  t.match((await get(port, 'GET')).text, /^HTTP\/1\.1 200 /)
  t.match(b.seen[0], /GET[^]*GET/, 'it was lost on one')
  t.equal(a.sockets.length, before + 1, 'and answered by the other')
})

t.test('killed within an upload: 502, and no other server receives the request', async (t) => {
  const a = await rawUpstream(t, (socket, seen) => void (seen.includes('half') && socket.resetAndDestroy()))
  const b = await rawUpstream(t, () => {})
  const { port } = await gateway(
    t,
    [a.port, b.port].map((at) => `http://127.0.0.1:${at}`),
  )
  const socket = net.connect(port, '127.0.0.1')
  let text = ''
  socket.on('data', (chunk) => (text += chunk.toString()))
  socket.write('PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf')
  await until('it is answered', () => text !== '')
  t.match(text, /^HTTP\/1\.1 502 /)
  t.equal(a.sockets.length, 1)
  t.equal(b.sockets.length, 0)
  socket.destroy()
})

t.test('a response that has begun, or timed out, is never requested again', async (t) => {
  const a = await upstreamProcess(t, 'a')
  const other = await rawUpstream(t, () => {})
  const origins = [a.origin, `http://127.0.0.1:${other.port}`]
  const begun = await gateway(t, origins)
  const answer = raw(begun.port, 'GET /half HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await until('it was sent', () => begun.forwardings.length === 1)
  await until('it was seen', async () => (await a.seen()).length === 1)
  const late = await gateway(t, origins, { timeouts: { headers: 300 } })
  const { text } = await raw(late.port, 'GET /hang HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  t.match(text, /^HTTP\/1\.1 504 /)
  await a.kill()
  t.equal(bodyOf((await answer).text), 'half')
  t.match(await begun.outcome(), { kind: 'cut', status: 200 })
  t.equal(other.sockets.length, 0)
})

t.test('a connection that exceeds the connect timeout: the next server is tried', async (t) => {
  const stopped = await upstreamProcess(t, 'stopped')
  const b = await upstreamProcess(t, 'b')
  stopped.signal('SIGSTOP')
  // Once its line of waiting connections is full, the kernel answers no more.
  const waiting = Array.from({ length: 600 }, () =>
    net.connect(stopped.port, '127.0.0.1').on('error', () => {}),
  )
  t.teardown(() => waiting.forEach((socket) => socket.destroy()))
  const unanswered = await settled(() => waiting.filter(({ connecting }) => connecting).length)
  t.ok(unanswered > 0, `${unanswered} connections are not answered`)
  const { changes, upstreams } = recorded()
  const { port } = await gateway(t, [stopped.origin, b.origin], { upstreams, connect: 500 })
  const { text } = await raw(port, upload('/', 'x'))
  t.equal(bodyOf(text), 'bx')
  t.strictSame(changes, [`down ${stopped.origin}`])
})
