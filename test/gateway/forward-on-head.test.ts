import http from 'node:http'
import net from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { PortcullisError } from '../../src/errors.js'
import {
  bodyOf,
  canned,
  gateway,
  get,
  listen,
  raw,
  rawUpstream,
  settled,
  until,
} from '../support/forwarding.js'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

/** A promise, and what ends it. */
function gate() {
  let open!: () => void
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { opened, open }
}

t.test('onHead gets the status of the final response once, before anything is passed on', async (t) => {
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

t.test('the response waits for the promise, then passes complete in any form', async (t) => {
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

t.test('a PortcullisError is sent instead, and nothing of the upstream’s response', async (t) => {
  const refusal = new PortcullisError('store_unavailable', { reason: 'a test' })
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

t.test('any other error is a 500 of ours, with its cause in the log', async (t) => {
  const upstream = await canned(t, OK)
  const cause = new TypeError('a fault')
  const { port, outcome } = await gateway(t, upstream.port, { onHead: () => Promise.reject(cause) })
  t.match((await get(port)).text, /^HTTP\/1\.1 500 /)
  t.match(await outcome(), { kind: 'failed', error: 'internal_error', refusal: { cause } })
})

t.test('while onHead waits, the upstream isn’t read and no body timeout runs', async (t) => {
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

t.test('whatever happens while onHead waits, the outcome comes after it', async (t) => {
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
    if (what === 'leave') await leave(client, rig.server)
    if (what === 'cut') rig.forwardings[0]!.cut('token_revoked')
    await delay(what === 'total' ? 600 : 100)
    t.equal(rig.outcomes.length, 0, `${what}: it is waited for`)
    open()
    t.strictSame(await rig.outcome(), outcome, what)
    await until('the upstream is let go', () => upstream.sockets[0]!.destroyed)
    await delay(50)
    t.notMatch(text, /half|200 OK/, what)
    t.equal(rig.outcomes.length, 1)
    client.destroy()
  }
})

t.test('an error of onHead is logged even if the client has disconnected', async (t) => {
  const upstream = await canned(t, OK)
  const refusal = new PortcullisError('store_unavailable', { reason: 'a test' })
  let reject!: (error: Error) => void
  const pondering = new Promise<void>((_, no) => (reject = no))
  let asked = 0
  const rig = await gateway(t, upstream.port, { onHead: () => ((asked += 1), pondering) })
  const client = net.connect(rig.port, '127.0.0.1')
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await until('it is asked', () => asked === 1)
  await leave(client, rig.server)
  reject(refusal)
  const failure = { error: 'store_unavailable', reason: 'a test', refusal }
  t.strictSame(await rig.outcome(), { kind: 'aborted', failure })
})

t.test(
  'a client that disconnects before the head: onHead still gets the status, then everything ends',
  async (t) => {
    for (const method of ['DELETE', 'POST']) {
      for (const what of ['leave', 'cut'] as const) {
        const body = method === 'POST' ? 'password' : ''
        const upstream = await rawUpstream(t, () => {})
        const told: number[] = []
        const rig = await gateway(t, upstream.port, { onHead: async (status) => void told.push(status) })
        const client = net.connect(rig.port, '127.0.0.1')
        let text = ''
        client.on('data', (chunk) => (text += chunk.toString()))
        client.write(`${method} / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
        await until('the upstream has it', () => !!upstream.seen[0]?.endsWith(`\r\n\r\n${body}`))
        if (what === 'leave') await leave(client, rig.server)
        else rig.forwardings[0]!.cut('token_revoked')
        await delay(100)
        t.notOk(upstream.sockets[0]!.destroyed, `${method}, ${what}: the upstream may still answer`)
        t.strictSame(told, [])
        upstream.sockets[0]!.write('HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n')
        upstream.sockets[0]!.write('HTTP/1.1 201 Made\r\nContent-Length: 9\r\n\r\nhalf')
        const cut = { kind: 'failed', error: 'token_revoked', reason: 'cut' }
        t.strictSame(await rig.outcome(), what === 'leave' ? { kind: 'aborted' } : cut)
        t.strictSame(told, [201])
        await until('the upstream is let go', () => upstream.sockets[0]!.destroyed)
        t.notMatch(text, /half|103|201/)
        client.destroy()
      }
    }
  },
)

t.test('the wait for a disconnected client’s response is bounded by the timeouts', async (t) => {
  for (const [timeouts, reason] of [
    [{ headers: 300 }, 'headers_timeout'],
    [{ total: 300 }, 'total_timeout'],
  ] as const) {
    const upstream = await rawUpstream(t, () => {})
    let asked = 0
    const rig = await gateway(t, upstream.port, { onHead: () => void (asked += 1), timeouts })
    const client = net.connect(rig.port, '127.0.0.1')
    client.write('DELETE / HTTP/1.1\r\nHost: x\r\n\r\n')
    await until('the upstream has it', () => upstream.seen.length === 1)
    await leave(client, rig.server)
    const failure = { error: 'upstream_timeout', reason }
    t.strictSame(await rig.outcome(), { kind: 'aborted', failure })
    t.equal(asked, 0)
    await until('the upstream is let go', () => upstream.sockets[0]!.destroyed)
  }
})

t.test('a client that disconnects within its body frees the upstream at once', async (t) => {
  const upstream = await rawUpstream(t, () => {})
  let asked = 0
  const rig = await gateway(t, upstream.port, { onHead: () => void (asked += 1) })
  const client = net.connect(rig.port, '127.0.0.1')
  client.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\npass')
  await until('the upstream has a part', () => !!upstream.seen[0]?.endsWith('pass'))
  client.destroy()
  t.strictSame(await rig.outcome(), { kind: 'aborted' })
  await until('the upstream is let go', () => upstream.sockets[0]!.destroyed)
  t.equal(asked, 0)
})

/** Closes a client's connection, and waits until the gateway has noticed. */
async function leave(client: net.Socket, server: http.Server): Promise<void> {
  client.destroy()
  const connections = () =>
    new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)))
  await until('the gateway knows that it has left', async () => (await connections()) === 0)
}
