import { spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import t from 'tap'
import { bodyOf, canned, gateway, get, raw, rawUpstream, until } from '../support/forwarding.js'

const COMPLETE = /\r\n0\r\n\r\n$/

async function closedPort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

t.test('no upstream: 502 without internal details', async (t) => {
  const { port, outcome } = await gateway(t, await closedPort())
  const { text } = await get(port)
  t.match(text, /^HTTP\/1\.1 502 /)
  t.strictSame(await outcome(), { kind: 'failed', error: 'upstream_unavailable', reason: 'ECONNREFUSED' })
})

t.test('responses that aren’t HTTP or are too large: 502', async (t) => {
  for (const [answer, reason] of [
    ['SSH-2.0-OpenSSH_9\r\n\r\n', 'bad_head'],
    ['HTTP/1.1 200 OK\r\nBad Header: x\r\n\r\n', 'bad_head'],
    ['HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n', 'bad_head'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello', 'bad_framing'],
    ['HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n', 'bad_framing'],
    [`HTTP/1.1 200 OK\r\nX: ${'a'.repeat(70_000)}\r\n\r\n`, 'head_too_large'],
    ['HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n', 'unasked_upgrade'],
  ] as const) {
    const upstream = await canned(t, answer)
    const { port, outcome } = await gateway(t, upstream.port)
    const { text } = await get(port, 'POST')
    t.match(text, /^HTTP\/1\.1 502 /, answer.slice(0, 60))
    t.strictSame(await outcome(), { kind: 'failed', error: 'upstream_unavailable', reason })
  }
})

t.test('an upstream that closes before it responds: 502', async (t) => {
  for (const end of ['end', 'reset'] as const) {
    const upstream = await canned(t, '', end)
    const { port, outcome } = await gateway(t, upstream.port)
    t.match((await get(port, 'POST')).text, /^HTTP\/1\.1 502 /, end)
    t.match(await outcome(), { kind: 'failed', error: 'upstream_unavailable' })
  }
})

t.test('an upstream that closes within its head: 502', async (t) => {
  const upstream = await canned(t, 'HTTP/1.1 200 OK\r\nContent-Le', 'end')
  const { port } = await gateway(t, upstream.port)
  t.match((await get(port)).text, /^HTTP\/1\.1 502 /)
  t.equal(upstream.sockets.length, 1, 'something of an answer came, so nothing is sent again')
})

t.test('an upstream that hangs before its head: 504', async (t) => {
  const upstream = await canned(t, '')
  const { port, outcome } = await gateway(t, upstream.port, { timeouts: { headers: 300 } })
  const started = performance.now()
  t.match((await get(port)).text, /^HTTP\/1\.1 504 /)
  t.ok(performance.now() - started < 3000)
  t.match(await outcome(), { kind: 'failed', error: 'upstream_timeout' })
  await until('the hung connection is closed', () => upstream.sockets[0]!.destroyed)
  t.equal(upstream.sockets.length, 1, 'a timeout is not tried again')
})

t.test('an upstream that accepts no connection: 504', async (t) => {
  // A stopped process accepts nothing; once its line of waiting connections is full, the kernel answers no more.
  const code = `require('net').createServer().listen({port:0,host:'127.0.0.1',backlog:1},function(){console.log(this.address().port)})`
  const stopped = spawn(process.execPath, ['-e', code])
  t.teardown(() => stopped.kill('SIGKILL'))
  const [line] = (await once(stopped.stdout, 'data')) as [Buffer]
  stopped.kill('SIGSTOP')
  const full = Number(line.toString())
  const waiting = Array.from({ length: 8 }, () => net.connect(full, '127.0.0.1').on('error', () => {}))
  t.teardown(() => waiting.forEach((socket) => socket.destroy()))
  await new Promise((resolve) => setTimeout(resolve, 200))
  t.ok(
    waiting.some((socket) => socket.connecting),
    'the line is full',
  )
  const { port, outcome } = await gateway(t, full, { connect: 400 })
  t.match((await get(port)).text, /^HTTP\/1\.1 504 /)
  t.strictSame(await outcome(), {
    kind: 'failed',
    error: 'upstream_timeout',
    reason: 'connect_timeout',
  })
})

t.test('the total timeout before the head: 504', async (t) => {
  const upstream = await canned(t, '')
  const { port, outcome } = await gateway(t, upstream.port, { timeouts: { total: 300 } })
  t.match((await get(port)).text, /^HTTP\/1\.1 504 /)
  t.strictSame(await outcome(), { kind: 'failed', error: 'upstream_timeout', reason: 'total_timeout' })
})

t.test('queued for a connection for longer than the timeout: 504, and the others continue', async (t) => {
  const upstream = await rawUpstream(t, (socket, seen) => {
    if (seen.includes('/last')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ')
  })
  const { port, outcome } = await gateway(t, upstream.port, {
    upstreams: { connections: 1 },
    timeouts: { headers: 300 },
  })
  const first = raw(port, 'GET /first HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await until('the first is sent', () => upstream.seen.length === 1)
  const second = await raw(port, 'GET /second HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  t.match(second.text, /^HTTP\/1\.1 504 /)
  t.strictSame(await outcome(), { kind: 'failed', error: 'upstream_timeout', reason: 'in_line' })
  upstream.sockets[0]!.write('whole')
  t.equal(bodyOf((await first).text), 'half whole')
  const last = await raw(port, 'GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  t.equal(bodyOf(last.text), 'ok')
  t.notMatch(upstream.seen.join(''), /second/, 'what gave up in line is never sent')
  t.equal(upstream.sockets.length, 1, 'and costs no connection')
})

t.test('an upstream that dies within its body: the client sees an incomplete response', async (t) => {
  for (const [head, version] of [
    ['HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf', '1.1'],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n', '1.1'],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n', '1.0'],
    ['HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf', '1.1'],
    ['HTTP/1.0 200 OK\r\n\r\nhalf', '1.0'],
  ] as const) {
    for (const end of ['end', 'reset'] as const) {
      // With neither length nor chunks an orderly close is the end of the answer.
      if (end === 'end' && !/length|chunked/i.test(head)) continue
      const upstream = await canned(t, head, end)
      const { port, outcome } = await gateway(t, upstream.port)
      const got = await get(port, 'GET', version)
      t.match(got.text, /half/, head)
      t.notMatch(got.text, COMPLETE)
      const announced = /content-length: 100|transfer-encoding: chunked/i.test(got.text)
      t.ok(announced || got.end === 'reset', `the client can tell (${end}, HTTP/${version}, ${got.end})`)
      t.match(await outcome(), { kind: 'cut', status: 200 })
    }
  }
})

t.test('an invalid chunk: 502 if it comes with the head, else a cut response', async (t) => {
  const begun = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'
  const together = await gateway(t, (await canned(t, `${begun}XX\r\n`)).port)
  t.match((await get(together.port)).text, /^HTTP\/1\.1 502 (?![^]*half)/)
  t.match(await together.outcome(), { kind: 'failed', reason: 'bad_chunk' })

  const upstream = await canned(t, begun)
  const { port, outcome } = await gateway(t, upstream.port)
  const client = net.connect(port, '127.0.0.1')
  let text = ''
  client.on('data', (chunk) => (text += chunk.toString('latin1')))
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await until('it is passed on', () => text.endsWith('half\r\n'))
  upstream.sockets[0]!.write('XX\r\n')
  t.strictSame(await outcome(), { kind: 'cut', status: 200, reason: 'bad_chunk' })
  await until('the client hears of it', () => client.closed)
  t.notMatch(text, COMPLETE)
})

t.test('an upstream that stalls within its body: a cut response', async (t) => {
  const upstream = await canned(t, 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')
  const { port, outcome } = await gateway(t, upstream.port, { timeouts: { body: 300 } })
  const { text } = await get(port)
  t.equal(bodyOf(text), 'half')
  t.strictSame(await outcome(), { kind: 'cut', status: 200, reason: 'body_timeout' })
})

t.test('a response that drips for longer than the total timeout: a cut response', async (t) => {
  const upstream = await rawUpstream(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n')
    const drip = setInterval(() => socket.write('x'), 20)
    socket.on('close', () => clearInterval(drip))
  })
  const { port, outcome } = await gateway(t, upstream.port, { timeouts: { total: 400 } })
  t.match((await get(port)).text, /x$/)
  t.strictSame(await outcome(), { kind: 'cut', status: 200, reason: 'total_timeout' })
  await until('the upstream is let go', () => upstream.sockets[0]!.destroyed)
})

t.test('a client that disconnects while it waits frees the upstream', async (t) => {
  const upstream = await canned(t, '')
  const { port, outcome } = await gateway(t, upstream.port)
  const client = net.connect(port, '127.0.0.1')
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await until('the upstream has it', () => (upstream.seen[0] ?? '') !== '')
  client.destroy()
  t.strictSame(await outcome(), { kind: 'aborted' })
  await until('its connection is closed', () => upstream.sockets[0]!.destroyed)
})

t.test(
  'the request of a client that disconnects while queued is not sent and uses no connection',
  async (t) => {
    let first: net.Socket | undefined
    const upstream = await rawUpstream(t, (socket, seen) => {
      first ??= socket
      if (seen.includes('/last')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    })
    const { port, outcomes } = await gateway(t, upstream.port, { upstreams: { connections: 1 } })
    const holder = raw(port, 'GET /first HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    await until('the first is sent', () => first !== undefined)
    const gone = net.connect(port, '127.0.0.1')
    gone.write('POST /gone HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc')
    await new Promise((resolve) => setTimeout(resolve, 100))
    gone.destroy()
    await until('it is noticed', () => outcomes.some(({ kind }) => kind === 'aborted'))
    const last = raw(port, 'GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    await new Promise((resolve) => setTimeout(resolve, 100))
    first!.write('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1')
    t.equal(bodyOf((await holder).text), '1')
    t.equal(bodyOf((await last).text), 'ok')
    t.notMatch(upstream.seen.join(''), /gone/)
    t.equal(upstream.sockets.length, 1)
  },
)
