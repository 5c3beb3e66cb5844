import { once } from 'node:events'
import net from 'node:net'
import t from 'tap'
import type { Test } from 'tap'
import { bodyOf, raw, rawUpstream } from '../support/forwarding.js'
import { call, isRefused, logIn, startGateway, startUpstream } from '../support/gateway-process.js'

const upstream = await startUpstream(t)
const { url } = await startGateway(t, {
  limits: {
    body: '10kb',
    headersTimeout: '300ms',
    bodyTimeout: '300ms',
    headerCount: 50,
    headers: '4kb',
    target: '1kb',
  },
  routes: [{ path: '/', upstream: upstream.url, auth: 'none' }],
})
const port = Number(new URL(url).port)

/** The answer to raw bytes is this problem, and the connection ends. */
function isProblem(t: Test, text: string, status: number, code: string, what = code): void {
  t.match(text, new RegExp(`^HTTP/1\\.1 ${status} `), what)
  t.match(text, /content-type: application\/problem\+json/i, what)
  const body = bodyOf(text)
  t.match(JSON.parse(body.slice(body.indexOf('{'), body.lastIndexOf('}') + 1)), { status, code }, what)
}

/** What comes back on a connection whose request never ends, until the problem is whole. */
async function answerTo(bytes: string): Promise<string> {
  const socket = net.connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  socket.write(bytes)
  let text = ''
  for await (const chunk of socket) {
    text += String(chunk)
    if (text.endsWith('}')) break
  }
  return text
}

t.test('a request whose headers don’t arrive in time gets 408', async (t) => {
  const begin = performance.now()
  isProblem(t, (await raw(port, 'GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ')).text, 408, 'request_timeout')
  t.ok(performance.now() - begin < 2_000)
})

t.test('a silent connection is closed', async (t) => {
  const socket = net.connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  socket.resume()
  const begin = performance.now()
  await once(socket, 'close')
  t.ok(performance.now() - begin < 3_000)
})

t.test('a body that does not arrive is 408, on our routes and through the proxy', async (t) => {
  for (const path of ['/auth/login', '/auth/refresh', '/auth/logout', '/forwarded']) {
    const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"use`
    const begin = performance.now()
    isProblem(t, await answerTo(head), 408, 'request_timeout', path)
    t.ok(performance.now() - begin < 2_000, path)
  }
})

t.test('a body that drips is 408 on our routes, which need all of it in time', async (t) => {
  const socket = net.connect(port, '127.0.0.1')
  socket.on('error', () => {})
  let text = ''
  socket.on('data', (chunk) => (text += chunk.toString()))
  socket.write(
    'POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n',
  )
  const drip = setInterval(() => socket.write(' '), 50)
  await once(socket, 'end')
  clearInterval(drip)
  socket.destroy()
  isProblem(t, text, 408, 'request_timeout')
})

t.test('large bodies are 413, with a length and without one', async (t) => {
  const before = upstream.seen.length
  isRefused(t, await call(url, 'POST', '/forwarded', { body: 'x'.repeat(20_000) }), 413, 'body_too_large')
  t.equal(upstream.seen.length, before, 'told by its length, it never reaches the upstream')
  const chunk = `1000\r\n${'x'.repeat(0x1000)}\r\n`
  const head =
    'POST /forwarded HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n'
  isProblem(t, (await raw(port, `${head}${chunk.repeat(4)}0\r\n\r\n`)).text, 413, 'body_too_large', 'chunked')
  t.equal((await call(url, 'POST', '/forwarded', { body: 'x'.repeat(10_000) })).status, 200)
})

t.test('too many or too large headers are 431, and a long target is refused', async (t) => {
  const before = upstream.seen.length
  const many = (count: number) => Array.from({ length: count }, (_, i) => `x-${i}: ${i}\r\n`).join('')
  const get = (headers: string, target = '/') =>
    raw(port, `GET ${target} HTTP/1.1\r\nHost: x\r\n${headers}Connection: close\r\n\r\n`)
  for (const count of [49, 300])
    isProblem(t, (await get(many(count))).text, 431, 'headers_too_large', `${count}`)
  isProblem(t, (await get(`x: ${'y'.repeat(5_000)}\r\n`)).text, 431, 'headers_too_large', 'one of 5 kB')
  isProblem(t, (await get('', `/${'x'.repeat(1_100)}`)).text, 400, 'target_refused')
  t.equal(upstream.seen.length, before)
  t.match((await get(many(48))).text, /^HTTP\/1\.1 200 /, 'as many as may be')
})

t.test('the default limits: 300 headers are 431', async (t) => {
  const usual = await startGateway(t, { routes: [{ path: '/', upstream: upstream.url, auth: 'none' }] })
  const headers = Array.from({ length: 300 }, (_, i) => `x-${i}: ${i}\r\n`).join('')
  const head = `GET / HTTP/1.1\r\nHost: x\r\n${headers}Connection: close\r\n\r\n`
  isProblem(t, (await raw(Number(new URL(usual.url).port), head)).text, 431, 'headers_too_large')
})

t.test(
  'a dead upstream is 502, a silent one 504, a broken one 502, all without internal details',
  async (t) => {
    const silent = await rawUpstream(t, () => {})
    const nonsense = await rawUpstream(t, (socket) => socket.write('nonsense\r\n\r\n'))
    const hangsUp = await rawUpstream(t, (socket) => socket.destroy())
    const at = (upstreamPort: number) => `http://127.0.0.1:${upstreamPort}`
    const gateway = await startGateway(t, {
      timeouts: { connect: '500ms', headers: '500ms', body: '500ms' },
      routes: [
        { path: '/dead', upstream: at(9), auth: 'none' },
        { path: '/silent', upstream: at(silent.port), auth: 'none' },
        { path: '/nonsense', upstream: at(nonsense.port), auth: 'none' },
        { path: '/hangs-up', upstream: at(hangsUp.port) },
      ],
    })
    const { access_token: token } = await logIn(gateway.url)
    for (const method of ['GET', 'POST']) {
      const get = (path: string) =>
        call(gateway.url, method, path, { token, ...(method === 'POST' && { body: 'x' }) })
      isRefused(t, await get('/dead'), 502, 'upstream_unavailable', 'dead')
      isRefused(t, await get('/nonsense'), 502, 'upstream_unavailable', 'nonsense')
      isRefused(t, await get('/hangs-up'), 502, 'upstream_unavailable', 'hangs up')
      const late = await get('/silent')
      isRefused(t, late, 504, 'upstream_timeout', 'silent')
      t.ok(late.milliseconds < 2_500, 'in time')
      t.notMatch(late.text, new RegExp(String(silent.port)))
    }
  },
)
