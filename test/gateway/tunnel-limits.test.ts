/** How many WebSockets may be open. */
import t from 'tap'
import { soon } from '../support/gateway-process.js'
import { rawUpstream, until } from '../support/forwarding.js'
import { agrees, client, handshake, isHead, open } from '../support/websocket-handshakes.js'

const isOverloaded = /^HTTP\/1\.1 503 [^]*\r\nretry-after: \d+\r\n[^]*"code":"overloaded"/i

t.test('one more than limits.upgradesPerAddress is refused without a request to the upstream', async (t) => {
  const upstream = await rawUpstream(t, (socket, seen) => {
    if (seen.startsWith('GET /live')) agrees()(socket, seen)
    else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  })
  const port = await open(t, upstream.port, {
    limits: { upgradesPerAddress: 3 },
    listen: { host: '127.0.0.1', port: 0, trustProxy: ['127.0.0.1'] },
  })
  const from = (address: string) => client(t, port, handshake(`X-Forwarded-For: ${address}`))
  const [first] = await Promise.all(
    Array.from({ length: 3 }, async () => {
      const one = from('2001:db8::1')
      await one.got('101 Switching')
      return one
    }),
  )
  for (const address of ['2001:db8::1', '2001:db8::2']) {
    const refused = from(address)
    t.equal(await refused.ended(), 'end')
    t.match(refused.text, isOverloaded, 'a whole /64 is one address')
  }
  t.equal(upstream.sockets.length, 3)
  await from('2001:db8:1::1').got('101 Switching')
  await from('192.0.2.1').got('101 Switching')

  first!.socket.destroy()
  await until('its place is free', () => upstream.sockets[0]!.destroyed)
  const next = from('2001:db8::2')
  await next.got('101 Switching')
  const plain = client(t, port, 'GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 2001:db8::1\r\n\r\n')
  t.match(await plain.got('an answer', isHead), /^HTTP\/1\.1 200 /, 'other requests are not counted')
})

t.test('one more than limits.upgrades is refused, and handshakes count from their start', async (t) => {
  const upstream = await rawUpstream(t, () => {})
  const port = await open(t, upstream.port, { limits: { upgrades: 2 }, timeouts: { headers: '2s' } })
  const waiting = [client(t, port, handshake()), client(t, port, handshake())]
  await until('both wait', () => upstream.seen.filter(isHead).length === 2)
  const refused = client(t, port, handshake())
  t.equal(await refused.ended(), 'end')
  t.match(refused.text, isOverloaded)
  t.equal(upstream.sockets.length, 2)

  for (const one of waiting) {
    t.equal(await one.ended(), 'end')
    t.match(one.text, /^HTTP\/1\.1 504 /)
  }
  await soon('there is room again', async () => {
    const next = client(t, port, handshake())
    await until('it waits, or not', () => upstream.seen.filter(isHead).length === 3 || next.end !== undefined)
    return next.end === undefined
  })
})

t.test('refused handshakes leave nothing behind', async (t) => {
  const upstream = await rawUpstream(t, agrees())
  const origin = `http://127.0.0.1:${upstream.port}`
  const routes = [
    { path: '/guarded', upstream: origin },
    { path: '/', upstream: origin, auth: 'none' },
  ]
  const port = await open(t, upstream.port, { limits: { upgrades: 1 }, routes })
  /** Its place is free a moment after the client has seen its end. */
  const isRefused = async () => {
    const refused = client(t, port, handshake().replace('/live', '/guarded'))
    t.equal(await refused.ended(), 'end')
    return refused.text.startsWith('HTTP/1.1 401 ')
  }
  for (let n = 0; n < 5; n += 1) await soon('one is refused for want of a token', isRefused)
  await soon('one more has room', async () => {
    const one = client(t, port, handshake())
    await one.got('an answer', isHead)
    return one.text.startsWith('HTTP/1.1 101 ')
  })
})
