import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import http from 'node:http'
import net from 'node:net'
import { text as textOf } from 'node:stream/consumers'
import t from 'tap'
import type { Test } from 'tap'
import { bodyOf, canned, listen, raw, rawUpstream, until } from '../support/forwarding.js'
import { logIn, startGateway, USERS } from '../support/gateway-process.js'

/** As `npm test` found it; by hand, on PATH. */
const CURL = process.env['TEST_CURL_SERVER'] ?? 'curl'

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

/**
 * The gateway in front of an upstream that tells what it got, with a route for everybody, and one for those with a
 * token.
 */
async function behind(t: Test, upstream: string, overrides: Record<string, unknown> = {}) {
  const { url } = await startGateway(t, {
    routes: [
      { path: '/open', upstream, auth: 'none' },
      { path: '/', upstream },
    ],
    ...overrides,
  })
  return { url, port: Number(new URL(url).port) }
}

function connect(t: Test, port: number, head: string) {
  const client = { text: '', isClosed: false, socket: net.connect(port, '127.0.0.1') }
  t.teardown(() => client.socket.destroy())
  client.socket.on('data', (chunk) => (client.text += chunk.toString()))
  client.socket.on('error', () => {}).on('close', () => (client.isClosed = true))
  client.socket.write(head)
  return client
}

const expecting = (target: string, more = '', length = 5) =>
  `POST ${target} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n${more}\r\n`

t.test('refused before the body: no 100, and the connection is closed although no body comes', async (t) => {
  const upstream = await canned(t, OK)
  const { port } = await behind(t, `http://127.0.0.1:${upstream.port}`)
  for (const [head, status] of [
    [expecting('/guarded'), 401],
    [expecting('/guarded', 'Authorization: Bearer nonsense\r\n'), 401],
    [expecting('/auth/nothing'), 404],
    [expecting('/a/../b'), 400],
    [expecting('/open', '', 5 << 20), 413],
  ] as const) {
    const client = connect(t, port, head)
    await until('the connection is closed', () => client.isClosed)
    t.match(client.text, new RegExp(`^HTTP/1\\.1 ${status} `), head)
    t.match(client.text, /connection: close/i)
    t.notMatch(client.text, / 100 /)
  }
  t.equal(upstream.sockets.length, 0)
})

t.test('admitted: one 100, then the upload arrives complete, and the connection stays open', async (t) => {
  const upstream = await rawUpstream(t, (socket, seen) => {
    if (/hello(?:\r\n0\r\n\r\n)?$/.test(seen)) socket.write(OK)
  })
  const { url, port } = await behind(t, `http://127.0.0.1:${upstream.port}`)
  const { access_token: token } = await logIn(url)
  const client = connect(t, port, '')
  for (const [framing, body] of [
    ['Content-Length: 5', 'hello'],
    ['Transfer-Encoding: chunked', '5\r\nhello\r\n0\r\n\r\n'],
  ] as const) {
    client.text = ''
    client.socket.write(
      `PUT / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nExpect: 100-Continue\r\n${framing}\r\n\r\n`,
    )
    await until('it may go on', () => client.text === CONTINUE)
    client.socket.write(body)
    await until('it is answered', () => client.text.endsWith('ok'))
    t.match(client.text.slice(CONTINUE.length), /^HTTP\/1\.1 200 /)
    t.equal(client.text.split(' 100 ').length, 2)
  }
  t.equal(upstream.seen.join('').split('hello').length, 3)
  t.notMatch(upstream.seen.join(''), /expect/i)
})

t.test('no upstream: 502 without a 100 before it', async (t) => {
  const { port } = await behind(t, 'http://127.0.0.1:9')
  const client = connect(t, port, expecting('/open'))
  await until('the connection is closed', () => client.isClosed)
  t.match(client.text, /^HTTP\/1\.1 502 /)
})

t.test('the upstream’s own 100 is not passed on beside ours', async (t) => {
  const upstream = await rawUpstream(t, (socket, seen) => {
    if (seen.endsWith('hello')) socket.write(`${CONTINUE}${CONTINUE}${OK}`)
  })
  const { port } = await behind(t, `http://127.0.0.1:${upstream.port}`)
  const client = connect(t, port, expecting('/open'))
  await until('it may go on', () => client.text === CONTINUE)
  client.socket.write('hello')
  await until('it is answered', () => client.text.endsWith('ok'))
  t.equal(client.text.split(' 100 ').length, 2)
})

