import http from 'node:http'
import net from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { Refusal } from '../../src/errors.js'
import { bodyOf, canned, gateway, get, listen, raw, rawUpstream, settled, until } from './rig.js'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

/** A promise, and what ends it. */
function gate() {
  let open!: () => void
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { opened, open }
}

t.test('told the status once, of the answer proper, before any of it is passed on', async (t) => {
  const upstream = await canned(
    t,
    `HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${OK.replace('200 OK', '201 Made')}`,
  )
  const told: number[] = []
  const { port, outcome } = await gateway(t, upstream.port, { onHead: (status) => void told.push(status) })
  t.match((await get(port, 'POST')).text, /^HTTP\/1\.1 103 [^]*HTTP\/1\.1 201 [^]*\r\n\r\nok$/)
  t.strictSame(told, [201])
  t.strictSame(await outcome(), { kind: 'answered', status: 201 })
})

t.test('the answer waits for the promise; then it passes whole, whatever its form', async (t) => {
  for (const [answer, body, method] of [
    [OK, 'ok', 'GET'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', '', 'GET'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n', '', 'HEAD'],
    ['HTTP/1.1 204 No Content\r\n\r\n', '', 'DELETE'],
    ['HTTP/1.1 304 Not Modified\r\n\r\n', '', 'GET'],
    [
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n',
      '2\r\nok\r\n0\r\nX-T: 1\r\n\r\n',
      'GET',
    ],
    ['HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok', '2\r\nok\r\n0\r\n\r\n', 'GET'],
  ] as const) {
    const upstream = await canned(t, answer, /Connection: close/.test(answer) ? 'end' : 'keep')
    const { opened, open } = gate()
    let asked = 0
    const { port, outcome, outcomes } = await gateway(t, upstream.port, {
      onHead: () => ((asked += 1), opened),
    })
    const socket = net.connect(port, '127.0.0.1')
    let text = ''
    socket.on('data', (chunk) => (text += chunk.toString()))
    socket.write(`${method} / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    await until('it is asked', () => asked === 1)
    await delay(100)
    t.equal(text, '', 'nothing was passed on')
    t.equal(outcomes.length, 0)
    open()
    await until('it is passed on', () => text.includes('\r\n\r\n') && outcomes.length === 1)
    t.match(await outcome(), { kind: 'answered' }, answer)
    t.equal(bodyOf(text), body, answer)
    t.equal(asked, 1)
  }
})

t.test('a Refusal is answered instead; nothing of the upstream’s answer shows', async (t) => {
  const refusal = new Refusal('store_unavailable', { reason: 'a test' })
  for (const onHead of [
    () => {
      throw refusal
    },
    async () => {
      await delay(10)
      throw refusal
    },
  ]) {
    for (const method of ['GET', 'HEAD', 'POST']) {
      const upstream = await canned(t, 'HTTP/1.1 200 OK\r\nX-Secret: 1\r\nContent-Length: 100\r\n\r\nhalf')
      const { port, outcome } = await gateway(t, upstream.port, { onHead })
      const { text } = await get(port, method)
      t.match(text, /^HTTP\/1\.1 503 /)
      t.notMatch(text, /secret|half/i)
      t.strictSame(await outcome(), { kind: 'failed', error: 'store_unavailable', reason: 'a test', refusal })
      await until('the upstream is let go', () => upstream.sockets[0]!.destroyed)
    }
  }
})

t.test('another error is ours: 500, with its cause for the log', async (t) => {
  const upstream = await canned(t, OK)
  const cause = new TypeError('a fault')
  const { port, outcome } = await gateway(t, upstream.port, { onHead: () => Promise.reject(cause) })
  t.match((await get(port)).text, /^HTTP\/1\.1 500 /)
  t.match(await outcome(), { kind: 'failed', error: 'internal_error', refusal: { cause } })
})

t.test('while it waits: the upstream is not read on, and no timeout of its body runs', async (t) => {
  let written = 0
  const size = 64 << 20
  const server = http.createServer((_request, response) => {
    response.writeHead(200, { 'content-length': size })
    const piece = Buffer.alloc(1 << 16)
    const more = () => {
      while (written < size) {
        written += piece.length
        if (!response.write(piece)) return
      }
    }
    response.on('drain', more)
    more()
  })
  const { opened, open } = gate()
  const { port, outcomes } = await gateway(t, await listen(t, server), {
    onHead: () => opened,
    timeouts: { body: 300 },
  })
  const answer = raw(port, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  const stopped = await settled(() => written)
  t.ok(stopped > 0 && stopped < size / 2, `stopped after ${stopped >> 10} KB`)
  await delay(1500)
  t.equal(outcomes.length, 0)
  open()
  t.equal(bodyOf((await answer).text).length, size)
})

t.test(
  'while it waits, the upstream may break off, the time run out, the client leave, or it be cut',
  async (t) => {
    for (const [what, outcome] of [
      ['reset', { kind: 'failed', error: 'upstream_unavailable', reason: 'ECONNRESET' }],
      ['total', { kind: 'failed', error: 'upstream_timeout', reason: 'total_timeout' }],
      ['leave', { kind: 'aborted' }],
      ['cut', { kind: 'failed', error: 'token_revoked', reason: 'cut' }],
    ] as const) {
      const upstream = await rawUpstream(t, (socket) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf')
      })
      const { opened, open } = gate()
      let asked = 0
      const rig = await gateway(t, upstream.port, {
        onHead: () => ((asked += 1), opened),
        timeouts: { total: what === 'total' ? 300 : 0 },
      })
      const client = net.connect(rig.port, '127.0.0.1')
      let text = ''
      client.on('data', (chunk) => (text += chunk.toString()))
      client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
      await until('it is asked', () => asked === 1)
      if (what === 'reset') upstream.sockets[0]!.resetAndDestroy()
      if (what === 'leave') client.destroy()
      if (what === 'cut') rig.forwardings[0]!.cut('token_revoked')
      t.strictSame(await rig.outcome(), outcome, what)
      open()
      await until('the upstream is let go', () => upstream.sockets[0]!.destroyed)
      await delay(50)
      t.notMatch(text, /half|200 OK/, what)
      t.equal(rig.outcomes.length, 1)
      client.destroy()
    }
  },
)
