/**
 * Pipelined requests, were they forwarded all at once: one packet of one client's would take as many of the upstream's
 * connections as it names requests, and what isn't safe would be done in any order (RFC 9112 §9.3.2).
 */
import net from 'node:net'
import t from 'tap'
import { listen } from '../support/forwarding.js'
import { startGateway } from '../support/gateway-process.js'
import { head, send } from '../support/wire.js'

t.test('pipelined requests are forwarded one after another', async (t) => {
  let open = 0
  let most = 0
  const order: number[] = []
  const server = net.createServer((socket) => {
    let bytes = ''
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      bytes += chunk.toString('latin1')
      const read = /^POST \/(\d+) [^]*?\r\n\r\nhi/.exec(bytes)
      if (!read) return
      bytes = bytes.slice(read[0].length)
      order.push(Number(read[1]))
      most = Math.max(most, ++open)
      setTimeout(() => {
        open -= 1
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      }, 20)
    })
  })
  const routes = [
    {
      path: '/',
      upstream: `http://127.0.0.1:${await listen(t, server)}`,
      auth: 'none',
    },
  ]
  const { url } = await startGateway(t, { routes })
  const posts = Array.from({ length: 40 }, (_, n) => {
    return (
      head(
        `POST /${n} HTTP/1.1`,
        'Host: x',
        'Content-Length: 2',
        ...(n === 39 ? ['Connection: close'] : []),
      ) + 'hi'
    )
  })
  const { statuses } = await send(Number(new URL(url).port), posts.join(''))
  t.equal(statuses.length, 40)
  t.equal(most, 1, 'at once')
  t.strictSame(
    order,
    order.toSorted((a, b) => a - b),
    'in their order',
  )
})
