/** Clients that make the gateway write a line for each of their requests. */
import net from 'node:net'
import { once } from 'node:events'
import t from 'tap'
import { call, serveGateway } from '../support/gateway-process.js'
import { head } from '../support/wire.js'

t.test('logins beyond a limit are logged at most once per second', async (t) => {
  const gateway = await serveGateway(t, {
    rateLimit: { login: { perAccount: { failures: 1 } } },
    limits: { eventLoopDelay: '0s' },
  })
  const guess = () => call(gateway.url, 'POST', '/auth/login', { json: { username: 'ada', password: 'x' } })
  const begin = performance.now()
  await guess()
  const answers = await Promise.all(Array.from({ length: 300 }, guess))
  t.equal(answers.filter(({ status }) => status === 429).length, 300)
  const seconds = (performance.now() - begin) / 1_000
  const lines = gateway.records().filter(({ event }) => event === 'login_limited')
  t.ok(lines.length >= 1 && lines.length <= 2 + seconds, `${lines.length} lines in ${seconds.toFixed(1)} s`)
})

t.test('a client that disconnects during the body of a login is no fault', async (t) => {
  const gateway = await serveGateway(t)
  const port = Number(new URL(gateway.url).port)
  const type = 'Content-Type: application/json'
  for (const rest of ['Content-Length: 100', 'Transfer-Encoding: chunked']) {
    const socket = net.connect(port, '127.0.0.1').on('error', () => {})
    socket.write(head('POST /auth/login HTTP/1.1', 'Host: x', type, rest, 'Expect: 100-continue'))
    // The gateway has begun to read the body.
    await once(socket, 'data')
    socket.write('5\r\n{"use')
    socket.resetAndDestroy()
    await once(socket, 'close')
  }
  for (let n = 0; n < 20; n += 1) t.equal((await call(gateway.url, 'GET', '/healthz')).status, 200)
  t.strictSame(
    gateway.records().filter(({ event }) => event === 'fault'),
    [],
  )
})
