import http from 'node:http'
import t from 'tap'
import { bodyOf, canned, gateway, get, listen, raw, rawUpstream } from '../support/forwarding.js'

t.test(
  'response head and body pass unchanged: case, order, duplicates, two Set-Cookie, reason phrase',
  async (t) => {
    const upstream = await canned(
      t,
      'HTTP/1.1 201 Made It\r\nDATE: x\r\nset-cookie: a=1\r\nX-Caf: caf\xe9\r\nSet-Cookie: b=2\r\nSet-Cookie: __Host-access=evil\r\n' +
        'Content-Length: 5\r\nKeep-Alive: timeout=9\r\n\r\nhello',
    )
    const { port, outcome } = await gateway(t, upstream.port)
    const { text } = await get(port)
    t.equal(
      text,
      'HTTP/1.1 201 Made It\r\nDATE: x\r\nset-cookie: a=1\r\nX-Caf: caf\xe9\r\nSet-Cookie: b=2\r\nContent-Length: 5\r\n' +
        'Connection: close\r\n\r\nhello',
    )
    t.strictSame(await outcome(), { kind: 'answered', status: 201 })
  },
)

t.test('the request passes through: target, headers as received, ours last', async (t) => {
  const upstream = await canned(t, 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  const { port } = await gateway(t, upstream.port)
  await raw(
    port,
    'GET /a%c3%a9?x=%2F..\\ HTTP/1.1\r\nHost: x\r\nX-a: 1\r\nx-A: caf\xe9\r\nX-Forwarded-User: evil\r\n' +
      'Connection: close, x-forwarded-user\r\n\r\n',
  )
  t.equal(
    upstream.seen[0],
    'GET /a%c3%a9?x=%2F..\\ HTTP/1.1\r\nhost: x\r\nconnection: keep-alive\r\nX-a: 1\r\nx-A: caf\xe9\r\n' +
      'X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: x\r\nX-Forwarded-Port: 80\r\n' +
      'X-Real-IP: 127.0.0.1\r\nForwarded: for=127.0.0.1;proto=http;host=x\r\nX-Forwarded-User: alice\r\n\r\n',
  )
})

t.test('a reason phrase outside ASCII is replaced, and the response passes', async (t) => {
  const upstream = await canned(t, 'HTTP/1.1 200 Tr\xe8s bien\r\nContent-Length: 2\r\n\r\nok')
  const { port } = await gateway(t, upstream.port)
  const { text } = await get(port)
  t.match(text, /^HTTP\/1\.1 200 OK\r\n/)
  t.equal(bodyOf(text), 'ok')
})

t.test('responses without a body end with their head', async (t) => {
  for (const [method, answer] of [
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n'],
    ['HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 1234\r\n\r\n'],
    ['GET', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
  ] as const) {
    const upstream = await canned(t, answer)
    const { port, outcome } = await gateway(t, upstream.port)
    const { text } = await get(port, method)
    t.equal(bodyOf(text), '', answer)
    t.equal(text.slice(9, 12), answer.slice(9, 12))
    t.equal(
      /content-length: 1234/i.test(text),
      answer.includes('1234'),
      'the length of what GET would have brought stays',
    )
    t.notMatch(text, /transfer-encoding/i)
    t.equal((await outcome()).kind, 'answered')
  }
})

t.test('a 204 with Content-Length is sent without it', async (t) => {
  const upstream = await canned(t, 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nX-A: 1\r\n\r\n')
  const { port } = await gateway(t, upstream.port)
  const { text } = await get(port)
  t.notMatch(text, /content-length/i)
  t.match(text, /X-A: 1/)
})

t.test('chunked responses and their trailers', async (t) => {
  const upstream = await canned(
    t,
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: abc\r\nSet-Cookie: x=1\r\n\r\n',
  )
  const { port } = await gateway(t, upstream.port)
  const { text } = await get(port)
  t.equal(bodyOf(text), '5\r\nhello\r\n0\r\nX-Sum: abc\r\n\r\n')
})

t.test('a response that lasts until the upstream closes', async (t) => {
  const upstream = await canned(t, 'HTTP/1.0 200 OK\r\n\r\nhello', 'end')
  const { port, outcome } = await gateway(t, upstream.port)
  const { text } = await get(port)
  t.equal(bodyOf(text), '5\r\nhello\r\n0\r\n\r\n')
  t.equal((await outcome()).kind, 'answered')
})

t.test('interim responses come before the final one (RFC 9110 §15.2), but not for HTTP/1.0', async (t) => {
  const hint = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n'
  const hop =
    'HTTP/1.1 103 Early Hints\r\nConnection: X-Hop\r\nX-Hop: 1\r\nSet-Cookie: __Host-access=evil\r\n\r\n'
  const bare = 'HTTP/1.1 103 Early Hints\r\n\r\n'
  for (const [version, told, passed] of [
    ['1.1', hint, hint],
    ['1.1', `HTTP/1.1 102 Processing\r\n\r\n${hint}`, `HTTP/1.1 102 Processing\r\n\r\n${hint}`],
    ['1.1', hop, bare],
    ['1.1', hint.repeat(20), hint.repeat(8)],
    ['1.0', hint, ''],
  ] as const) {
    const upstream = await canned(t, `${told}HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello`)
    const { port } = await gateway(t, upstream.port)
    const { text } = await get(port, 'GET', version)
    t.equal(text.slice(0, passed.length), passed)
    t.match(text.slice(passed.length), /^HTTP\/1\.1 200 OK\r\n/)
    t.match(text, /\r\n\r\nhello$/)
  }
})

t.test('an unrequested 100 Continue is not passed on', async (t) => {
  for (const [method, informational] of [
    ['POST', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['POST', 'HTTP/1.1 100 Continue\r\nX-A: 1\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n'],
    ['GET', 'HTTP/1.0 100 Continue\r\n\r\n'],
  ] as const) {
    const upstream = await canned(t, `${informational}HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello`)
    const { port } = await gateway(t, upstream.port)
    const { text } = await get(port, method)
    t.match(text, /^HTTP\/1\.1 200 OK\r\n/, informational)
    t.equal(bodyOf(text), 'hello')
  }
})

t.test('an unrequested 100 Continue in pieces, on a reused connection', async (t) => {
  const parts = [
    'HT',
    'TP/1.1 1',
    '00 Continue\r\nX: y\r',
    '\n\r\nHTTP/1.1 20',
    '0 OK\r\nContent-Length: 12\r\n\r\n',
  ]
  // A body that looks like one is a body.
  parts.push('HTTP/1.1 100', '')
  let requests = 0
  const upstream = await rawUpstream(t, (socket, seen) => {
    if (seen.split('\r\n\r\n').length - 1 <= requests) return
    requests++
    parts.forEach((part, at) => setTimeout(() => socket.write(part), 20 * at))
  })
  const { port } = await gateway(t, upstream.port)
  for (let n = 1; n <= 2; n++) {
    const { text } = await get(port)
    t.match(text, /^HTTP\/1\.1 200 OK\r\n/)
    t.equal(bodyOf(text), 'HTTP/1.1 100')
  }
  t.equal(upstream.sockets.length, 1, 'one connection')
})

t.test('headers that the caller set before are sent, too', async (t) => {
  const upstream = await canned(
    t,
    'HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\nvary: Accept\r\nx-portcullis-outage: evil\r\n' +
      'Content-Length: 2\r\n\r\nok',
  )
  const { port, server } = await gateway(t, upstream.port)
  server.prependListener('request', (_request, response) => {
    response.setHeader('X-Portcullis-Outage', 'stale').setHeader('Vary', 'Origin')
  })
  const { text } = await get(port)
  t.match(text, /X-Portcullis-Outage: stale\r\n/)
  t.notMatch(text, /evil/, 'ours goes before the upstream’s')
  t.match(text, /Vary: Origin\r\nVary: Accept\r\n/)
  t.match(text, /set-cookie: a=1\r\n/i)
  t.match(text, /set-cookie: b=2\r\n/i)
})

t.test('the head is sent at once if the body takes its time', async (t) => {
  let held: http.ServerResponse | undefined
  const upstream = http.createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
    held = response
  })
  const { port } = await gateway(t, await listen(t, upstream))
  const response = await new Promise<http.IncomingMessage>((resolve) => {
    http.get({ host: '127.0.0.1', port, agent: false }, resolve)
  })
  t.equal(response.statusCode, 200, 'the body has not begun')
  held!.end('data: 1\n\n')
  t.equal((await response.toArray()).join(''), 'data: 1\n\n')
})

t.test('pipelined requests are answered in order', async (t) => {
  const upstream = http.createServer((request, response) => {
    setTimeout(() => response.end(`<${request.url}>`), request.url === '/1' ? 100 : 0)
  })
  const { port } = await gateway(t, await listen(t, upstream))
  const one = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`
  const { text } = await raw(port, one('/1') + one('/2') + one('/3', 'Connection: close\r\n'))
  t.strictSame(text.match(/<.*?>/g), ['</1>', '</2>', '</3>'])
})