t.test('HTTP/1.0 has no 100: the body is read as it comes', async (t) => {
  const upstream = await rawUpstream(t, (socket, seen) => void (seen.endsWith('hello') && socket.write(OK)))
  const { port } = await behind(t, `http://127.0.0.1:${upstream.port}`)
  const { text } = await raw(port, `${expecting('/open').replace('1.1', '1.0')}hello`)
  t.match(text, /^HTTP\/1\.1 200 /)
  t.equal(bodyOf(text), 'ok')
})

t.test('a body sent without waiting for 100 is accepted, and an empty one needs none', async (t) => {
  const upstream = await rawUpstream(t, (socket, seen) => {
    if (seen.endsWith('hello') || /GET [^]*\r\n\r\n$/.test(seen)) socket.write(OK)
  })
  const { port } = await behind(t, `http://127.0.0.1:${upstream.port}`)
  const client = connect(t, port, `${expecting('/open')}hello`)
  await until('it is answered', () => client.text.endsWith('ok'))
  const { text } = await raw(
    port,
    'GET /open HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n',
  )
  t.match(text, /^HTTP\/1\.1 200 /)
})

t.test('a client that sends nothing after 100: 408, and the connection is closed', async (t) => {
  const upstream = await canned(t, OK)
  const limits = { bodyTimeout: '300ms' }
  const { port } = await behind(t, `http://127.0.0.1:${upstream.port}`, { limits })
  const client = connect(t, port, expecting('/open'))
  await until('the connection is closed', () => client.isClosed)
  t.match(client.text.slice(CONTINUE.length), /^HTTP\/1\.1 408 /)
})

t.test('our own routes: 100 after their guards, then the response', async (t) => {
  const { port } = await behind(t, 'http://127.0.0.1:9')
  const body = JSON.stringify({ username: 'ada', password: USERS.ada })
  const json = 'Content-Type: application/json\r\n'
  const client = connect(t, port, expecting('/auth/login', json, body.length))
  await until('it may go on', () => client.text === CONTINUE)
  client.socket.write(body)
  await until('it is answered', () => client.text.endsWith('}'))
  t.match(client.text.slice(CONTINUE.length), /^HTTP\/1\.1 200 [^]*access_token/)
})

t.test('an unknown expectation: 417', async (t) => {
  const upstream = await canned(t, OK)
  const { port } = await behind(t, `http://127.0.0.1:${upstream.port}`)
  const client = connect(t, port, expecting('/open').replace('100-continue', 'x'))
  await until('the connection is closed', () => client.isClosed)
  t.match(client.text, /^HTTP\/1\.1 417 [^]*application\/problem\+json/)
  t.equal(upstream.sockets.length, 0)
})

/** Uploads by curl, which asks for 100 by itself; gives its status and what it says of the way. */
async function upload(url: string, body: Buffer, ...args: string[]) {
  const options = ['-sv', '-T', '-', '-H', 'Expect: 100-continue', '--max-time', '20', '-w', '%{http_code}']
  const curl = spawn(CURL, [...options, '-o', '/dev/null', ...args, url])
  curl.stdin.on('error', () => {}).end(body)
  const [status, way] = await Promise.all([textOf(curl.stdout), textOf(curl.stderr)])
  return { status, continues: way.split('< HTTP/1.1 100').length - 1 }
}

t.test('curl -T gets 100 with a token, and none without', async (t) => {
  const digests: string[] = []
  const server = http.createServer((request, response) => {
    const hash = createHash('sha256')
    request.on('data', (chunk: Buffer) => hash.update(chunk))
    request.on('end', () => {
      digests.push(hash.digest('hex'))
      response.end()
    })
  })
  const { url } = await behind(t, `http://127.0.0.1:${await listen(t, server)}`)
  const body = randomBytes(900_000)
  t.strictSame(await upload(`${url}/guarded`, body), { status: '401', continues: 0 })
  t.strictSame(digests, [])
  const { access_token: token } = await logIn(url)
  const authorization = `Authorization: Bearer ${token}`
  t.strictSame(await upload(`${url}/guarded`, body, '-H', authorization), { status: '200', continues: 1 })
  t.strictSame(digests, [createHash('sha256').update(body).digest('hex')])
})
