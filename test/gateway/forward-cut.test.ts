import http from 'node:http'
import net from 'node:net'
import t from 'tap'
import { bodyOf, canned, gateway, get, listen, raw, rawUpstream, until } from '../support/forwarding.js'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const begun = (text: string) => text.includes('\r\n\r\n')

/** A client that stays connected; `text` is what it has, `end` how it ended. */
function client(port: number, bytes: string) {
  const state = { text: '', end: '' as '' | 'end' | 'reset', socket: net.connect(port, '127.0.0.1') }
  state.socket.on('data', (chunk) => (state.text += chunk.toString('latin1')))
  state.socket.on('end', () => (state.end ||= 'end')).on('error', () => (state.end ||= 'reset'))
  state.socket.write(bytes)
  return state
}

t.test(
  'cut before the head: fails with the code, frees the upstream, and the client is still served',
  async (t) => {
    const upstream = await rawUpstream(t, (socket, seen) => void (seen.includes('/next') && socket.write(OK)))
    const { port, forwardings, outcome } = await gateway(t, upstream.port)
    const one = client(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await until('it was sent', () => upstream.seen.length === 1 && upstream.seen[0] !== '')
    forwardings[0]!.cut('token_revoked')
    t.strictSame(await outcome(), { kind: 'failed', error: 'token_revoked', reason: 'cut' })
    await until('the upstream is let go', () => upstream.sockets[0]!.destroyed)
    await until('it is answered', () => one.text.includes('token_revoked'))
    t.match(one.text, /^HTTP\/1\.1 401 /)
    one.socket.write('GET /next HTTP/1.1\r\nHost: x\r\n\r\n')
    await until('the connection serves on', () => one.text.endsWith('ok'))
    one.socket.destroy()
  },
)

t.test('cut while queued for a connection: fails and is never sent', async (t) => {
  const upstream = await rawUpstream(t, () => {})
  const { port, forwardings, outcome } = await gateway(t, upstream.port, { upstreams: { connections: 1 } })
  const first = raw(port, 'GET /first HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await until('the first is sent', () => upstream.seen.length === 1)
  const second = raw(port, 'GET /second HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await until('the second waits', () => forwardings.length === 2)
  forwardings[1]!.cut('token_revoked')
  t.match((await second).text, /^HTTP\/1\.1 401 /)
  t.strictSame(await outcome(), { kind: 'failed', error: 'token_revoked', reason: 'cut' })
  upstream.sockets[0]!.write(OK)
  t.equal(bodyOf((await first).text), 'ok')
  const third = raw(port, 'GET /third HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await until('the third is sent', () => upstream.seen.join('').includes('/third'))
  upstream.sockets.at(-1)!.write(OK)
  t.equal(bodyOf((await third).text), 'ok')
  t.notMatch(upstream.seen.join(''), /second/)
})

t.test('cut within an upload: fails, and the upstream never sees the end of the body', async (t) => {
  const upstream = await rawUpstream(t, () => {})
  const { port, forwardings, outcome } = await gateway(t, upstream.port)
  const one = client(port, 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n')
  await until('half of it is there', () => (upstream.seen[0] ?? '').includes('half'))
  forwardings[0]!.cut('session_ended')
  t.strictSame(await outcome(), { kind: 'failed', error: 'session_ended', reason: 'cut' })
  await until('the upstream is let go', () => upstream.sockets[0]!.destroyed)
  t.notMatch(upstream.seen[0], /\r\n0\r\n/)
  one.socket.destroy()
})

t.test(
  'cut within the response: the client’s connection ends and the response looks incomplete',
  async (t) => {
    for (const [head, body] of [
      ['Content-Length: 100\r\n', 'half'],
      ['Transfer-Encoding: chunked\r\n', '4\r\nhalf\r\n'],
      ['Connection: close\r\n', 'half'],
      ['Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n', '6\r\ndata: \r\n'],
    ] as const) {
      for (const version of ['1.1', '1.0']) {
        const upstream = await canned(t, `HTTP/1.1 200 OK\r\n${head}\r\n${body}`)
        const { port, forwardings, outcome } = await gateway(t, upstream.port)
        const one = client(port, `GET / HTTP/${version}\r\nHost: x\r\n\r\n`)
        await until('it has begun', () => /half|data/.test(one.text))
        forwardings[0]!.cut('token_revoked')
        t.strictSame(await outcome(), { kind: 'cut', status: 200, reason: 'token_revoked' })
        await until('the client’s connection has ended', () => one.end !== '')
        t.equal(one.end, 'reset', `${head}${version}`)
        t.notMatch(one.text, /\r\n0\r\n\r\n$/)
        await until('the upstream is let go', () => upstream.sockets[0]!.destroyed)
      }
    }
  },
)

t.test('cut while the client is slow to read the rest: unsent data is dropped', async (t) => {
  const size = 64 << 20
  const upstream = http.createServer((_request, response) => response.end(Buffer.alloc(size)))
  const { port, forwardings, outcome } = await gateway(t, await listen(t, upstream))
  const socket = net.connect(port, '127.0.0.1')
  let got = 0
  let end = ''
  socket.on('error', () => (end ||= 'reset')).on('end', () => (end ||= 'end'))
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await new Promise((resolve) => socket.once('readable', resolve))
  forwardings[0]!.cut('token_expired')
  t.match(await outcome(), { kind: 'cut', reason: 'token_expired' })
  socket.on('data', (chunk) => (got += chunk.length))
  await until('the client’s connection has ended', () => end !== '')
  t.equal(end, 'reset')
  t.ok(got < size)
})

t.test('cut after the end, or twice, does nothing', async (t) => {
  const upstream = await canned(t, OK)
  const { port, forwardings, outcome } = await gateway(t, upstream.port)
  const one = client(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  t.strictSame(await outcome(), { kind: 'answered', status: 200 })
  forwardings[0]!.cut('token_revoked')
  await until('all of it is there', () => one.text.endsWith('ok'))
  one.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await until('the connection goes on', () => forwardings.length === 2)
  t.equal(one.end, '')
  forwardings[1]!.cut('token_revoked')
  forwardings[1]!.cut('session_ended')
  t.match(await outcome(), { error: 'token_revoked' })
  one.socket.destroy()
})

t.test('cutting a request that was refused for its length does nothing', async (t) => {
  const { port, forwardings, outcome, outcomes } = await gateway(t, 9, { limits: { body: 1 } })
  const { text } = await raw(
    port,
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab',
  )
  t.match(text, /^HTTP\/1\.1 413 /)
  forwardings[0]!.cut('token_revoked')
  t.match(await outcome(), { error: 'body_too_large' })
  t.equal(outcomes.length, 1)
})

t.test('cutting one exchange leaves the others running', async (t) => {
  const upstream = await rawUpstream(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf')
  })
  const { port, forwardings } = await gateway(t, upstream.port)
  const [one, other] = [get(port), get(port)]
  await until('both are sent', () => upstream.seen.filter(begun).length === 2 && forwardings.length === 2)
  forwardings[0]!.cut('token_revoked')
  await until('one is let go', () => upstream.sockets.some(({ destroyed }) => destroyed))
  for (const socket of upstream.sockets) if (!socket.destroyed) socket.write('half')
  const texts = (await Promise.all([one, other])).map(({ text }) => bodyOf(text))
  t.equal(texts.filter((text) => text === 'halfhalf').length, 1)
})
