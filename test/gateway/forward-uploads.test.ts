import { createHash, randomBytes } from 'node:crypto'
import http from 'node:http'
import net from 'node:net'
import t from 'tap'
import { bodyOf, canned, gateway, listen, raw, rawUpstream, settled, until } from '../support/forwarding.js'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

t.test('sized and chunked bodies arrive as such', async (t) => {
  const upstream = await rawUpstream(t, (socket, seen) => {
    if (/hello(?:\r\n0\r\n\r\n)?$/.test(seen)) socket.write(OK)
  })
  const { port } = await gateway(t, upstream.port)
  const sized = await raw(
    port,
    'POST /s HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello',
  )
  t.equal(bodyOf(sized.text), 'ok')
  const chunked = await raw(
    port,
    'PUT /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n' +
      '5;ext=1\r\nhello\r\n0\r\nX-Forwarded-User: evil\r\n\r\n',
  )
  t.equal(bodyOf(chunked.text), 'ok')
  const all = upstream.seen.join('')
  t.match(all, /POST \/s [^]*content-length: 5\r\n\r\nhello/)
  t.match(all, /PUT \/c [^]*transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/)
  t.notMatch(all, /evil|ext=1/, 'neither request trailers nor chunk extensions go on')
})

t.test('requests without a body send none', async (t) => {
  const upstream = await rawUpstream(t, (socket, seen) => {
    if (seen.endsWith('\r\n\r\n')) socket.write(OK)
  })
  const { port } = await gateway(t, upstream.port)
  for (const head of ['GET / HTTP/1.1', 'DELETE / HTTP/1.1', 'GET / HTTP/1.1\r\nContent-Length: 0']) {
    const { text } = await raw(port, `${head}\r\nHost: x\r\nConnection: close\r\n\r\n`)
    t.equal(bodyOf(text), 'ok', head)
  }
  t.notMatch(upstream.seen.join(''), /content-length|transfer-encoding/i)
  await raw(port, 'POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  t.match(upstream.seen.join(''), /content-length: 0\r\n/, 'a POST without a body says so')
})

t.test('a GET with a body, and a body after Expect: 100-continue', async (t) => {
  const upstream = await rawUpstream(t, (socket, seen) => {
    if (seen.endsWith('abc')) socket.write(OK)
  })
  const { port } = await gateway(t, upstream.port)
  const got = await raw(
    port,
    'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc',
  )
  t.equal(bodyOf(got.text), 'ok')
  const client = net.connect(port, '127.0.0.1')
  let text = ''
  client.on('data', (chunk) => (text += chunk.toString()))
  client.write('POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n')
  await until('100 Continue', () => text === 'HTTP/1.1 100 Continue\r\n\r\n')
  client.write('abc')
  await until('the answer', () => text.endsWith('ok'))
  t.notMatch(upstream.seen.join(''), /expect/i)
  client.destroy()
})

t.test('a Content-Length over the limit: 413 before anything is sent', async (t) => {
  const upstream = await canned(t, OK)
  const { port, outcome } = await gateway(t, upstream.port, { limits: { body: 10 } })
  const client = net.connect(port, '127.0.0.1')
  let text = ''
  client.on('data', (chunk) => (text += chunk.toString()))
  client.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n')
  await until('the answer, with no byte of the body sent', () => text.includes('body_too_large'))
  t.match(text, /^HTTP\/1\.1 413 /)
  t.strictSame(await outcome(), { kind: 'failed', error: 'body_too_large', reason: 'content-length' })
  t.equal(upstream.sockets.length, 0)

  client.write(`${'x'.repeat(11)}GET / HTTP/1.1\r\nHost: x\r\n\r\n`)
  await until('the connection serves on once the body is over', () => text.endsWith('ok'))
  client.destroy()
})

t.test('a body of exactly the limit passes', async (t) => {
  const upstream = await rawUpstream(t, (socket, seen) => {
    if (/x{10}(?:\r\n0\r\n\r\n)?$/.test(seen)) socket.write(OK)
  })
  const { port } = await gateway(t, upstream.port, { limits: { body: 10 } })
  for (const framed of [
    `Content-Length: 10\r\n\r\n${'x'.repeat(10)}`,
    `Transfer-Encoding: chunked\r\n\r\na\r\n${'x'.repeat(10)}\r\n0\r\n\r\n`,
  ]) {
    t.equal(
      bodyOf((await raw(port, `POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${framed}`)).text),
      'ok',
    )
  }
})

t.test('a chunked body over the limit: 413 while it streams, and the upstream is freed', async (t) => {
  const upstream = await rawUpstream(t, () => {})
  const { port, outcome } = await gateway(t, upstream.port, { limits: { body: 10 } })
  const client = net.connect(port, '127.0.0.1')
  let text = ''
  client.on('data', (chunk) => (text += chunk.toString()))
  client.write('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nsixsix\r\n')
  await until('the first piece is there', () => (upstream.seen[0] ?? '').includes('sixsix'))
  client.write('6\r\nsixsix\r\n0\r\n\r\n')
  await until('the answer', () => text.includes('body_too_large'))
  t.match(text, /^HTTP\/1\.1 413 /)
  t.strictSame(await outcome(), { kind: 'failed', error: 'body_too_large', reason: 'body_too_large' })
  await until('the upstream is let go', () => upstream.sockets[0]!.destroyed)
  t.notMatch(upstream.seen[0], /\r\n0\r\n/, 'it never saw the end of a body')
  client.destroy()
})

t.test('a body that stalls: 408; a slow one passes', async (t) => {
  const upstream = await rawUpstream(t, (socket, seen) => {
    if (seen.endsWith('12345')) socket.write(OK)
  })
  const { port, outcome } = await gateway(t, upstream.port, { limits: { bodyTimeout: 1_500 } })
  const send = async (pieces: string[]) => {
    const client = net.connect(port, '127.0.0.1')
    let text = ''
    client.on('data', (chunk) => (text += chunk.toString()))
    client.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n')
    for (const piece of pieces) {
      await new Promise((resolve) => setTimeout(resolve, 400))
      client.write(piece)
    }
    await until('an answer', () => text.includes('\r\n\r\n'))
    client.destroy()
    return text
  }
  t.match(
    await send(['1', '2', '3', '4', '5']),
    /^HTTP\/1\.1 200 /,
    'two seconds in all, 400 ms between two pieces',
  )
  t.match(await outcome(), { kind: 'answered' })
  t.match(await send(['1', '2']), /^HTTP\/1\.1 408 /)
  t.strictSame(await outcome(), { kind: 'failed', error: 'request_timeout', reason: 'request_timeout' })
  t.match(await send([]), /^HTTP\/1\.1 408 /, 'nor does it wait for the first piece')
  await until('the upstream is let go', () => upstream.sockets[0]!.destroyed)
})

t.test(
  'a client that disconnects within its body frees the upstream, which never sees the end',
  async (t) => {
    const upstream = await rawUpstream(t, () => {})
    const { port, outcome } = await gateway(t, upstream.port)
    const client = net.connect(port, '127.0.0.1')
    client.write('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n')
    await until('half of it is there', () => (upstream.seen[0] ?? '').includes('half'))
    client.destroy()
    t.strictSame(await outcome(), { kind: 'aborted' })
    await until('the upstream is let go', () => upstream.sockets[0]!.destroyed)
    t.notMatch(upstream.seen[0], /\r\n0\r\n/)
  },
)

t.test('a response before the end of the body reaches the client', async (t) => {
  const upstream = await canned(t, 'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno')
  const { port, outcome } = await gateway(t, upstream.port)
  const client = net.connect(port, '127.0.0.1')
  let text = ''
  client.on('data', (chunk) => (text += chunk.toString()))
  client.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345')
  await until('the answer', () => text.endsWith('no'))
  t.strictSame(await outcome(), { kind: 'answered', status: 403 })
  client.write('67890GET /next HTTP/1.1\r\nHost: x\r\n\r\n')
  await until('the next request is served', () => text.split('403 Forbidden').length === 3)
  client.destroy()
})

t.test('an upload that continues after its response is cut within seconds', async (t) => {
  const upstream = await canned(t, 'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno')
  const { port } = await gateway(t, upstream.port)
  const client = net.connect(port, '127.0.0.1').on('error', () => {})
  client.resume()
  client.write('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n')
  const drip = setInterval(() => client.write('1\r\nx\r\n'), 50)
  const started = performance.now()
  await new Promise((resolve) => client.once('close', resolve))
  clearInterval(drip)
  t.ok(performance.now() - started < 9000)
})

t.test('50 MB up and 50 MB down arrive complete', async (t) => {
  const size = 50 << 20
  const piece = randomBytes(1 << 16)
  const expected = createHash('sha256')
  for (let sent = 0; sent < size; sent += piece.length) expected.update(piece)
  const digest = expected.digest('hex')

  const upstream = http.createServer(async (request, response) => {
    const hash = createHash('sha256')
    for await (const chunk of request) hash.update(chunk as Buffer)
    response.setHeader('x-digest', hash.digest('hex'))
    for (let sent = 0; sent < size; sent += piece.length) {
      if (!response.write(piece)) await new Promise((resolve) => response.once('drain', resolve))
    }
    response.end()
  })
  const { port, outcome } = await gateway(t, await listen(t, upstream), { limits: { body: size } })
  const request = http.request({
    host: '127.0.0.1',
    port,
    method: 'POST',
    headers: { 'content-length': size },
  })
  const answered = new Promise<http.IncomingMessage>((resolve) => request.once('response', resolve))
  for (let sent = 0; sent < size; sent += piece.length) {
    if (!request.write(piece)) await new Promise((resolve) => request.once('drain', resolve))
  }
  request.end()
  const response = await answered
  t.equal(response.headers['x-digest'], digest, 'up')
  const down = createHash('sha256')
  for await (const chunk of response) down.update(chunk as Buffer)
  t.equal(down.digest('hex'), digest, 'down')
  t.strictSame(await outcome(), { kind: 'answered', status: 200 })
})

t.test(
  'an upload waits for an upstream that doesn’t read, and no client timeout runs meanwhile',
  async (t) => {
    const held: net.Socket[] = []
    const server = net.createServer((socket) => void held.push(socket.pause()))
    const { port, outcome } = await gateway(t, await listen(t, server), {
      limits: { body: 1 << 30, bodyTimeout: 500 },
    })
    const client = net.connect(port, '127.0.0.1').on('error', () => {})
    const size = 64 << 20
    client.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\n`)
    let sent = 0
    const piece = Buffer.alloc(1 << 16)
    const more = () => {
      while (sent < size) {
        sent += piece.length
        if (!client.write(piece)) return
      }
    }
    client.on('drain', more)
    more()
    const stopped = await settled(() => sent)
    t.ok(stopped < size / 2, `stopped after ${stopped >> 10} KB`)
    await new Promise((resolve) => setTimeout(resolve, 700))
    t.equal(sent, stopped)
    let arrived = 0
    held[0]!.resume().on('data', (chunk) => {
      arrived += chunk.length
      if (arrived > size) held[0]!.write(OK)
    })
    t.strictSame(await outcome(), { kind: 'answered', status: 200 }, 'once read, it goes on to its end')
    client.destroy()
  },
)
